# shellcheck shell=bash
# The bench of windows: what they cost the line, how fresh they are, and how long a month of them takes beside one SQL statement.
# Sourced by bench.sh after the files above.

WINDOWS_WITHOUT=$KPILINE_LOCAL_DIR/bench/without
WINDOWS_ZONE=America/New_York

# windows_strip: the definitions that are in use from the beginning, as second versions that have no windows.
windows_strip() {
    local name
    rm -rf "$WINDOWS_WITHOUT"
    mkdir -p "$WINDOWS_WITHOUT"
    for name in adjusted_aht handle_time talk_time hold_time wrap_time queue_wait; do
        sed -E 's/^version = 1$/version = 2/; /^(counted|settles_after) = /d; /^\[\[windows\]\]/,$d' "crates/kpi/catalogue/$name.toml" \
            >"$WINDOWS_WITHOUT/$name.toml"
    done
}

# windows_off: nothing but those is evaluated in this database.
windows_off() {
    "$(line_program compute)" kpi activate "$WINDOWS_WITHOUT"/*.toml >/dev/null 2>>"$LOG_DIR/migrate.log"
    sql "UPDATE kpi_definitions SET status = CASE version WHEN 2 THEN 'current' ELSE 'retired' END WHERE status <> 'draft'"
}

windows_waiting() { # marks that nobody has computed yet
    sql "SELECT count(*) FROM dirty_marks"
}

# windows_http: the line with and without windows, in turns, so that whatever else the machine does falls on both.
windows_http() {
    local turn with=() without=() rate
    windows_strip
    for turn in 1 2 3; do
        say "turn $turn, without windows"
        http_run 1 64 2 windows_off
        without+=("$HTTP_RATE")
        say "turn $turn, with windows"
        http_run 1 64 1
        with+=("$HTTP_RATE")
    done
    rate=$(median "${with[@]}")
    awk -v with="$rate" -v without="$(median "${without[@]}")" 'BEGIN {
        lost = 100 * (1 - with / without)
        printf "HTTP to metric row, one event a POST: %d events/s without windows, %d with: %.0f %% less, %s\n", without, with, lost,
            lost <= 20 ? "within the limit of 20 %" : "BEYOND THE LIMIT OF 20 %" }'
    WINDOWS_RATE=$rate
}

# windows_writers: four transactions at a time that change items and append marks, beside the one that computes windows.
windows_writers() {
    local deadlocks updates
    step "Four writers"
    KPILINE_COMPUTE_WORKERS=4 KPILINE_DATABASE_POOL_MAX=12 http_run 1 64 1
    # What a session counted is there once it has ended.
    deadlocks=$(sql "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    updates=$(sql "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'dirty_marks'")
    printf 'four writers: %s deadlocks, %s marks updated in place\n' "$deadlocks" "$updates"
    demo_expect "four writers have no deadlock, and marks are only appended and deleted" "$([ "$deadlocks $updates" = '0 0' ] && echo t)" \
        "$deadlocks deadlocks, $updates updates"
    printf '%s\n' "${DEMO_CHECKS[@]}"
}

# windows_probes EVENTS EVERY: the events on standard input, with a call of its own queue after each so many of them.
windows_probes() {
    awk -v every="$1" '
        function tell(ordinal, second, kind, state, rest) {
            printf "{\"event_type\":\"analytics:events:publish\",\"timestamp\":\"2024-05-14T15:%02d:%02d.000Z\",\"data\":{\"event_id\":\"probe_%d_%d\",\"interaction_id\":\"probe_%d\",\"type\":\"telephony:call:%s\",\"state\":\"%s\",\"queue_id\":\"probe_%d\",\"metrics\":{%s},\"participants\":[{\"id\":\"probe_agent\",\"type\":\"agent\",\"timezone\":\"UTC\"}]}}\n",
                number % 50, second, number, ordinal, number, kind, state, number, rest
        }
        { print }
        NR % every == 0 {
            number++
            tell(1, 1, "queued", "queued", "")
            tell(2, 9, "connected", "connected", "\"queue_wait_ms\":8000")
            tell(3, 40, "ended", "completed", "\"talk_time_ms\":31000")
            tell(4, 50, "wrapped_up", "wrapped_up", "\"wrap_time_ms\":10000")
        }'
}

# windows_fresh: from the moment an interaction's last event was received to the moment its window's row was written, at a quarter of
# the rate that the line can take. The store notes it itself, so that looking costs nothing that is measured.
windows_fresh() {
    local rate=$((WINDOWS_RATE / 4)) file=$DEMO_DIR/events.jsonl all
    step "Freshness of windows at $rate events/s"
    all=$BENCH_DIR/with-probes.jsonl
    windows_probes 120 <"$file" >"$all"
    bench_database
    sql "CREATE TABLE fresh (queue_id text PRIMARY KEY, seen timestamptz NOT NULL);
        CREATE FUNCTION note_fresh() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO fresh VALUES (NEW.queue_id, clock_timestamp()) ON CONFLICT DO NOTHING; RETURN NULL; END';
        CREATE TRIGGER fresh AFTER INSERT ON window_metrics FOR EACH ROW
            WHEN (NEW.metric_type = 'wrap_time' AND NEW.group_by = 'queue' AND NEW.size = '30m' AND NEW.queue_id LIKE 'probe%')
            EXECUTE FUNCTION note_fresh()" 2>/dev/null
    bench_line
    "$(line_program platform-double)" emit "$all" --url "http://127.0.0.1:$HTTP_PORT/hooks/genesys" --secret "$DEMO_SECRET" --retry \
        --connections 64 --rate "$rate" >"$BENCH_DIR/emit.json"
    watch_until "events received" demo_counted "+$(wc -l <"$all")"
    watch_until "marks" windows_waiting 0
    sql "SELECT format('Last event received to the row of its window, %s events/s, %s interactions looked at: p50 %s s, p99 %s s, longest %s s: %s',
            $rate, count(*), round(percentile_disc(0.5) WITHIN GROUP (ORDER BY took), 3), round(percentile_disc(0.99) WITHIN GROUP (ORDER BY took), 3),
            round(max(took), 3), CASE WHEN percentile_disc(0.99) WITHIN GROUP (ORDER BY took) < 2 THEN 'within the limit of 2 s' ELSE 'BEYOND THE LIMIT OF 2 s' END)
        FROM (SELECT extract(epoch FROM f.seen - max(l.received_at)) AS took FROM fresh f
            JOIN event_log l ON l.interaction_id = f.queue_id GROUP BY f.queue_id, f.seen) t"
    line_stop
}

# windows_month CALLS AGENTS: every window of a month computed again from what interactions and agents' time add, then the same numbers by
# one SQL statement over a plain table of all values.
windows_month() {
    local calls=$1 agents=$2 began windows statement
    step "A month of windows: $calls interactions, $agents agents"
    bench_database
    printf 'places = 1\n\n[[organisation]]\nzone = "%s"\n' "$WINDOWS_ZONE" >"$BENCH_DIR/places.toml"
    "$(line_program compute)" kpi add "$BENCH_DIR/places.toml" >/dev/null
    "$(line_program compute)" kpi activate crates/kpi/catalogue >/dev/null 2>>"$LOG_DIR/migrate.log"
    cargo run --locked --quiet --profile release -p testkit --example fill_month -- "$KPILINE_DATABASE_URL" "$calls" "$agents"
    sql "INSERT INTO dirty_marks (kind, tenant, from_at, to_at)
        SELECT 'cell', tenant, cell, cell + interval '15 minutes' FROM window_items GROUP BY tenant, cell ORDER BY tenant, cell"
    sql "CHECKPOINT"
    COMPUTE_PORT=$(free_port)
    began=$EPOCHREALTIME
    DEMO_RUNNING=(compute)
    line_start compute compute serve --ops-listen "127.0.0.1:$COMPUTE_PORT" --log-level warn
    watch_until "marks" windows_waiting 0
    windows=$(seconds_since "$began")
    line_stop
    # shellcheck disable=SC2034 # demo.sh looks after them
    DEMO_RUNNING=(ingest compute)
    sql "CREATE TABLE month_sets AS SELECT DISTINCT k.definition_id, m.group_by, m.size
            FROM window_metrics m JOIN kpi_definitions k ON k.name = m.metric_type AND k.version = m.metric_version;
        CREATE TABLE month_windows (definition_id integer, group_by text COLLATE \"C\", size text COLLATE \"C\", group_key text COLLATE \"C\",
            window_start timestamptz, items bigint, numerator bigint, denominator bigint,
            PRIMARY KEY (definition_id, group_by, size, group_key, window_start));
        ANALYZE month_sets; CHECKPOINT"
    began=$EPOCHREALTIME
    sql "INSERT INTO month_windows
        WITH base AS MATERIALIZED (
            SELECT definition_id, grouping(queue_id, agent_id) AS whose, queue_id, agent_id, coalesce(cell AT TIME ZONE '$WINDOWS_ZONE', day) AS local,
                count(*) AS items, sum(sum)::bigint AS sum, sum(weight)::bigint AS weight
            FROM (SELECT *, date_bin('15 minutes', at, '2000-01-01Z') AS cell, date_trunc('day', at AT TIME ZONE '$WINDOWS_ZONE') AS day
                FROM month_values) v
            GROUP BY GROUPING SETS ((definition_id, queue_id, cell), (definition_id, agent_id, day)))
        SELECT definition_id, group_by, size,
            CASE group_by WHEN '' THEN '[]' WHEN 'media' THEN '[\"voice\"]' WHEN 'team' THEN '[null]'
                WHEN 'agent' THEN coalesce('[\"' || agent_id || '\"]', '[null]') ELSE coalesce('[\"' || queue_id || '\"]', '[null]') END,
            CASE size WHEN '15m' THEN local WHEN '30m' THEN date_bin('30 minutes', local, '2000-01-01') WHEN '60m' THEN date_trunc('hour', local)
                ELSE date_trunc(size, local) END AT TIME ZONE '$WINDOWS_ZONE',
            sum(items), sum(sum), sum(weight)
        FROM base JOIN month_sets USING (definition_id)
        WHERE (group_by = 'agent') = (whose = 2)
        GROUP BY 1, 2, 3, 4, 5" >/dev/null
    statement=$(seconds_since "$began")
    printf 'every window from the items      %8.1f s  %s windows, percentiles and extremes besides\n' "$windows" "$(sql "SELECT count(*) FROM window_metrics")"
    printf 'one SQL statement, sums alone    %8.1f s  %s windows\n' "$statement" "$(sql "SELECT count(*) FROM month_windows")"
    demo_expect "windows and statement have the same numbers" "$(sql "SELECT count(*) = 0 FROM month_windows s
        FULL JOIN (SELECT k.definition_id, m.* FROM window_metrics m JOIN kpi_definitions k ON k.name = m.metric_type AND k.version = m.metric_version) w
            USING (definition_id, group_by, size, group_key, window_start)
        WHERE (s.items, s.numerator, s.denominator) IS DISTINCT FROM (w.items, w.numerator, w.denominator)")" "see month_windows"
    printf '%s\n' "${DEMO_CHECKS[@]}"
}
