# shellcheck shell=bash
# One private PostgreSQL: own data folder, own port on 127.0.0.1, own password, no socket file (whose path may be too long).
# Sourced after common.sh and packages.sh.

PG_STATE=$RUN_DIR/postgres.state # PG_PORT, PG_PASSWORD, PG_BASE
PG_USER_NAME=kpiline
PG_MAJOR_MIN=14

# server_user WISH: who a server runs as. Whoever we are, unless that is root: then its own account, else nobody.
server_user() {
    if ! is_root; then
        id -un
    elif id "$1" >/dev/null 2>&1; then
        printf '%s' "$1"
    else
        printf 'nobody'
    fi
}

postgres_state() {
    # shellcheck disable=SC1090
    [ -s "$PG_STATE" ] && . "$PG_STATE"
}

# postgres_pid: the postmaster of our data folder, and no other process that has inherited its number.
postgres_pid() {
    postgres_state || return 1
    local pid
    { read -r pid <"$PG_BASE/data/postmaster.pid"; } 2>/dev/null || return 1
    proc_began "$pid" >/dev/null || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "$PG_BASE/data" || return 1
    printf '%s' "$pid"
}

# postgres_url DATABASE
postgres_url() {
    postgres_state || return 1
    printf 'postgres://%s:%s@127.0.0.1:%s/%s' "$PG_USER_NAME" "$PG_PASSWORD" "$PG_PORT" "$1"
}

postgres_start() {
    if postgres_pid >/dev/null; then
        return 0
    fi
    local bin user major port='' try options=''
    bin=$(postgres_bin) || die "PostgreSQL's server programs were not found"
    major=$("$bin/postgres" -V | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    [ "$major" -ge "$PG_MAJOR_MIN" ] ||
        die "PostgreSQL $major is too old ($PG_MAJOR_MIN or newer is needed); name a newer server with KPILINE_DATABASE_URL"
    user=$(server_user postgres)
    if postgres_state; then port=$PG_PORT; else PG_PASSWORD=$(random_word); fi
    PG_BASE=$(server_dir "$user")/postgres-$major
    postgres_init "$bin" "$user"
    postgres_forget_the_dead
    if tls_wanted; then
        tls_for "$user" "$PG_BASE/tls"
        options=" -c ssl=on -c ssl_cert_file=$PG_BASE/tls/server.pem -c ssl_key_file=$PG_BASE/tls/server.key -c ssl_ca_file=$PG_BASE/tls/ca.pem"
    fi

    for ((try = 1; try <= 3; try++)); do
        PG_PORT=$(free_port "$port")
        (umask 077 && printf 'PG_PORT=%q\nPG_PASSWORD=%q\nPG_BASE=%q\n' "$PG_PORT" "$PG_PASSWORD" "$PG_BASE" >"$PG_STATE")
        say "postgres: starting on 127.0.0.1:$PG_PORT (data in $PG_BASE, as $user)"
        # pg_ctl puts the server into a session of its own and waits until it accepts connections, recovery included.
        if (cd / && exec 7>&- 8>&- 9>&- && as_user "$user" "$bin/pg_ctl" -s -w -t 120 -D "$PG_BASE/data" -l "$PG_BASE/server.log" \
            -o "-p $PG_PORT$options" start) >&2; then
            ln -sfn "$PG_BASE/server.log" "$LOG_DIR/postgres.log"
            return 0
        fi
        port=''
    done
    tail -n 20 "$PG_BASE/server.log" >&2 || true
    die "postgres did not start; its log is $PG_BASE/server.log"
}

# The server takes a pid file for the truth while any process, even an unburied one, has that number. We know better: the
# caller has just seen that it is not our postmaster. (A second server on the same data is still refused: the old one's
# shared memory would be found in use.)
postgres_forget_the_dead() {
    local pid
    { read -r pid <"$PG_BASE/data/postmaster.pid"; } 2>/dev/null || return 0
    if [ -e "/proc/$pid" ]; then rm -f "$PG_BASE/data/postmaster.pid"; fi
}

# Made aside and moved into place, so that an interrupted initdb is begun anew and never mistaken for a data folder.
postgres_init() {
    local bin=$1 user=$2 word
    [ -s "$PG_BASE/data/PG_VERSION" ] && return 0
    mkdir -p "$PG_BASE"
    chmod 0700 "$PG_BASE"
    rm -rf "$PG_BASE/data" "$PG_BASE/data.new"
    word=$PG_BASE/word
    (umask 077 && printf '%s\n' "$PG_PASSWORD" >"$word")
    if is_root; then chown -R "$user:" "$PG_BASE"; fi
    say "postgres: making a data folder"
    (cd / && as_user "$user" "$bin/initdb" -D "$PG_BASE/data.new" --username="$PG_USER_NAME" --pwfile="$word" \
        --auth=scram-sha-256 --encoding=UTF8 --locale=C) >"$LOG_DIR/initdb.log" 2>&1 ||
        { cat "$LOG_DIR/initdb.log" >&2; die "initdb failed"; }
    rm -f "$word"
    # Sized for two cores and a few hundred short connections of tests. Durability stays as it is in production: the tests
    # that kill servers would prove nothing otherwise.
    cat >>"$PG_BASE/data.new/postgresql.conf" <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 128MB
max_wal_size = 2GB
checkpoint_timeout = 15min
max_locks_per_transaction = 256
max_parallel_workers_per_gather = 1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a %d '
fsync = on
synchronous_commit = on
CONF
    mv "$PG_BASE/data.new" "$PG_BASE/data"
}

# postgres_stop [fast|immediate]
postgres_stop() {
    local pid bin deadline=$((SECONDS + 60))
    pid=$(postgres_pid) || return 0
    say "postgres: stopping"
    case ${1:-fast} in
    fast) kill -INT "$pid" ;;
    immediate) kill -QUIT "$pid" ;;
    esac
    while postgres_pid >/dev/null; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            warn "postgres (pid $pid) did not end in a minute; asking it to drop everything"
            kill -QUIT "$pid" 2>/dev/null || true
            deadline=$((SECONDS + 30))
        fi
        sleep 0.1
    done
}

# As a machine failure would: the postmaster and all its children, none of them asked.
postgres_crash() {
    local pid stat rest children=()
    pid=$(postgres_pid) || return 0
    # Its children would notice by themselves, but one in the middle of a query only when that is done.
    for stat in /proc/[0-9]*/stat; do
        { read -r rest <"$stat"; } 2>/dev/null || continue
        rest=${rest##*) }
        rest=${rest#* }
        if [ "${rest%% *}" = "$pid" ]; then
            stat=${stat#/proc/}
            children+=("${stat%/stat}")
        fi
    done
    kill -KILL "$pid" "${children[@]}" 2>/dev/null || true
}

# postgres_database NAME [fresh]: creates it if missing; with `fresh`, empty.
postgres_database() {
    local psql url
    psql=$(psql_command)
    url=$(postgres_url postgres)
    if [ "${2:-}" = fresh ]; then
        "$psql" -qX -v ON_ERROR_STOP=1 -d "$url" -c "SET client_min_messages = warning" \
            -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" >&2
    fi
    [ "$("$psql" -qXAt -d "$url" -c "SELECT 1 FROM pg_database WHERE datname = '$1'")" = 1 ] ||
        "$psql" -qX -v ON_ERROR_STOP=1 -d "$url" -c "CREATE DATABASE $1" >&2
}
