# shellcheck shell=bash
# Words every script here shares: where things are, how to speak, how to know a process again, how to take turns.
# Sourced, never run. Needs bash and what every Debian has (coreutils, util-linux, mawk); nothing else.

set -euo pipefail

KPILINE_ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../.." && pwd -P)
# Everything the scripts make lives here; git ignores it. A second set of instances is a second folder.
KPILINE_LOCAL_DIR=${KPILINE_LOCAL_DIR:-$KPILINE_ROOT/.local}
mkdir -p "$KPILINE_LOCAL_DIR"
KPILINE_LOCAL_DIR=$(cd -- "$KPILINE_LOCAL_DIR" && pwd -P)
export KPILINE_ROOT KPILINE_LOCAL_DIR
RUN_DIR=$KPILINE_LOCAL_DIR/run
LOG_DIR=$KPILINE_LOCAL_DIR/logs
mkdir -p "$RUN_DIR" "$LOG_DIR"
chmod 0700 "$RUN_DIR" # the private servers' passwords are in it

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n== %s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Seconds since the script began; bash counts them by itself.
elapsed() { printf '%dm%02ds' $((SECONDS / 60)) $((SECONDS % 60)); }

is_root() { [ "$(id -u)" -eq 0 ]; }

# as_root CMD...: for the package manager only. Nothing else here needs to be root.
as_root() {
    if is_root; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo -- "$@"
    else
        return 127
    fi
}

# as_user NAME CMD...: servers refuse to run as root, so root steps down; anyone else stays who they are.
as_user() {
    local name=$1
    shift
    if is_root && [ "$name" != root ]; then
        setpriv --reuid="$name" --regid="$(id -g "$name")" --init-groups -- "$@"
    else
        "$@"
    fi
}

# A short name for this folder, the same at every run: node names and fall-back folders carry it.
folder_tag() { printf '%s' "$KPILINE_LOCAL_DIR" | cksum | awk '{ printf "%08x", $1 }'; }

# server_dir USER: a folder USER can reach. Below .local where that is possible; a clone under a closed home directory
# (root's is 0700) is not, and then a folder of the same tag under /var/tmp stands in, owned by us and closed to others.
server_dir() {
    local user=$1 dir=$KPILINE_LOCAL_DIR
    if ! as_user "$user" test -x "$dir"; then
        dir=/var/tmp/kpiline-$(folder_tag)
        mkdir -m 0711 "$dir" 2>/dev/null || true
        if [ ! -d "$dir" ] || [ -L "$dir" ] || [ "$(stat -c %u "$dir")" -ne "$(id -u)" ]; then
            die "$dir exists and is not ours; remove it, or set KPILINE_LOCAL_DIR to a folder that user '$user' can reach"
        fi
        ln -sfn "$dir" "$KPILINE_LOCAL_DIR/servers"
    fi
    printf '%s' "$dir"
}

# random_word: 32 hexadecimal digits, for the passwords of private servers.
random_word() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# ---- ports -----------------------------------------------------------------------------------------------------------

port_is_taken() { # somebody listens on it, on whatever address; connections of the past do not stop a server
    local hex
    hex=$(printf '%04X' "$1")
    awk -v want="$hex" 'FNR > 1 && $4 == "0A" { n = split($2, part, ":"); if (part[n] == want) { found = 1; exit } } END { exit !found }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# free_port [WISH]: WISH if it is free, else one below the kernel's ephemeral range that is.
free_port() {
    local port=${1:-} try
    if [ -n "$port" ] && ! port_is_taken "$port"; then
        printf '%s' "$port"
        return 0
    fi
    for ((try = 0; try < 200; try++)); do
        port=$((20000 + RANDOM % 12000))
        if ! port_is_taken "$port"; then
            printf '%s' "$port"
            return 0
        fi
    done
    die "no free port found between 20000 and 32000"
}

port_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ---- processes -------------------------------------------------------------------------------------------------------
# A pid alone says nothing after a crash or a reboot: it may have been given to a stranger. A record is the pid, the instant
# the kernel says it began, and the boot; only a process that matches all three is ours and is ever signalled.

proc_began() { # field 22 of stat, counted after the command's closing parenthesis, since a name may contain blanks
    local line
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    line=${line##*) }
    # shellcheck disable=SC2086
    set -- $line
    # A zombie is over, whoever has yet to notice.
    [ "$1" != Z ] || return 1
    printf '%s %s' "${20}" "$(</proc/sys/kernel/random/boot_id)"
}

# proc_record FILE PID
proc_record() {
    local began
    began=$(proc_began "$2") || return 1
    printf '%s %s\n' "$2" "$began" >"$1"
}

# proc_alive FILE: prints the pid and succeeds if the recorded process still runs.
proc_alive() {
    local pid began boot
    { read -r pid began boot <"$1"; } 2>/dev/null || return 1
    [ "$(proc_began "$pid")" = "$began $boot" ] || return 1
    printf '%s' "$pid"
}

# proc_spawn FILE LOG USER CMD...: starts CMD in a session of its own (a Ctrl-C at the terminal is for the script, which then
# ends its children in order) and records it. The child writes the record itself before it becomes CMD, so an interrupt
# between fork and record cannot leave an unknown process behind.
proc_spawn() {
    local file=$1 log=$2 user=$3
    shift 3
    rm -f "$file"
    (
        trap - EXIT INT TERM HUP
        cd / || exit 1
        # Not the locks: a daemon that inherited one would hold it for ever.
        exec 7>&- 8>&- 9>&-
        # shellcheck disable=SC2016
        exec setsid bash -c '
            file=$1 user=$2
            shift 2
            source "$KPILINE_ROOT/deploy/local/lib/common.sh"
            proc_record "$file" "$$" || exit 1
            if [ "$(id -u)" -eq 0 ] && [ "$user" != root ]; then
                exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@"
            fi
            exec "$@"
        ' spawn "$file" "$user" "$@" </dev/null >>"$log" 2>&1
    ) &
    disown
    local try
    for ((try = 0; try < 100; try++)); do
        [ -s "$file" ] && return 0
        sleep 0.05
    done
    return 1
}

# proc_stop FILE SECONDS: TERM, then after SECONDS KILL, to exactly the recorded process.
proc_stop() {
    local file=$1 deadline=$((SECONDS + $2)) pid
    if pid=$(proc_alive "$file"); then
        kill -TERM "$pid" 2>/dev/null || true
        while proc_alive "$file" >/dev/null; do
            if [ "$SECONDS" -ge "$deadline" ]; then
                warn "process $pid did not end in time; killing it (record $file)"
                kill -KILL "$pid" 2>/dev/null || true
                deadline=$((SECONDS + 10))
            fi
            sleep 0.1
        done
    fi
    rm -f "$file"
}

# wait_until SECONDS WHAT CMD...: polls; says what it waited for when it gives up.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || {
            say "gave up waiting for: $what"
            return 1
        }
        sleep 0.2
    done
}

# ---- one at a time ---------------------------------------------------------------------------------------------------

lock() {
    exec 9>"$RUN_DIR/lock"
    flock -w 900 9 || die "another script has held $RUN_DIR/lock for 15 minutes"
}
unlock() { exec 9>&-; }
