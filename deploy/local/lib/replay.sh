# shellcheck shell=bash
# The bench of a replay: a log of many events, computed once more under another version, beside the way the events came in. Sourced by
# bench.sh after the files above.

REPLAY_DEFINITIONS=$KPILINE_LOCAL_DIR/bench/second

# replay_second: the definitions that are in use from the beginning, word for word, as second versions.
replay_second() {
    local name
    rm -rf "$REPLAY_DEFINITIONS"
    mkdir -p "$REPLAY_DEFINITIONS"
    for name in adjusted_aht handle_time talk_time hold_time wrap_time queue_wait; do
        sed -E 's/^version = 1$/version = 2/' "crates/kpi/catalogue/$name.toml" >"$REPLAY_DEFINITIONS/$name.toml"
    done
    "$(line_program compute)" kpi activate "$REPLAY_DEFINITIONS"/*.toml >/dev/null 2>>"$LOG_DIR/migrate.log"
}

# replay_rows VERSION: its rows, whatever their order.
replay_rows() {
    sql "SELECT count(*) || ' rows ' || coalesce(sum(hashtextextended(m::text, 0)), 0) FROM computed_metrics m WHERE metric_version = $1"
}

# replay_cpu NAME: seconds of a core that a program of ours has used.
replay_cpu() {
    local pid
    pid=$(proc_alive "$RUN_DIR/line-$1.pid") || return 0
    awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.1f", ($12 + $13) / tick }' "/proc/$pid/stat"
}

# replay_until VERSION INTERACTIONS FUNCTION: until so many have rows of the version and FUNCTION holds. Looks seldom: it costs what is measured.
replay_until() {
    local version=$1 wanted=$2 holds=$3 seen=-1 now=0 changed=$SECONDS
    while :; do
        now=$(sql "SELECT count(DISTINCT interaction_id) FROM computed_metrics WHERE metric_version = $version AND metric_type = 'talk_time'")
        if [ "$now" -ge "$wanted" ] && "$holds"; then break; fi
        if [ "$now" != "$seen" ]; then
            seen=$now
            changed=$SECONDS
        fi
        [ $((SECONDS - changed)) -le 90 ] || die "$now of $wanted interactions have rows of version $version, and nothing has changed for a while"
        sleep 2
    done
}
replay_holds() { :; }
replay_received() { [ "$(demo_counted)" -ge "$EVENTS" ]; }

# replay_run INTERACTIONS: leaves the rate in REPLAY_RATE and that of the way in in REPLAY_HTTP_RATE.
replay_run() {
    local file=$DEMO_DIR/events.jsonl began ended wanted before cpu replayed summary=$BENCH_DIR/replay.json
    events "$1"
    bench_database
    demo_truth
    wanted=$(sql "SELECT count(*) FROM kpiline_demo.truth WHERE metric_type = 'talk_time'")
    bench_line
    say "$EVENTS events come in, 100 a POST, and are logged"
    began=$EPOCHREALTIME
    "$(line_program platform-double)" emit "$file" --url "http://127.0.0.1:$HTTP_PORT/hooks/genesys" --secret "$DEMO_SECRET" --retry \
        --per-post 100 --connections 8 >"$BENCH_DIR/emit.json"
    replay_until 1 "$wanted" replay_received
    watch_until "rows unlike the truth" demo_differences 0 1
    watch_until "marks" windows_waiting 0
    # shellcheck disable=SC2034 # bench.sh prints it
    REPLAY_HTTP_RATE=$(sql "SELECT round($EVENTS / (extract(epoch FROM max(updated_at)) - $began)) FROM computed_metrics")
    line_stop

    replay_second
    sql "ANALYZE"
    before=$(replay_rows 1)
    DEMO_RUNNING=(compute)
    line_start compute compute serve --ops-listen "127.0.0.1:$COMPUTE_PORT" --log-level warn
    line_wait_ready compute "$COMPUTE_PORT"
    say "the log is replayed"
    began=$EPOCHREALTIME
    "$(line_program backfill)" replay --from 2000-01-01T00:00:00Z --to 2100-01-01T00:00:00Z --metric-version 2 --output json \
        --log-level warn >"$summary"
    ended=$EPOCHREALTIME
    replay_until 2 "$wanted" replay_holds
    cpu=$(replay_cpu compute)
    # Fewer than came in: copies are logged once.
    replayed=$(sql "SELECT '$(head -n 1 "$summary")'::jsonb ->> 'events'")
    watch_until "rows unlike the truth" demo_differences 0 2
    REPLAY_RATE=$(sql "SELECT round($replayed / (extract(epoch FROM max(updated_at)) - $began)) FROM computed_metrics WHERE metric_version = 2")
    sql "SELECT format('replay: %s events in %s s = %s events/s, until the last row is written; all published after %s s (%s facts); compute used %s s of a core',
            $replayed, round(max(extract(epoch FROM updated_at)) - $began, 2), $REPLAY_RATE, round($ended - $began, 2),
            '$(head -n 1 "$summary")'::jsonb ->> 'facts', '$cpu')
        FROM computed_metrics WHERE metric_version = 2"
    watch_until "marks" windows_waiting 0
    sql "SELECT format('replay to window row: the last %s s after its beginning', round(extract(epoch FROM max(computed_at)) - $began, 2)) FROM window_metrics"
    demo_expect "no row of version 1 is another" "$([ "$before" = "$(replay_rows 1)" ] && echo t)" "$before before"
    line_stop
    printf '%s\n' "${DEMO_CHECKS[@]}"
    # shellcheck disable=SC2034 # demo.sh looks after them
    DEMO_RUNNING=(ingest compute)
}
