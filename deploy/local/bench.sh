#!/usr/bin/env bash
# How fast it is on this machine, with release builds. The sender, both servers and the programs share its cores.
#
#   deploy/local/bench.sh [engine|http|windows|month|storm|replay|backfill|costs|capacity|all] [--interactions N]
#
#   engine            a file of events to metrics, no services: `compute replay-file`, five runs of 100000 interactions, with one rule and
#                     with the whole catalogue, whose times may be one to three; then what an evaluation costs, of one's own too
#   http              signed webhooks to metric rows on private servers, one event a POST, then 100 a POST (20000 interactions)
#   windows           what windows cost the line (with and without them in turns, 20000 interactions), how fresh they are at a quarter of
#                     the rate, and whether four writers are in each other's way
#   month             every window of a month of 1000000 interactions and 2000 agents beside one SQL statement
#   storm             everything ten times more, in other bodies and orders, with fresh events among it (19000 interactions and 500 fresh ones)
#   replay            a log of 1000000 events computed once more under another version, beside signed webhooks to metric rows, one event a
#                     POST (20000 interactions) and 100 a POST (the same 1000000); KPILINE_BENCH_REPLAY_INTERACTIONS makes it smaller
#   backfill          live events at half of what the line can take, alone and beside a backfill of 500000 conversations, in turns
#                     (20000 interactions)
#   costs             what each stage, PostgreSQL and the broker take per event, in ten runs at fixed rates (not in `all`): what deploy/capacity
#                     reckons with
#   capacity          the line at KPILINE_CAPACITY_RATES (500 1000 2000 4000) events/s for KPILINE_CAPACITY_SECONDS (60) each, beside what
#                     deploy/capacity/model.py says of that (not in `all`)
#   --interactions N  other sizes than these
#
# The events come from the peers' generator where python3 and ../shared (or $KPILINE_SHARED) are, else from the platform double.

set -euo pipefail
LIB=$(dirname -- "${BASH_SOURCE[0]}")/lib
# shellcheck source=lib/common.sh
. "$LIB/common.sh"
# shellcheck source=lib/packages.sh
. "$LIB/packages.sh"
# shellcheck source=lib/tls.sh
. "$LIB/tls.sh"
# shellcheck source=lib/postgres.sh
. "$LIB/postgres.sh"
# shellcheck source=lib/rabbitmq.sh
. "$LIB/rabbitmq.sh"
# shellcheck source=lib/line.sh
. "$LIB/line.sh"
# shellcheck source=lib/lease.sh
. "$LIB/lease.sh"
# shellcheck source=lib/demo.sh
. "$LIB/demo.sh"
# shellcheck source=lib/windows.sh
. "$LIB/windows.sh"
# shellcheck source=lib/storm.sh
. "$LIB/storm.sh"
# shellcheck source=lib/replay.sh
. "$LIB/replay.sh"
# shellcheck source=lib/backfill.sh
. "$LIB/backfill.sh"
# shellcheck source=lib/capacity.sh
. "$LIB/capacity.sh"

WHAT=all INTERACTIONS=''
while [ $# -gt 0 ]; do
    case $1 in
    engine | http | windows | month | storm | replay | backfill | costs | capacity | all) WHAT=$1 ;;
    --interactions)
        INTERACTIONS=${2:-}
        [[ $INTERACTIONS =~ ^[1-9][0-9]{0,6}$ ]] || die "--interactions takes a number"
        shift
        ;;
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    *) die "unknown argument '$1'; see --help" ;;
    esac
    shift
done
cd "$KPILINE_ROOT"
LINE_PROFILE=release
BENCH_DIR=$KPILINE_LOCAL_DIR/bench
PEERS=${KPILINE_SHARED:-../shared}/peers
mkdir -p "$BENCH_DIR"

finish() {
    local status=$?
    trap '' INT TERM HUP
    line_stop
    services_release
    if [ "$status" -eq 0 ]; then say "bench: done in $(elapsed)"; else say "bench: FAILED (exit $status) after $(elapsed)"; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# events_of N: the name of a file with the events of N interactions, made once.
events_of() {
    local maker=double file
    if command -v python3 >/dev/null 2>&1 && [ -r "$PEERS/generate.py" ]; then maker=peers; fi
    file=$BENCH_DIR/$maker-$1-7.jsonl
    if [ ! -s "$file" ]; then
        if [ "$maker" = peers ]; then
            python3 "$PEERS/generate.py" "$1" 7 >"$file.new"
        else
            "$(line_program platform-double)" generate "$1" 7 >"$file.new"
        fi
        mv "$file.new" "$file"
    fi
    printf '%s' "$file"
}

seconds_since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.3f", to - from }'; }

median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

# timed_runs COUNT CMD...: the median of the wall times.
timed_runs() {
    local count=$1 began times=() i
    shift
    for ((i = 0; i < count; i++)); do
        began=$EPOCHREALTIME
        "$@" >"$BENCH_DIR/answer.txt"
        times+=("$(seconds_since "$began")")
    done
    median "${times[@]}"
}

engine() {
    local file lines wall all one_said ones=() alls=() i
    file=$(events_of "${INTERACTIONS:-100000}")
    lines=$(wc -l <"$file")
    step "Engine alone: $lines events of ${INTERACTIONS:-100000} interactions"
    cat "$file" >/dev/null # from memory, for everybody
    # In turns, so that whatever else the machine does falls on both.
    for ((i = 0; i < 5; i++)); do
        ones+=("$(timed_runs 1 "$(line_program compute)" replay-file "$file" --metrics adjusted_aht)")
        one_said=$(<"$BENCH_DIR/answer.txt")
        alls+=("$(timed_runs 1 "$(line_program compute)" replay-file "$file")")
    done
    wall=$(median "${ones[@]}") all=$(median "${alls[@]}")
    printf 'kpiline, adjusted_aht   %8.3f s  %s\n' "$wall" "$one_said"
    printf 'kpiline, all %2d         %8.3f s\n' "$(cut -d: -f1 <"$BENCH_DIR/answer.txt" | sort -u | wc -l)" "$all"
    awk -v one="$wall" -v all="$all" 'BEGIN {
        printf "the whole catalogue takes %.2f times one rule: %s\n", all / one, all <= 3 * one ? "within the limit of 3" : "BEYOND THE LIMIT OF 3" }'
    if [ -r "$PEERS/duckdb_sql.py" ] && python3 -c 'import duckdb' 2>/dev/null; then
        wall=$(timed_runs 3 python3 "$PEERS/duckdb_sql.py" "$file")
        printf 'duckdb_sql.py, here     %8.3f s  %s\n' "$wall" "$(tr '\n' ' ' <"$BENCH_DIR/answer.txt")"
    fi
    cat <<'TEXT'
Others on the same task, 100000 interactions (532174 events), two cores, measured by themselves:
  DuckDB 2.0 (batch SQL)                   0.82 s
  CPython 3.11 with orjson, one dict       3.9  s
  Polars 2.1                               4.1  s
  Pathway 0.33                             6.9  s
  Bytewax 0.21 (stateful stream)          10.1  s
  Flink SQL 2.3, batch / streaming    13.5-15 / 17 s
TEXT
    printf '\nOne evaluation\n'
    cargo run --locked --quiet --profile release -p kpi --example catalogue_speed
}

# bench_database: an empty database and virtual host, migrated.
bench_database() {
    postgres_database kpiline_bench fresh
    rabbitmq_fresh_vhost kpiline-bench
    KPILINE_DATABASE_URL=$(postgres_url kpiline_bench)
    KPILINE_AMQP_URL=$(rabbitmq_url kpiline-bench)
    export KPILINE_DATABASE_URL KPILINE_AMQP_URL
    "$(line_program compute)" migrate 2>>"$LOG_DIR/migrate.log" >&2
}

# bench_line: ingest and compute.
bench_line() {
    line_start ingest ingest serve --http-listen "127.0.0.1:$HTTP_PORT" --ops-listen "127.0.0.1:$INGEST_PORT" --log-level warn
    line_start compute compute serve --ops-listen "127.0.0.1:$COMPUTE_PORT" --log-level warn
    line_wait_ready ingest "$INGEST_PORT"
    line_wait_ready compute "$COMPUTE_PORT"
}

# http_run PER_POST CONNECTIONS [VERSION [PREPARE]]: leaves the rate in HTTP_RATE. VERSION of the rows that are compared with the truth;
# PREPARE is called with the new database.
http_run() {
    local per_post=$1 connections=$2 version=${3:-1} began file
    file=$DEMO_DIR/events.jsonl
    bench_database
    [ -z "${4:-}" ] || "$4"
    demo_truth
    bench_line

    say "$EVENTS events, $per_post a POST, $connections connections"
    began=$EPOCHREALTIME
    "$(line_program platform-double)" emit "$file" --url "http://127.0.0.1:$HTTP_PORT/hooks/genesys" --secret "$DEMO_SECRET" --retry \
        --per-post "$per_post" --connections "$connections" >"$BENCH_DIR/emit.json"
    watch_until "events received" demo_counted "+$EVENTS"
    watch_until "rows unlike the truth" demo_differences 0 "$version"
    # The end is the last row's own time of writing, so that looking for it costs nothing that is measured.
    HTTP_RATE=$(sql "SELECT round($EVENTS / (extract(epoch FROM max(updated_at)) - $began)) FROM computed_metrics")
    sql "SELECT format('HTTP to metric row, %s events a POST: %s events in %s s = %s events/s (accepted at %s/s, p50 %s ms, p99 %s ms; sender used %s s of a core)',
            $per_post, $EVENTS, round(took, 2), round($EVENTS / took), round((emit ->> 'events_per_second')::numeric),
            round((emit ->> 'latency_p50_ms')::numeric, 1), round((emit ->> 'latency_p99_ms')::numeric, 1), round((emit ->> 'cpu_seconds')::numeric, 1))
        FROM (SELECT extract(epoch FROM max(updated_at)) - $began AS took, '$(head -n 1 "$BENCH_DIR/emit.json")'::jsonb AS emit FROM computed_metrics) t"
    watch_until "marks" windows_waiting 0
    sql "SELECT format('HTTP to window row: %s windows, the last %s s after the first event', count(*), round(extract(epoch FROM max(computed_at)) - $began, 2))
        FROM window_metrics HAVING count(*) > 0"
    line_stop
    DEMO_RUNNING=(ingest compute)
}

# servers: private ones, and what the line on them is told.
servers() {
    services_acquire postgres rabbitmq
    PSQL=$(psql_command)
    DEMO_TENANT=bench DEMO_SECRET=$(random_word) DEMO_RUNNING=(ingest compute)
    HTTP_PORT=$(free_port 8080) INGEST_PORT=$(free_port 9101) COMPUTE_PORT=$(free_port 9102)
    GENESYS_PORT=$(free_port) CXONE_PORT=$(free_port)
    demo_configure
}

# events N: those of N interactions are what is sent.
events() {
    cp "$(events_of "$1")" "$DEMO_DIR/events.jsonl"
    EVENTS=$(wc -l <"$DEMO_DIR/events.jsonl")
}

truths() { [ "$DEMO_BAD" -eq 0 ] || die "a run did not come to the truth: ${DEMO_CHECKS[*]}"; }

http() {
    step "HTTP to metric row, ${INTERACTIONS:-20000} interactions"
    servers
    events "${INTERACTIONS:-20000}"
    http_run 1 64
    http_run 100 8
    cat <<'TEXT'
Others behind a broker, without the HTTP part (durable quorum queue to log, session and metric in PostgreSQL, two cores):
  event by event, as the guide has it           about    490 events/s
  batched by 500, one transaction a batch       about 12,000 events/s
Aims of this project: 8,000 events/s with one event a POST, 20,000 with 100.
TEXT
    truths
}

windows() {
    step "HTTP to metric row with and without windows, ${INTERACTIONS:-20000} interactions"
    servers
    events "${INTERACTIONS:-20000}"
    windows_http
    windows_fresh
    windows_writers
    truths
}

month() {
    servers
    windows_month "${INTERACTIONS:-1000000}" 2000
    truths
}

storm() {
    step "A storm of redeliveries"
    servers
    storm_run "${INTERACTIONS:-19000}" 500 10
    truths
}

replay() {
    local interactions=${INTERACTIONS:-${KPILINE_BENCH_REPLAY_INTERACTIONS:-195000}} one_rate
    step "Replay, $interactions interactions"
    servers
    events $((interactions < 20000 ? interactions : 20000))
    http_run 1 64
    one_rate=$HTTP_RATE
    replay_run "$interactions"
    awk -v replay="$REPLAY_RATE" -v one="$one_rate" -v hundred="$REPLAY_HTTP_RATE" 'BEGIN {
        printf "events/s to a metric row: %d by HTTP with one event a POST, %d with 100, %d by replay: %.1f and %.1f times, %s\n",
            one, hundred, replay, replay / one, replay / hundred, (replay > one && replay > hundred) ? "faster than either" : "NOT FASTER THAN BOTH" }'
    truths
}

backfill() {
    step "Live work beside a backfill"
    servers
    events "${INTERACTIONS:-20000}"
    backfill_beside
    truths
}

step "Tools and build (release)"
ensure_cargo
ensure_tools cc ca postgres rabbitmq
cargo build --locked --profile release --bin ingest --bin compute --bin backfill --bin deliver --bin platform-double
case $WHAT in
engine) engine ;;
http) http ;;
windows) windows ;;
month) month ;;
storm) storm ;;
replay) replay ;;
backfill) backfill ;;
costs) capacity_costs ;;
capacity) capacity_check ;;
all)
    engine
    http
    windows
    month
    storm
    replay
    backfill
    ;;
esac
