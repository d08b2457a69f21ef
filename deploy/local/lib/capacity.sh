# shellcheck shell=bash
# What the line costs at a fixed rate, and whether the model of deploy/capacity foresees it. Sourced by bench.sh after the files above.
#
# Each stage is a process of its own, and windows are kept by a compute that does nothing else, so that /proc tells them apart.

CAPACITY_DIR=$KPILINE_ROOT/deploy/capacity
CAPACITY_SECONDS=${KPILINE_CAPACITY_SECONDS:-60}
CAPACITY_RATES=${KPILINE_CAPACITY_RATES:-500 1000 2000 4000}
# More definitions of interactions, with windows, for what one costs.
CAPACITY_MORE=(handled@1 offered@1 abandoned@1 short_abandoned@1 transferred@1 held@1 longest_hold@1 speed_of_answer@1 service_level_offered@1 contact_duration@1)

capacity_python() { "${KPILINE_PYTHON:-python3}" "$@"; }

# capacity_configure: a platform without faults and with a limit that nobody meets.
capacity_configure() {
    printf '{ "clients": [{ "id": "demo", "secret": "%s" }], "limit": { "requests": 100000, "window_ms": 1000 } }\n' "$DEMO_SECRET" \
        >"$DEMO_DIR/platform.json"
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
requests = 200
period = "1s"
CONF
    chmod 0600 "$DEMO_DIR"/*.toml "$DEMO_DIR"/*.json
}

# capacity_windows_url: the same database for a role of its own, by which PostgreSQL's processes are told apart.
capacity_windows_url() {
    postgres_state
    sql "DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ''kpiline_windows'') THEN CREATE ROLE kpiline_windows SUPERUSER LOGIN; END IF; END'"
    sql "ALTER ROLE kpiline_windows PASSWORD '$PG_PASSWORD'"
    printf 'postgres://kpiline_windows:%s@127.0.0.1:%s/kpiline_bench' "$PG_PASSWORD" "$PG_PORT"
}

# capacity_line TARGETS: the five processes; TARGETS 0: nothing is pushed.
capacity_line() {
    local windows_url
    windows_url=$(capacity_windows_url)
    DEMO_RUNNING=(receive normalise compute windows)
    if [ "$1" -gt 0 ]; then
        DEMO_RUNNING+=(platform-genesys deliver)
        line_start platform-genesys platform-double serve --config "$DEMO_DIR/platform.json" --listen "127.0.0.1:$GENESYS_PORT"
        line_wait_ready platform-genesys "$GENESYS_PORT" /control/state
        line_start deliver deliver serve --ops-listen "127.0.0.1:$DELIVER_PORT" --log-level warn
        line_wait_ready deliver "$DELIVER_PORT"
    fi
    line_start receive ingest receive --http-listen "127.0.0.1:$HTTP_PORT" --ops-listen "127.0.0.1:$INGEST_PORT" --log-level warn
    line_start normalise ingest normalise --ops-listen "127.0.0.1:$NORMALISE_PORT" --log-level warn
    line_start compute compute serve --windows false --ops-listen "127.0.0.1:$COMPUTE_PORT" --log-level warn
    KPILINE_DATABASE_URL=$windows_url line_start windows compute serve --workers 0 --history-workers 1 \
        --ops-listen "127.0.0.1:$WINDOWS_PORT" --log-level warn
    line_wait_ready receive "$INGEST_PORT"
    line_wait_ready normalise "$NORMALISE_PORT"
    line_wait_ready compute "$COMPUTE_PORT"
    line_wait_ready windows "$WINDOWS_PORT"
}

# capacity_folded: facts that compute has folded. Of its own metrics, because looking into the database would be work of what is measured.
capacity_folded() { http_body "$COMPUTE_PORT" /metrics | awk '$1 == "kpiline_compute_events_total" { n = $2 } END { printf "%d", n }'; }

# capacity_note FILE [ARG...]: everything that meter.py looks at, now.
capacity_note() {
    local file=$1 name process=()
    shift
    rabbitmq_ctl --quiet eval 'Sum = fun(Name) -> lists:sum([maps:get(Name, Value, 0) || Value <- maps:values(rabbit_global_counters:overview())]) end,
        Ports = [element(2, inet:getstat(Port, [recv_oct, send_oct])) || Port <- erlang:ports(), erlang:port_info(Port, name) == {name, "tcp_inet"},
            element(1, inet:getstat(Port, [recv_oct, send_oct])) == ok],
        Octets = fun(Name) -> lists:sum([proplists:get_value(Name, Port, 0) || Port <- Ports]) end,
        io_lib:format("~b ~b ~b ~b", [Sum(messages_received_total), Sum(messages_delivered_total), Octets(recv_oct), Octets(send_oct)]).' \
        >"$BENCH_DIR/broker.txt"
    for name in "${DEMO_RUNNING[@]}"; do
        [ "$name" = platform-genesys ] || process+=(--process "$name=$(proc_alive "$RUN_DIR/line-$name.pid")")
    done
    [[ " ${DEMO_RUNNING[*]} " != *' deliver '* ]] || process+=(--ops "deliver=$DELIVER_PORT")
    PSQL=$PSQL capacity_python "$CAPACITY_DIR/meter.py" note "$file" "${process[@]}" --ops "receive=$INGEST_PORT" --ops "normalise=$NORMALISE_PORT" \
        --ops "compute=$COMPUTE_PORT" --ops "windows=$WINDOWS_PORT" --postgres "$(postgres_pid)" --broker "$(rabbitmq_pid)" \
        --said "$BENCH_DIR/broker.txt" "$@"
}

# capacity_run NAME RATE [per_post=N] [per_call=N] [before=SECONDS] [more=1] [targets=0] [seed=N]: prints one [[run]].
capacity_run() {
    local name=$1 rate=$2 per_post=1 per_call=5.3 before=0 more=0 targets=1 seed=7 word sent during posts=0 emit told
    shift 2
    for word in "$@"; do
        case ${word%%=*} in
        per_post | per_call | before | more | targets | seed) printf -v "${word%%=*}" '%s' "${word#*=}" ;;
        *) die "unknown setting $word" ;;
        esac
    done
    told="deploy/local/bench.sh $WHAT: $rate events/s for $CAPACITY_SECONDS s${*:+, $*}"
    say "$told"
    bench_database
    [ "$more" = 0 ] || "$(line_program compute)" kpi activate "${CAPACITY_MORE[@]}" >/dev/null 2>>"$LOG_DIR/migrate.log"
    capacity_line "$targets"
    emit=("$(line_program platform-double)" emit --url "http://127.0.0.1:$HTTP_PORT/hooks/genesys" --secret "$DEMO_SECRET" --retry)
    sent=0 during=0
    if [ "$rate" -gt 0 ]; then
        # What comes before takes some time to be sent; all instants are of about now all the same.
        capacity_python "$CAPACITY_DIR/load.py" "$BENCH_DIR/before.jsonl" "$BENCH_DIR/during.jsonl" --rate "$rate" --seconds "$CAPACITY_SECONDS" \
            --events-per-call "$per_call" --before-seconds "$before" --seed "$seed" >&2
        "${emit[@]}" "$BENCH_DIR/before.jsonl" --per-post 100 --connections 8 >"$BENCH_DIR/emit.json"
        sent=$(wc -l <"$BENCH_DIR/before.jsonl") during=$(wc -l <"$BENCH_DIR/during.jsonl")
        watch_until "facts folded beforehand" capacity_folded "+$sent" >/dev/null
        watch_until "marks" windows_waiting 0 >/dev/null
    fi
    # No checkpoint: whole pages after it would be most of what a run of a minute writes to the WAL.
    sql "ANALYZE"
    capacity_note "$BENCH_DIR/noted-before.json" --first
    if [ "$rate" -gt 0 ]; then
        "${emit[@]}" "$BENCH_DIR/during.jsonl" --per-post "$per_post" --connections 128 \
            --rate "$(awk -v r="$rate" -v p="$per_post" 'BEGIN { print r / p }')" >"$BENCH_DIR/emit.json"
        posts=$(sed -E 's/.*"posts":([0-9]+).*/\1/' "$BENCH_DIR/emit.json")
        watch_until "facts folded" capacity_folded "+$((sent + during))" >/dev/null
        sleep 2 # the last round of windows, and what is pushed
    else
        sleep "$CAPACITY_SECONDS"
    fi
    capacity_note "$BENCH_DIR/noted-after.json"
    line_stop
    capacity_python "$CAPACITY_DIR/meter.py" run "$BENCH_DIR/noted-before.json" "$BENCH_DIR/noted-after.json" --name "$name" --command "$told" \
        --rate "$rate" --posts "$posts" --kpis $((more ? 6 + ${#CAPACITY_MORE[@]} : 6)) --targets $((targets ? 2 : 0))
}

capacity_servers() {
    ensure_tools python
    servers
    NORMALISE_PORT=$(free_port) WINDOWS_PORT=$(free_port) DELIVER_PORT=$(free_port 9104)
    capacity_configure
}

# capacity_costs: the runs that the model goes by, as they stand in costs.toml.
capacity_costs() {
    step "What the line costs, $CAPACITY_SECONDS s a run"
    capacity_servers
    {
        capacity_run idle 0
        capacity_run slow 250
        capacity_run half 500
        capacity_run one 1000
        capacity_run two 2000
        capacity_run batches 1000 per_post=20
        capacity_run long-calls 1000 per_call=20
        capacity_run more-kpis 1000 more=1
        capacity_run no-target 1000 targets=0
        capacity_run full-quarter 500 before=700
    } | tee "$BENCH_DIR/costs.toml"
    say "the runs are in $BENCH_DIR/costs.toml; what the model goes by is deploy/capacity/costs.toml"
}

# capacity_check: other calls than the model was made of, at the rates of KPILINE_CAPACITY_RATES; predicted beside measured.
capacity_check() {
    local rate
    step "Predicted beside measured, $CAPACITY_SECONDS s a rate"
    capacity_servers
    for rate in $CAPACITY_RATES; do
        capacity_run "check-$rate" "$rate" seed="$((rate + 1))"
    done >"$BENCH_DIR/checked.toml"
    capacity_python "$CAPACITY_DIR/model.py" check "$BENCH_DIR/checked.toml"
}
