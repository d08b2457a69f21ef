# shellcheck shell=bash
# The bench of a storm: everything ten times more, mixed anew, with fresh events among it. Sourced by bench.sh after the files above.

# storm_split FILE OLD: events of the first OLD interactions to old.jsonl, the others to fresh.jsonl; calls are numbered from 0.
storm_split() {
    awk -v old="$2" -v a="$BENCH_DIR/old.jsonl" -v b="$BENCH_DIR/fresh.jsonl" '
        match($0, /"int_[0-9]+"/) { number = substr($0, RSTART + 5, RLENGTH - 6) + 0; print > (number < old ? a : b) }' "$1"
}

# storm_memory: resident memory of each program, in MB, and the most it ever was.
storm_memory() {
    local name pid
    for name in ingest compute; do
        pid=$(proc_alive "$RUN_DIR/line-$name.pid") || continue
        awk -v name="$name" '/^VmRSS/ { now = $2 } /^VmHWM/ { most = $2 } END { printf "%s %d MB (at most %d MB)  ", name, now / 1024, most / 1024 }' "/proc/$pid/status"
    done
}

storm_old() { # metric rows of the first part
    sql "SELECT count(*) || ' rows ' || coalesce(md5(string_agg(m::text, '' ORDER BY interaction_id, metric_type, leg_scope)), '')
        FROM computed_metrics m JOIN kpiline_demo.old USING (interaction_id)"
}

# storm_run OLD FRESH TIMES
storm_run() {
    local old=$1 fresh=$2 times=$3 file=$DEMO_DIR/events.jsonl began rows took fresh_rate now sent emitter i
    events $((old + fresh))
    storm_split "$file" "$old"
    local old_events fresh_events
    old_events=$(wc -l <"$BENCH_DIR/old.jsonl") fresh_events=$(wc -l <"$BENCH_DIR/fresh.jsonl")
    bench_database
    cp "$file" "$BENCH_DIR/all.jsonl"
    cp "$BENCH_DIR/old.jsonl" "$file"
    demo_truth
    sql "CREATE TABLE kpiline_demo.old AS SELECT DISTINCT interaction_id FROM kpiline_demo.truth_csv"
    bench_line
    local emit=("$(line_program platform-double)" emit --url "http://127.0.0.1:$HTTP_PORT/hooks/genesys" --secret "$DEMO_SECRET" --retry)
    say "$old_events fresh events, 100 a POST"
    began=$EPOCHREALTIME
    "${emit[@]}" "$file" --per-post 100 --connections 8 >"$BENCH_DIR/emit.json"
    watch_until "events received" demo_counted "+$old_events"
    watch_until "rows unlike the truth" demo_differences 0 1
    took=$(sql "SELECT extract(epoch FROM max(updated_at)) - $began FROM computed_metrics")
    fresh_rate=$(awk -v n="$old_events" -v t="$took" 'BEGIN { printf "%d", n / t }')
    watch_until "marks" windows_waiting 0
    rows=$(storm_old)
    printf 'fresh: %s events, HTTP to metric row %s events/s; memory: %s\n' "$old_events" "$fresh_rate" "$(storm_memory)"

    : >"$BENCH_DIR/storm.jsonl"
    for ((i = 0; i < times; i++)); do cat "$BENCH_DIR/old.jsonl" >>"$BENCH_DIR/storm.jsonl"; done
    cp "$BENCH_DIR/all.jsonl" "$file"
    demo_truth_load
    sent=$((old_events * times))
    say "$sent of them again in other bodies, $fresh_events fresh events among them"
    {
        "${emit[@]}" "$BENCH_DIR/storm.jsonl" --per-post 100 --connections 8 --shuffle-seed 7 >"$BENCH_DIR/storm.json"
        printf '%s' "$EPOCHREALTIME" >"$BENCH_DIR/storm.end"
    } &
    emitter=$!
    wait_until 120 "the storm to begin" storm_began "$old_events"
    "${emit[@]}" "$BENCH_DIR/fresh.jsonl" --connections 8 --rate $((fresh_events / 8 + 1)) >"$BENCH_DIR/emit.json"
    wait "$emitter"
    watch_until "events received" demo_counted "+$((old_events + sent + fresh_events))"
    watch_until "rows unlike the truth" demo_differences 0 1
    # From the storm's first body, which its sender knows, to the last message that normalise decided, which the store knows.
    took=$(sql "SELECT extract(epoch FROM max(committed_at)) - ($(<"$BENCH_DIR/storm.end") - ('$(head -n 1 "$BENCH_DIR/storm.json")'::jsonb ->> 'seconds')::numeric)
        FROM raw_messages")
    now=$(storm_old)
    sql "SELECT format('storm: %s redelivered and %s fresh events in %s s = %s events/s, %s times the fresh rate: %s', $sent, $fresh_events, round($took, 2),
            round(($sent + $fresh_events) / $took), round(($sent + $fresh_events) / $took / $fresh_rate, 2),
            CASE WHEN ($sent + $fresh_events) / $took >= 3 * $fresh_rate THEN 'within the aim of 3' ELSE 'BEYOND THE AIM OF 3' END)"
    printf 'memory: %s\n' "$(storm_memory)"
    sql "SELECT format('copies of subscription %s: %s of %s received, %s revisions', subscription, sum(duplicates), sum(received), sum(revisions))
        FROM redeliveries GROUP BY subscription"
    sql "SELECT format('fresh events among them, last event received to metric row, %s interactions: p50 %s s, p99 %s s, longest %s s: %s', count(*),
            round(percentile_disc(0.5) WITHIN GROUP (ORDER BY took), 2), round(percentile_disc(0.99) WITHIN GROUP (ORDER BY took), 2), round(max(took), 2),
            CASE WHEN percentile_disc(0.99) WITHIN GROUP (ORDER BY took) < 5 THEN 'within the limit of 5 s' ELSE 'BEYOND THE LIMIT OF 5 s' END)
        FROM (SELECT extract(epoch FROM max(m.updated_at)) - extract(epoch FROM l.received) AS took
            FROM computed_metrics m JOIN (SELECT interaction_id, max(received_at) AS received FROM event_log GROUP BY 1) l USING (interaction_id)
            WHERE NOT EXISTS (SELECT FROM kpiline_demo.old o WHERE o.interaction_id = m.interaction_id) GROUP BY m.interaction_id, l.received) t"
    demo_expect "no row of before was written again" "$([ "$rows" = "$now" ] && echo t)" "$now, before $rows"
    line_stop
    printf '%s\n' "${DEMO_CHECKS[@]}"
}

storm_began() { [ "$(demo_counted)" -gt "$1" ]; }
