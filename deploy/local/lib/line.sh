# shellcheck shell=bash
# The four binaries and the platform double as processes of this folder. Sourced after the files above.

LINE_PROFILE=${KPILINE_PROFILE:-dev}

# line_program NAME: where cargo put it.
line_program() {
    local folder=$LINE_PROFILE
    [ "$folder" != dev ] || folder=debug
    printf '%s/%s/%s' "${CARGO_TARGET_DIR:-$KPILINE_ROOT/target}" "$folder" "$1"
}

line_build() {
    cargo build --locked --profile "$LINE_PROFILE" --bin ingest --bin compute --bin backfill --bin deliver --bin platform-double
}

# line_start NAME PROGRAM ARG...: as a process that line_stop ends; its log is .local/logs/NAME.log, begun anew.
line_start() {
    local name=$1 program=$2
    shift 2
    : >"$LOG_DIR/$name.log"
    proc_spawn "$RUN_DIR/line-$name.pid" "$LOG_DIR/$name.log" "$(id -un)" "$(line_program "$program")" "$@" ||
        die "$name could not be started"
}

line_running() { proc_alive "$RUN_DIR/line-$1.pid" >/dev/null; }

# The other way round of the flow: nothing new comes in while the rest finishes what it holds.
line_stop() {
    local name
    for name in ingest receive normalise backfill-1 backfill-2 compute windows deliver platform-genesys platform-cxone; do
        proc_stop "$RUN_DIR/line-$name.pid" 30
    done
}

# http_status PORT PATH: the status of a GET, without any tool a bare machine may lack.
http_status() {
    local line=''
    { exec 8<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
    printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$2" >&8
    IFS= read -r -t 5 line <&8 || true
    exec 8>&-
    line=${line#* }
    printf '%s' "${line%% *}"
}

# line_wait_ready NAME PORT [PATH]
line_wait_ready() {
    wait_until 60 "$1 to answer http://127.0.0.1:$2${3:-/readyz}" line_ready_or_dead "$@" && line_running "$1" && return 0
    tail -n 20 "$LOG_DIR/$1.log" >&2
    die "$1 did not become ready; its log is $LOG_DIR/$1.log"
}
line_ready_or_dead() { ! line_running "$1" || [ "$(http_status "$2" "${3:-/readyz}")" = 200 ]; }
