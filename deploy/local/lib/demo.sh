# shellcheck shell=bash
# The demo's parts: what it tells the programs, and what it asks the database. Sourced after the files above.

DEMO_DIR=$KPILINE_LOCAL_DIR/demo
DEMO_MAPPING=$KPILINE_ROOT/deploy/mappings/cxone-interaction-events.toml

# sql TEXT [ARG...]: rows without decoration, or the error. psql and nothing else: a bare machine has no JSON tool either.
sql() {
    local text=$1
    shift
    "$PSQL" -qXAt -v ON_ERROR_STOP=1 -d "$KPILINE_DATABASE_URL" "$@" -c "$text"
}

# sql_table TITLE TEXT: a table for people, on standard output.
sql_table() {
    printf '\n%s\n' "$1"
    "$PSQL" -qX -v ON_ERROR_STOP=1 -P footer=off -P border=1 -P null='' -d "$KPILINE_DATABASE_URL" -c "$2"
}

# demo_configure: a webhook of each kind, a target on each platform, and what the platforms' doubles do wrong.
demo_configure() {
    mkdir -p "$DEMO_DIR"
    cat >"$DEMO_DIR/subscriptions.toml" <<CONF
version = 1

[[subscription]]
name = "$DEMO_TENANT-genesys"
path = "/hooks/genesys"
tenant = "$DEMO_TENANT"
format = "genesys-webhook"
[subscription.signature]
secrets = ["$DEMO_SECRET"]

[[subscription]]
name = "$DEMO_TENANT-cxone"
path = "/hooks/cxone"
tenant = "$DEMO_TENANT-cxone"
format = "mapped"
mapping = "$DEMO_MAPPING"
[subscription.signature]
secrets = ["$DEMO_SECRET"]
CONF
    # Who may look: everybody's figures, with a token that is made up for this demo.
    printf 'version = 1\n' >"$DEMO_DIR/tokens.toml"
    "$(line_program deliver)" token --name demo --tenant '*' >>"$DEMO_DIR/tokens.toml" 2>"$DEMO_DIR/token"
    DEMO_TOKEN=$(tail -n 1 "$DEMO_DIR/token")
    # Well inside what the double allows: a push it has to refuse is the fault script's doing, or a fault of ours.
    cat >"$DEMO_DIR/targets.toml" <<CONF
version = 1

[[target]]
name = "$DEMO_TENANT-genesys"
tenant = "$DEMO_TENANT"
platform = "genesys-custom-report"
base_url = "http://127.0.0.1:$GENESYS_PORT"
metrics = ["adjusted_aht", "handle_time"]
[target.credentials]
token_url = "http://127.0.0.1:$GENESYS_PORT/oauth/token"
client_id = "demo"
client_secret = "$DEMO_SECRET"
[target.rate]
requests = 15
period = "1s"
[target.retry]
first = "500ms"

[[target]]
name = "$DEMO_TENANT-cxone"
tenant = "$DEMO_TENANT-cxone"
platform = "cxone-import"
base_url = "http://127.0.0.1:$CXONE_PORT"
metrics = ["adjusted_aht", "handle_time", "talk_time", "hold_time", "wrap_time", "queue_wait"]
[target.credentials]
token_url = "http://127.0.0.1:$CXONE_PORT/authentication/v1/token/access-key"
client_id = "demo"
client_secret = "$DEMO_SECRET"
[target.rate]
requests = 15
period = "1s"
[target.retry]
first = "500ms"
CONF
    cat >"$DEMO_DIR/platform.json" <<CONF
{
  "clients": [
    { "id": "demo", "secret": "$DEMO_SECRET" }
  ],
  "limit": { "requests": 20, "window_ms": 1000, "retry_after": "alternating" },
  "faults": { "phases": [
    { "requests": 4, "fault": { "kind": "none" } },
    { "requests": 2, "fault": { "kind": "status", "status": 429, "retry_after": 1 } },
    { "requests": 3, "fault": { "kind": "none" } },
    { "requests": 2, "fault": { "kind": "status", "status": 500, "store": true } }
  ] }
}
CONF
    export KPILINE_SUBSCRIPTIONS=$DEMO_DIR/subscriptions.toml KPILINE_TARGETS=$DEMO_DIR/targets.toml
    chmod 0600 "$DEMO_DIR"/*.toml "$DEMO_DIR"/*.json
}

# demo_truth: what the double works out from the events alone, beside what the line computed.
demo_truth() {
    sql "DROP SCHEMA IF EXISTS kpiline_demo CASCADE; CREATE SCHEMA kpiline_demo;
        CREATE TABLE kpiline_demo.truth_csv (interaction_id text, adjusted_aht numeric, handle_time numeric, talk_time numeric,
            hold_time numeric, wrap_time numeric, queue_wait numeric, zone text, reason text);
        CREATE TABLE kpiline_demo.truth (interaction_id text, metric_type text, ms numeric, reason text);
        CREATE VIEW kpiline_demo.computed AS
        SELECT metric_version, interaction_id, metric_type, round(metric_value::numeric * 1000) AS ms,
            CASE WHEN metric_type = 'adjusted_aht' THEN coalesce(metadata ->> 'reason', '') ELSE '' END AS reason
        FROM computed_metrics
        WHERE tenant = '$DEMO_TENANT' AND leg_scope = '' AND metric_value IS NOT NULL
            AND metric_type IN (SELECT metric_type FROM kpiline_demo.truth);" 2>/dev/null
    demo_truth_load
}

# demo_truth_load: of the events that are in events.jsonl now.
demo_truth_load() {
    "$(line_program platform-double)" truth "$DEMO_DIR/events.jsonl" --format csv >"$DEMO_DIR/truth.csv"
    sql "TRUNCATE kpiline_demo.truth_csv, kpiline_demo.truth"
    "$PSQL" -qX -v ON_ERROR_STOP=1 -d "$KPILINE_DATABASE_URL" \
        -c "\\copy kpiline_demo.truth_csv FROM '$DEMO_DIR/truth.csv' WITH (FORMAT csv, HEADER)"
    # Milliseconds, as whole numbers: equal or not, nothing in between. A metric that is absent is in neither side.
    sql "INSERT INTO kpiline_demo.truth
        SELECT interaction_id, v.metric_type, round(v.seconds * 1000),
            CASE WHEN v.metric_type = 'adjusted_aht' THEN coalesce(reason, '') ELSE '' END
        FROM kpiline_demo.truth_csv CROSS JOIN LATERAL (VALUES ('adjusted_aht', adjusted_aht), ('handle_time', handle_time),
            ('talk_time', talk_time), ('hold_time', hold_time), ('wrap_time', wrap_time), ('queue_wait', queue_wait))
            AS v (metric_type, seconds)
        WHERE v.seconds IS NOT NULL"
}

# demo_differences VERSION: rows that are missing, too many, or other than the truth.
demo_differences() {
    sql "SELECT count(*) FROM kpiline_demo.truth t
        FULL JOIN (SELECT * FROM kpiline_demo.computed WHERE metric_version = $1) c USING (interaction_id, metric_type)
        WHERE (t.ms, t.reason) IS DISTINCT FROM (c.ms, c.reason)"
}

# The changed rule leaves absent what the first counts as zero.
demo_differences_second() {
    sql "SELECT count(*) FROM (SELECT * FROM kpiline_demo.truth WHERE metric_type = 'adjusted_aht' AND reason = '') t
        FULL JOIN (SELECT * FROM kpiline_demo.computed WHERE metric_version = 2) c USING (interaction_id, metric_type)
        WHERE t.ms IS DISTINCT FROM c.ms"
}

demo_seen() { # the versions of the changed KPI that dashboards see
    sql "SELECT string_agg(DISTINCT metric_version::text, ',') FROM metrics_current WHERE metric_type = 'adjusted_aht' AND tenant = '$DEMO_TENANT'"
}

demo_excluded() { # an interaction that the rule excludes
    sql "SELECT min(interaction_id) FROM computed_metrics WHERE metric_type = 'adjusted_aht' AND metric_version = 2
        AND tenant = '$DEMO_TENANT' AND metadata ? 'reason'"
}

# Real shapes, made-up contents: for the organisation on CXone, and for one that has no target. --wait: until the line has worked
# off what the job published.
demo_import() {
    demo_job import tests/fixtures/genesys/conversation-details-page.json --format genesys-details \
        --tenant "$DEMO_TENANT-genesys-history" --subscription "$DEMO_TENANT-genesys-history"
    demo_job import tests/fixtures/cxone/call-detail-524.csv --format cxone-call-detail --zone America/Denver \
        --tenant "$DEMO_TENANT-cxone" --subscription "$DEMO_TENANT-cxone-history"
    demo_job import tests/fixtures/genesys/user-details-page.json --format genesys-user-details \
        --tenant "$DEMO_TENANT-genesys-history" --subscription "$DEMO_TENANT-genesys-agents"
}

# The whole log: a definition is for every organisation in the database, so that promoting asks for the rows of all of them. --mapping:
# the log keeps what came, and the mapped subscription's events are read through the file again.
demo_replay() {
    local from to
    IFS='|' read -r from to <<<"$(sql "SELECT to_char(min(occurred_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),
        to_char((max(occurred_at) + '1 second') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM event_log")"
    demo_job replay --from "$from" --to "$to" --metric-version 2 --mapping "$DEMO_MAPPING"
}

# What is switched on besides, so that there are windows of services levels, of agents' time and of journeys. Nothing has ended yet, so
# promoting asks for no replay.
DEMO_WINDOWS=(service_level_offered@1 occupancy@1 first_contact_resolution@1)
demo_windows_on() {
    "$(line_program compute)" kpi activate "${DEMO_WINDOWS[@]}"
    local definition
    for definition in "${DEMO_WINDOWS[@]}"; do "$(line_program compute)" kpi promote "$definition"; done
}

demo_marks() { # what is still to be computed for windows
    sql "SELECT count(*) FROM dirty_marks WHERE tenant LIKE '$DEMO_TENANT%'"
}

# Windows whose sums are not those of the metrics that they are made of: by the day, of the whole organisation and of all its queues.
demo_windows_differ() {
    sql "SELECT count(*) FROM (
            SELECT metric_type, count(*) AS items, sum(round(metric_value::numeric * 1000)) AS ms FROM computed_metrics
            WHERE tenant = '$DEMO_TENANT' AND metric_version = 1 AND leg_scope = '' AND metric_value IS NOT NULL
                AND metric_type IN ('adjusted_aht', 'handle_time', 'queue_wait') GROUP BY 1) m
        CROSS JOIN (VALUES ('', 'day'), ('', 'month'), ('queue', '30m'), ('queue', 'week'), ('agent', 'day')) AS g (group_by, size)
        LEFT JOIN (SELECT metric_type, group_by, size, sum(items) AS items, sum(numerator) AS ms FROM window_metrics
            WHERE tenant = '$DEMO_TENANT' AND metric_version = 1 GROUP BY 1, 2, 3) w USING (metric_type, group_by, size)
        WHERE (m.items, m.ms) IS DISTINCT FROM (w.items, w.ms)"
}

demo_job() { # its progress bar is for a terminal; else its log goes where the others are
    local log=/dev/stderr
    [ -t 2 ] || log=$LOG_DIR/backfill.log
    "$(line_program backfill)" "$@" --ops-listen 127.0.0.1:0 --wait --log-level warn >&2 2>>"$log" ||
        die "backfill $1 has failed; its log is $log"
}

# demo_timed WHAT CMD...: runs it and notes how long it took, for the report.
DEMO_TIMES=()
demo_timed() {
    local what=$1 began=$EPOCHREALTIME
    shift
    "$@"
    DEMO_TIMES+=("$(awk -v what="$what" -v from="$began" -v to="$EPOCHREALTIME" 'BEGIN { printf "  %-10s %8.1f s", what, to - from }')")
}

demo_counted() { # received so far, of the tenant's webhooks
    sql "SELECT coalesce(sum(received), 0) FROM ingest_counts WHERE tenant = '$DEMO_TENANT'"
}

demo_waiting() { # rows still to be pushed, whatever keeps them
    sql "SELECT count(*) FROM sync_queue WHERE target LIKE '$DEMO_TENANT-%'"
}

# Every bit of version 1: values, reasons, revisions and times of writing. Then what was pushed.
demo_fingerprint() {
    sql "SELECT count(*) || ' rows ' || coalesce(md5(string_agg(m::text, '' ORDER BY tenant, interaction_id, metric_type, leg_scope)), '')
        FROM computed_metrics m WHERE tenant LIKE '$DEMO_TENANT%' AND metric_version = 1"
}
demo_pushed() {
    sql "SELECT count(*) FROM metric_sync_log WHERE target LIKE '$DEMO_TENANT-%' AND fate <> 'snoozed'"
}

# watch_until WHAT FUNCTION WANT [ARG...]: calls FUNCTION until it prints WANT (`+N`: at least N), showing what it prints. Gives up when
# nothing has changed for a minute, which the report then says, or at once when a program of the line has ended.
watch_until() {
    local what=$1 function=$2 want=$3 seen='' now='' changed=$SECONDS name shown=''
    shift 3
    while :; do
        now=$("$function" "$@")
        if [ "$now" != "$seen" ]; then
            seen=$now
            changed=$SECONDS
        fi
        if [ -t 2 ]; then
            printf '\r   %s: %s   ' "$what" "$now" >&2
            shown=1
        fi
        case $want in
        +*) [ "$now" -lt "${want#+}" ] || break ;;
        *) [ "$now" != "$want" ] || break ;;
        esac
        for name in "${DEMO_RUNNING[@]}"; do
            line_running "$name" || die "$name has ended by itself; its log is $LOG_DIR/$name.log"
        done
        if [ $((SECONDS - changed)) -gt 60 ]; then
            demo_expect "$what comes to ${want#+}" '' "$now, and nothing has changed for a minute"
            break
        fi
        sleep 0.3
    done
    [ -z "$shown" ] || printf '\r' >&2
    say "   $what: $now"
}

# http_body PORT PATH: the body of a GET. HTTP/1.0, so that it comes in one piece and ends with the connection.
http_body() {
    local line
    exec 8<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&8
    while IFS= read -r -t 10 line <&8 && [ -n "${line%$'\r'}" ]; do :; done
    cat <&8
    exec 8>&-
}

# demo_expect WHAT CONDITION DETAIL: notes one check of the end.
DEMO_CHECKS=()
DEMO_BAD=0
demo_expect() {
    if [ "$2" = t ]; then
        DEMO_CHECKS+=("$(printf '  ok      %s' "$1")")
    else
        DEMO_CHECKS+=("$(printf '  DIFFERS %s%s' "$1" "${3:+: $3}")")
        DEMO_BAD=$((DEMO_BAD + 1))
    fi
}

# demo_platform_state: what the doubles hold and have seen, in tables to be asked like everything else.
demo_platform_state() {
    sql "DROP TABLE IF EXISTS kpiline_demo.held, kpiline_demo.state;
        CREATE TABLE kpiline_demo.held (target text, tenant text, interaction_id text, metric_type text, metric_version int, leg_scope text, ms numeric);
        CREATE TABLE kpiline_demo.state (target text, state jsonb)" 2>/dev/null
    local platform port
    for platform in genesys cxone; do
        port=$GENESYS_PORT
        [ "$platform" = genesys ] || port=$CXONE_PORT
        http_body "$port" /control/table >"$DEMO_DIR/$platform-table.json"
        http_body "$port" /control/state >"$DEMO_DIR/$platform-state.json"
        # psql reads the files itself: an argument could not be that long.
        "$PSQL" -qX -v ON_ERROR_STOP=1 -v target="$DEMO_TENANT-$platform" -d "$KPILINE_DATABASE_URL" <<SQL
\\set held \`cat '$DEMO_DIR/$platform-table.json'\`
\\set state \`cat '$DEMO_DIR/$platform-state.json'\`
INSERT INTO kpiline_demo.held
SELECT :'target', e -> 'key' ->> 'tenant', e -> 'key' ->> 'interaction', e -> 'key' ->> 'metric', (e -> 'key' ->> 'version')::int,
    e -> 'key' ->> 'scope', round((e -> 'cell' ->> 'value')::numeric * 1000)
FROM jsonb_array_elements(:'held'::jsonb) AS e;
INSERT INTO kpiline_demo.state VALUES (:'target', :'state'::jsonb);
SQL
    done
}

# demo_report: reads DEMO_BEFORE, DEMO_AGAIN and DEMO_AFTER (fingerprints of version 1 after the first sending, after the second
# and after the recomputation), DEMO_PUSHED and DEMO_PUSHED_AGAIN.
demo_report() {
    demo_platform_state
    step "Results"
    if [ -n "$PRIVATE_DATABASE" ]; then
        printf '\nThe changed rule before it was switched on: compute kpi preview %s\n' "$DEMO_CHANGED"
        cat "$DEMO_DIR/preview.txt"
        printf '\nWhy one interaction has no value: compute kpi explain\n'
        cat "$DEMO_DIR/explain.txt"
        printf '\nHow long changing the rule took (%s interactions)\n' "$(sql "SELECT count(*) FROM interactions")"
        printf '%s\n' "${DEMO_TIMES[@]}"
    fi
    sql_table "Metrics of the made-up calls, beside the truth (seconds)" "
        SELECT t.metric_type AS metric, count(*) AS truth_rows, round(sum(t.ms) / 1000, 3) AS truth_sum,
            count(a.ms) AS v1_rows, round(sum(a.ms) / 1000, 3) AS v1_sum, count(b.ms) AS v2_rows, round(sum(b.ms) / 1000, 3) AS v2_sum
        FROM kpiline_demo.truth t
        LEFT JOIN kpiline_demo.computed a ON a.metric_version = 1 AND (a.interaction_id, a.metric_type) = (t.interaction_id, t.metric_type)
        LEFT JOIN kpiline_demo.computed b ON b.metric_version = 2 AND (b.interaction_id, b.metric_type) = (t.interaction_id, t.metric_type)
        GROUP BY 1 ORDER BY 1"
    sql_table "Metrics of the imported and mapped records (seconds)" "
        SELECT tenant, metric_type AS metric, count(metric_value) AS rows, round(sum(metric_value)::numeric, 3) AS sum
        FROM computed_metrics WHERE tenant LIKE '$DEMO_TENANT-%' AND metric_version = 1 AND leg_scope = '' GROUP BY 1, 2 ORDER BY 1, 2"
    sql_table "Windows of the made-up calls: the service level of a queue, half hour by half hour" "
        SELECT window_start, items, numerator / scale AS within_20_s, denominator AS offered, round(value::numeric, 3) AS value, state
        FROM window_metrics_current WHERE tenant = '$DEMO_TENANT' AND metric_type = 'service_level_offered' AND group_by = 'queue'
            AND size = '30m' AND queue_id = (SELECT queue_id FROM window_metrics WHERE tenant = '$DEMO_TENANT' AND size = '30m'
                AND metric_type = 'service_level_offered' AND queue_id IS NOT NULL GROUP BY 1 ORDER BY sum(items) DESC, 1 LIMIT 1)
        ORDER BY window_start LIMIT 8"
    sql_table "The days of an agent on whose clock one has not 24 hours" "
        SELECT window_start, window_start AT TIME ZONE zone AS local_day, zone, zone_source,
            round(extract(epoch FROM window_end - window_start) / 3600, 1) AS hours, items, round(value::numeric, 3) AS mean_handle_time, maximum
        FROM window_metrics_current WHERE tenant = '$DEMO_TENANT' AND metric_type = 'handle_time' AND group_by = 'agent' AND size = 'day'
            AND agent_id = (SELECT min(agent_id) FROM window_metrics WHERE tenant = '$DEMO_TENANT' AND metric_type = 'handle_time'
                AND group_by = 'agent' AND size = 'day' AND window_end - window_start <> '24 hours')
        ORDER BY window_start"
    sql_table "Windows of journeys: who came back within seven days (the whole organisation)" "
        SELECT size, window_start, items, numerator / scale AS resolved, denominator AS first_contacts, round(value::numeric, 3) AS value, state
        FROM window_metrics_current WHERE tenant = '$DEMO_TENANT' AND metric_type = 'first_contact_resolution' AND group_by = ''
            AND size = 'month' ORDER BY window_start"
    sql_table "The imported time of an agent" "
        SELECT from_at, to_at, presence, routing, interacting, wrapping, logged_in FROM interval_states
        WHERE tenant = '$DEMO_TENANT-genesys-history' AND from_at < '2026-03-29 03:00Z' AND from_at >= '2026-03-28'
            AND agent_id = (SELECT max(agent_id) FROM interval_states WHERE tenant = '$DEMO_TENANT-genesys-history')
        ORDER BY from_at"
    sql_table "Events" "
        SELECT subscription, sum(received) AS received, sum(logged) AS logged, sum(duplicates) AS duplicates,
            sum(quarantined) AS quarantined, sum(ignored) AS ignored
        FROM ingest_counts WHERE tenant LIKE '$DEMO_TENANT%' GROUP BY 1 ORDER BY 1"
    sql_table "In quarantine, whole, until released or discarded" "
        SELECT subscription, reason, field, value, expected FROM quarantine WHERE tenant LIKE '$DEMO_TENANT%' ORDER BY quarantine_id"
    sql_table "Delivery, by fate of each pushed row" "
        SELECT target, fate, coalesce(status::text, '') AS status, count(*) AS rows, count(DISTINCT request_id) AS requests
        FROM metric_sync_log WHERE target LIKE '$DEMO_TENANT-%' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    sql_table "What the platforms saw" "
        SELECT target, state ->> 'pushes' AS pushes_by_status, state ->> 'rows_stored' AS rows_stored, state ->> 'keys' AS values_held,
            state ->> 'rows_max' AS most_rows_a_request, state ->> 'busiest_window' AS most_requests_a_second, state ->> 'violations' AS violations
        FROM kpiline_demo.state ORDER BY 1"

    local wrong
    wrong=$(demo_differences 1)
    demo_expect "every value and reason of version 1 is the truth's" "$([ "$wrong" = 0 ] && echo t)" "$wrong rows"
    if [ -n "$PRIVATE_DATABASE" ]; then
        wrong=$(demo_differences_second)
        demo_expect "every value of version 2 is the truth's, and what is excluded is absent" "$([ "$wrong" = 0 ] && echo t)" "$wrong rows"
        demo_expect "dashboards saw version 2 once it was promoted and version 1 after the rollback" \
            "$([ "$DEMO_PROMOTED $DEMO_ROLLED_BACK" = '2 1' ] && echo t)" "$DEMO_PROMOTED, then $DEMO_ROLLED_BACK"
    fi
    wrong=$(demo_windows_differ)
    demo_expect "the sums of windows are the sums of the metrics, in every size" "$([ "$wrong" = 0 ] && echo t)" "$wrong of 15"
    if [ -n "$PRIVATE_DATABASE" ]; then
        # By hand: 50 s and 24 s of talk, 6 s of hold, 12 s of wrap-up (as the platform's tAcw has it), later a call that the agent
        # made, 7.2 s until it was answered and 60 s of talk; on queue from 22:00 to 02:30 but for a break of 15 minutes, and 0.2 s in which the router knew of work that no leg has.
        demo_expect "the occupancy of an imported agent is the one worked out by hand" \
            "$(sql "SELECT coalesce(sum(numerator), 0) = 159200 AND coalesce(sum(denominator), 0) = 15367000 FROM window_metrics_current
                WHERE tenant = '$DEMO_TENANT-genesys-history' AND metric_type = 'occupancy' AND group_by = 'agent' AND size = 'day'
                    AND agent_id = 'eca9bad1-449e-48e4-b15c-e760f3e452f2' AND window_start < '2026-03-29 00:00Z'::timestamptz + interval '3 hours'
                    AND window_end > '2026-03-28'")" \
            "$(sql "SELECT coalesce(string_agg(window_start || ': ' || numerator || ' of ' || denominator, ', '), 'no window') FROM window_metrics_current
                WHERE tenant = '$DEMO_TENANT-genesys-history' AND metric_type = 'occupancy' AND group_by = 'agent' AND size = 'day'")"
    fi
    demo_expect "sent again in another order: no row was written again" "$([ "$DEMO_BEFORE" = "$DEMO_AGAIN" ] && echo t)" "$DEMO_BEFORE / $DEMO_AGAIN"
    demo_expect "sent again in another order: nothing was pushed again" "$([ "$DEMO_PUSHED" = "$DEMO_PUSHED_AGAIN" ] && echo t)" "$DEMO_PUSHED / $DEMO_PUSHED_AGAIN"
    demo_expect "version 2 came beside version 1, which has not changed by a bit" "$([ "$DEMO_AGAIN" = "$DEMO_AFTER" ] && echo t)" "$DEMO_AGAIN / $DEMO_AFTER"
    local counts
    counts=$(sql "SELECT sum(received) || ' received, ' || sum(logged) || ' logged, ' || sum(duplicates) || ' duplicates, '
        || sum(quarantined) || ' quarantined' FROM ingest_counts WHERE tenant = '$DEMO_TENANT'")
    demo_expect "each distinct event is in the log once ($STATEMENTS)" \
        "$(sql "SELECT sum(logged) = $STATEMENTS AND sum(received) = sum(logged) + sum(duplicates) AND sum(received) >= 2 * $EVENTS
            FROM ingest_counts WHERE tenant = '$DEMO_TENANT'")" "$counts"
    wrong=$(sql "SELECT count(*) FROM kpiline_demo.held h
        FULL JOIN (SELECT t.target, m.tenant, m.interaction_id, m.metric_type, m.metric_version, m.leg_scope, round(m.metric_value::numeric * 1000) AS ms
            FROM computed_metrics m JOIN sync_targets t ON t.tenant = m.tenant AND m.metric_type = ANY (t.metrics)
            WHERE t.target LIKE '$DEMO_TENANT-%' AND m.metric_version = 1 AND m.metric_value IS NOT NULL) m
        USING (target, tenant, interaction_id, metric_type, metric_version, leg_scope)
        WHERE h.ms IS DISTINCT FROM m.ms")
    demo_expect "each platform holds the last value of every metric it was promised, and none of another organisation" "$([ "$wrong" = 0 ] && echo t)" "$wrong values"
    demo_expect "the platforms' rules were kept (rows and requests at most, Retry-After, no value twice or out of order)" \
        "$(sql "SELECT bool_and(state ->> 'violations' = '{}') FROM kpiline_demo.state")" \
        "$(sql "SELECT string_agg(state ->> 'violations', ' ') FROM kpiline_demo.state")"
    demo_expect "quarantine holds the one unreadable row of the call-detail file, and nothing else" \
        "$(sql "SELECT count(*) = 1 AND bool_and(subscription = '$DEMO_TENANT-cxone-history') FROM quarantine WHERE tenant LIKE '$DEMO_TENANT%'")" \
        "see table quarantine"
    printf '\nChecks\n'
    printf '%s\n' "${DEMO_CHECKS[@]}"
    demo_where_next
    [ "$DEMO_BAD" -eq 0 ]
}

# What a person would look at, as far as it came: a demo that fails early has started less.
DEMO_SAID_WHERE=''
demo_where_next() {
    [ -z "$DEMO_SAID_WHERE" ] || return 0
    DEMO_SAID_WHERE=1
    printf '\nWhere to look next%s\n' "$([ -n "$KEEP" ] || echo ' (with --keep, which leaves it running)')"
    if [ -n "${PSQL:-}" ]; then
        if [ -n "$PRIVATE_DATABASE" ]; then
            printf '  psql     %s %s\n' "$PSQL" "'$KPILINE_DATABASE_URL'"
        else
            printf '  psql     on the database you named, tenants %s*\n' "$DEMO_TENANT"
        fi
        printf '           tables computed_metrics, interactions, interval_states, event_log, quarantine, sync_queue, metric_sync_log\n'
        printf '           views metrics_current, window_metrics_current, live_queues, live_agents, live_gauges, pipeline_health\n'
    fi
    [ -n "$PRIVATE_BROKER" ] || printf '  rabbitmq queues %s* stay on the server you named, empty\n' "$KPILINE_QUEUE_PREFIX"
    if [ -n "${DEMO_RUNNING:-}" ]; then
        printf '  page     http://127.0.0.1:%s/ with the token %s (the API is below /api/v1/)\n' "$PAGE_PORT" "$DEMO_TOKEN"
        printf '  webhooks http://127.0.0.1:%s/hooks/genesys (secret in %s)\n' "$HTTP_PORT" "$DEMO_DIR/subscriptions.toml"
        printf '  ingest   http://127.0.0.1:%s/metrics and /readyz\n' "$INGEST_PORT"
        printf '  compute  http://127.0.0.1:%s/metrics and /readyz\n' "$COMPUTE_PORT"
        printf '  deliver  http://127.0.0.1:%s/metrics and /readyz\n' "$DELIVER_PORT"
        printf '  platform http://127.0.0.1:%s and :%s, each /control/state, /control/table, /control/requests\n' "$GENESYS_PORT" "$CXONE_PORT"
    fi
    printf '  logs     %s\n' "$LOG_DIR"
    [ -z "$KEEP" ] || [ -z "${PSQL:-}" ] || demo_environment
    printf '\n'
}

# Lines for the reader's shell: with them `compute kpi list` and its like are about this demo.
demo_environment() {
    printf '\nFor your shell, so that the four programs are about this demo\n'
    printf "  export PATH=%q:\"\$PATH\"\n" "$(dirname -- "$(line_program compute)")"
    printf '  export KPILINE_DATABASE_URL=%q\n' "$KPILINE_DATABASE_URL"
    printf '  export KPILINE_AMQP_URL=%q\n' "$KPILINE_AMQP_URL"
    printf '  export KPILINE_QUEUE_PREFIX=%q KPILINE_CUSTOMER_KEY=%q\n' "$KPILINE_QUEUE_PREFIX" "${KPILINE_CUSTOMER_KEY:-}"
    printf '  export KPILINE_MAPPINGS=%q\n' "$DEMO_MAPPING"
    [ -z "${KPILINE_SUBSCRIPTIONS:-}" ] || printf '  export KPILINE_SUBSCRIPTIONS=%q KPILINE_TARGETS=%q\n' "$KPILINE_SUBSCRIPTIONS" "$KPILINE_TARGETS"
}
