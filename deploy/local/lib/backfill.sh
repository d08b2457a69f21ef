# shellcheck shell=bash
# The bench of backfill: how long the history of a platform takes beside the least its limit allows, and what live work notices of it.
# Sourced by bench.sh after the files above.

# backfill_platform LIMIT HISTORY: a platform that allows LIMIT requests a minute and has this past (JSON), and the file that names it.
backfill_platform() {
    local limit=$1 history=$2
    cat >"$DEMO_DIR/platforms.toml" <<CONF
version = 1

[[platform]]
name = "bench"
tenant = "$DEMO_TENANT"
platform = "genesys"
base_url = "http://127.0.0.1:$GENESYS_PORT"
[platform.credentials]
token_url = "http://127.0.0.1:$GENESYS_PORT/oauth/token"
client_id = "demo"
client_secret = "$DEMO_SECRET"
[platform.rate]
requests = $limit
period = "1m"
CONF
    cat >"$DEMO_DIR/history-platform.json" <<CONF
{ "clients": [{ "id": "demo", "secret": "$DEMO_SECRET" }], "limit": { "requests": $limit, "window_ms": 60000 } }
CONF
    printf '%s\n' "$history" >"$DEMO_DIR/history.json"
    chmod 0600 "$DEMO_DIR"/*.toml "$DEMO_DIR"/*.json
    line_start platform-genesys platform-double serve --listen "127.0.0.1:$GENESYS_PORT" --config "$DEMO_DIR/history-platform.json" \
        --history "$DEMO_DIR/history.json"
    line_wait_ready platform-genesys "$GENESYS_PORT" /control/state
    export KPILINE_PLATFORMS=$DEMO_DIR/platforms.toml
}

# backfill_begin FROM TO: a job over that time, and two workers.
backfill_begin() {
    local number
    "$(line_program backfill)" start genesys-conversations --platform bench --from "$1" --to "$2" --metric-version 1 --promote never \
        >"$BENCH_DIR/job.json" 2>>"$LOG_DIR/backfill.log"
    for number in 1 2; do
        line_start "backfill-$number" backfill worker --lanes 2 --ops-listen 127.0.0.1:0 --log-level warn
    done
}

backfill_end() {
    local name
    for name in backfill-1 backfill-2 platform-genesys; do proc_stop "$RUN_DIR/line-$name.pid" 30; done
}

backfill_loaded() { # conversations of the past that have metrics
    sql "SELECT count(DISTINCT interaction_id) FROM computed_metrics WHERE tenant = '$DEMO_TENANT' AND interaction_id NOT LIKE 'int!_%' ESCAPE '!'"
}

# backfill_live RATE [HISTORY]: live events at that rate, beside a backfill of HISTORY where it is given. Leaves the p99 of freshness, in
# seconds, in FRESH_P99 and a fingerprint of the live rows in LIVE_ROWS.
backfill_live() {
    local rate=$1 history=${2:-} loaded=0
    bench_database
    demo_truth
    bench_line
    if [ -n "$history" ]; then
        backfill_platform 60000 "$history"
        backfill_begin 2025-01-06T00:00:00Z 2025-04-06T00:00:00Z
        wait_until 120 "the backfill to begin" backfill_began
    fi
    "$(line_program platform-double)" emit "$DEMO_DIR/events.jsonl" --url "http://127.0.0.1:$HTTP_PORT/hooks/genesys" --secret "$DEMO_SECRET" \
        --retry --connections 64 --rate "$rate" >"$BENCH_DIR/emit.json"
    [ -z "$history" ] || loaded=$(backfill_loaded)
    watch_until "events received" backfill_live_received "+$EVENTS"
    watch_until "live rows unlike the truth" backfill_live_differences 0
    [ -z "$history" ] || backfill_end
    FRESH_P99=$(sql "SELECT round(percentile_disc(0.99) WITHIN GROUP (ORDER BY took), 3)
        FROM (SELECT extract(epoch FROM max(m.updated_at) - l.received) AS took
            FROM computed_metrics m JOIN (SELECT interaction_id, max(received_at) AS received FROM event_log
                WHERE interaction_id LIKE 'int!_%' ESCAPE '!' GROUP BY 1) l USING (interaction_id) GROUP BY m.interaction_id, l.received) t")
    LIVE_ROWS=$(sql "SELECT count(*) || ' rows ' || md5(string_agg(concat_ws('|', interaction_id, metric_type, leg_scope, metric_value, metadata,
            agent_id, queue_id, timestamp_utc), '' ORDER BY interaction_id, metric_type, leg_scope))
        FROM computed_metrics WHERE interaction_id LIKE 'int!_%' ESCAPE '!' AND metric_version = 1")
    say "   p99 $FRESH_P99 s${history:+, beside $loaded conversations of the past}"
    line_stop
}

backfill_began() { [ "$(backfill_loaded)" -gt 0 ]; }
backfill_live_received() {
    sql "SELECT coalesce(sum(received), 0) FROM ingest_counts WHERE subscription = '$DEMO_TENANT-genesys'"
}
backfill_live_differences() {
    sql "SELECT count(*) FROM kpiline_demo.truth t
        FULL JOIN (SELECT * FROM kpiline_demo.computed WHERE metric_version = 1 AND interaction_id LIKE 'int!_%' ESCAPE '!') c
            USING (interaction_id, metric_type)
        WHERE (t.ms, t.reason) IS DISTINCT FROM (c.ms, c.reason)"
}

# backfill_beside: freshness of live rows at half of what the line can take, alone and beside a backfill, in turns.
backfill_beside() {
    local turn rate alone=() beside=() rows
    http_run 1 64
    rate=$((HTTP_RATE / 2))
    step "Live work at $rate events/s, alone and beside a backfill"
    for turn in 1 2 3; do
        say "turn $turn, alone"
        backfill_live "$rate"
        alone+=("$FRESH_P99") rows=$LIVE_ROWS
        say "turn $turn, beside a backfill"
        backfill_live "$rate" '{ "days": 90, "conversations": 500000, "seed": 7 }'
        beside+=("$FRESH_P99")
        demo_expect "turn $turn: the live rows are the same to the bit" "$([ "$rows" = "$LIVE_ROWS" ] && echo t)" "$LIVE_ROWS, alone $rows"
    done
    awk -v alone="$(median "${alone[@]}")" -v beside="$(median "${beside[@]}")" 'BEGIN {
        printf "live freshness, p99: %.3f s alone, %.3f s beside a backfill: %.2f times, %s\n", alone, beside, beside / alone,
            beside <= 1.5 * alone ? "within the limit of 1.5" : "BEYOND THE LIMIT OF 1.5" }'
    printf '%s\n' "${DEMO_CHECKS[@]}"
}
