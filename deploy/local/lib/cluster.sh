# shellcheck shell=bash
# Servers that may be lost: three RabbitMQ nodes that are one cluster, and a PostgreSQL primary with a standby that has every commit
# before it is acknowledged. Own ports on 127.0.0.1, own folders, own epmd. Sourced after the other files of this folder.

CLUSTER_STATE=$RUN_DIR/cluster.state # CLUSTER_BASE, CLUSTER_PASSWORD, CMQ_EPMD, CMQ_PORTS, CMQ_DIST_PORTS, CPG_PORTS, CPG_PRIMARY
CMQ_NODES='1 2 3'
CPG_NODES='1 2'

cluster_state() {
    # shellcheck disable=SC1090
    [ -s "$CLUSTER_STATE" ] && . "$CLUSTER_STATE"
}

cluster_save() {
    (umask 077 && for name in CLUSTER_BASE CLUSTER_PASSWORD CMQ_EPMD CMQ_PORTS CMQ_DIST_PORTS CPG_PORTS CPG_PRIMARY; do
        printf '%s=%q\n' "$name" "${!name:-}"
    done >"$CLUSTER_STATE")
}

# Chosen once, and kept from one start to the next.
cluster_choose() {
    cluster_state && return 0
    local node
    CLUSTER_BASE=$(server_dir "$(server_user rabbitmq)")/cluster
    CLUSTER_PASSWORD=$(random_word)
    CMQ_EPMD=$(free_port)
    CMQ_PORTS='' CMQ_DIST_PORTS='' CPG_PORTS='' CPG_PRIMARY=1
    for node in $CMQ_NODES; do
        CMQ_PORTS+="$(free_port) "
        CMQ_DIST_PORTS+="$(free_port) "
    done
    for node in $CPG_NODES; do CPG_PORTS+="$(free_port) "; done
    mkdir -p "$CLUSTER_BASE"
    cluster_save
}

# nth N WORD...
nth() { shift "$1" && printf '%s' "$1"; }

# ---- RabbitMQ --------------------------------------------------------------------------------------------------------

cmq_name() { printf 'kpiline-%s-%s@localhost' "$(folder_tag)" "$1"; }
cmq_folder() { printf '%s/rabbitmq-%s' "$CLUSTER_BASE" "$1"; }
# shellcheck disable=SC2086
cmq_port() { nth "$1" $CMQ_PORTS; }
cmq_pid() { proc_alive "$RUN_DIR/rabbitmq-$1.pid"; }

# As in rabbitmq.sh, with one epmd for all three, by which they find one another.
cmq_environment() {
    local base
    base=$(cmq_folder "$1")
    # shellcheck disable=SC2086
    MQ_ENVIRONMENT=(
        HOME="$base" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
        RABBITMQ_NODENAME="$(cmq_name "$1")"
        RABBITMQ_CONF_ENV_FILE="$base/environment"
        RABBITMQ_CONFIG_FILE="$base/rabbitmq.conf"
        RABBITMQ_ADVANCED_CONFIG_FILE="$base/advanced.config"
        RABBITMQ_ENABLED_PLUGINS_FILE="$base/enabled_plugins"
        RABBITMQ_MNESIA_BASE="$base/data"
        RABBITMQ_LOG_BASE="$base/log"
        RABBITMQ_GENERATED_CONFIG_DIR="$base/generated"
        RABBITMQ_SCHEMA_DIR="$base/generated"
        RABBITMQ_DIST_PORT="$(nth "$1" $CMQ_DIST_PORTS)"
        ERL_EPMD_PORT="$CMQ_EPMD"
        ERL_EPMD_ADDRESS=127.0.0.1
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
        RUNNING_UNDER_SYSTEMD=true
    )
}

cmq_configure() {
    local node=$1 base user member
    base=$(cmq_folder "$node") user=$(server_user rabbitmq)
    [ ! -s "$base/rabbitmq.conf" ] || return 0
    mkdir -p "$base"/{data,log,generated}
    : >"$base/environment"
    printf '[].\n' | tee "$base/advanced.config" >"$base/enabled_plugins"
    (
        umask 077
        # The secret by which nodes know one another.
        printf '%s' "$CLUSTER_PASSWORD" >"$base/.erlang.cookie"
        chmod 0400 "$base/.erlang.cookie"
        cat >"$base/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$(cmq_port "$node")
default_user = $MQ_USER_NAME
default_pass = $CLUSTER_PASSWORD
cluster_formation.peer_discovery_backend = classic_config
# The side that cannot see most of the others stops: it could promise nothing.
cluster_partition_handling = pause_minority
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 512MB
raft.wal_max_size_bytes = 67108864
log.console = false
log.file = rabbitmq.log
log.file.level = info
CONF
        for member in $CMQ_NODES; do
            printf 'cluster_formation.classic_config.nodes.%s = %s\n' "$member" "$(cmq_name "$member")" >>"$base/rabbitmq.conf"
        done
    )
    chmod 0700 "$base"
    if is_root; then chown -R "$user:" "$base"; fi
}

cmq_launch() {
    local node=$1 user sbin
    sbin=$(rabbitmq_sbin) || die "RabbitMQ's server programs were not found"
    user=$(server_user rabbitmq)
    cmq_configure "$node"
    cmq_environment "$node"
    if ! proc_alive "$RUN_DIR/epmd-cluster.pid" >/dev/null; then
        proc_spawn "$RUN_DIR/epmd-cluster.pid" "$LOG_DIR/epmd-cluster.log" "$user" \
            env -i "${MQ_ENVIRONMENT[@]}" epmd -port "$CMQ_EPMD" -address 127.0.0.1
        wait_until 10 "epmd on port $CMQ_EPMD" port_answers "$CMQ_EPMD"
    fi
    say "rabbitmq $node: starting on 127.0.0.1:$(cmq_port "$node")"
    proc_spawn "$RUN_DIR/rabbitmq-$node.pid" "$LOG_DIR/rabbitmq-$node.log" "$user" env -i "${MQ_ENVIRONMENT[@]}" "$sbin/rabbitmq-server"
}

cmq_await() {
    wait_until 120 "RabbitMQ node $1 on port $(cmq_port "$1")" cmq_answers "$1" || {
        tail -n 30 "$LOG_DIR/rabbitmq-$1.log" >&2 || true
        die "node $1 did not start; its logs are below $(cmq_folder "$1")/log"
    }
}

cmq_answers() {
    (
        local answer=''
        exec 8<>"/dev/tcp/127.0.0.1/$(cmq_port "$1")" || exit 1
        printf 'AMQP\x00\x00\x00\x00' >&8 || exit 1
        IFS= read -r -t 5 -N 4 answer <&8 || true
        [ "$answer" = AMQP ]
    ) 2>/dev/null
}

# cmq_ctl N ARG...
cmq_ctl() {
    local node=$1 sbin
    shift
    sbin=$(rabbitmq_sbin)
    cmq_environment "$node"
    (cd / && exec 7>&- 8>&- 9>&- && as_user "$(server_user rabbitmq)" env -i "${MQ_ENVIRONMENT[@]}" "$sbin/rabbitmqctl" "$@")
}

# The first makes the cluster, the others find it and join.
cmq_start_all() {
    cluster_choose
    cmq_pid 1 >/dev/null || cmq_launch 1
    cmq_await 1
    local node
    for node in 2 3; do cmq_pid "$node" >/dev/null || cmq_launch "$node"; done
    for node in 2 3; do cmq_await "$node"; done
    cmq_ctl 1 --quiet await_online_nodes 3 >&2
}

cmq_start() {
    cmq_pid "$1" >/dev/null || cmq_launch "$1"
    cmq_await "$1"
    cmq_ctl "$1" --quiet await_online_nodes 3 >&2
}

cmq_stop() { proc_stop "$RUN_DIR/rabbitmq-$1.pid" 60; }

cmq_kill() {
    local pid
    pid=$(cmq_pid "$1") || return 0
    kill -KILL "$pid"
    while cmq_pid "$1" >/dev/null; do sleep 0.05; done
}

cmq_url() {
    local hosts='' node
    for node in $CMQ_NODES; do hosts+=",127.0.0.1:$(cmq_port "$node")"; done
    printf 'amqp://%s:%s@%s/%%2f' "$MQ_USER_NAME" "$CLUSTER_PASSWORD" "${hosts#,}"
}

# ---- PostgreSQL ------------------------------------------------------------------------------------------------------

cpg_base() { printf '%s/postgres-%s' "$CLUSTER_BASE" "$1"; }
cpg_folder() { printf '%s/data' "$(cpg_base "$1")"; }
# shellcheck disable=SC2086
cpg_port() { nth "$1" $CPG_PORTS; }
cpg_other() { printf '%s' $((3 - $1)); }

cpg_pid() {
    local pid folder
    folder=$(cpg_folder "$1")
    { read -r pid <"$folder/postmaster.pid"; } 2>/dev/null || return 1
    proc_began "$pid" >/dev/null || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "$folder" || return 1
    printf '%s' "$pid"
}

cpg_as() { (cd / && exec 7>&- 8>&- 9>&- && as_user "$(server_user postgres)" "$@"); }

# cpg_one_url N DATABASE: that server alone.
cpg_one_url() { printf 'postgres://%s:%s@127.0.0.1:%s/%s' "$PG_USER_NAME" "$CLUSTER_PASSWORD" "$(cpg_port "$1")" "$2"; }

cpg_url() {
    printf 'postgres://%s:%s@127.0.0.1:%s,127.0.0.1:%s/%s?target_session_attrs=read-write' \
        "$PG_USER_NAME" "$CLUSTER_PASSWORD" "$(cpg_port 1)" "$(cpg_port 2)" "$1"
}

cpg_psql() {
    local node=$1
    shift
    "$(psql_command)" -qXAt -v ON_ERROR_STOP=1 -d "$(cpg_one_url "$node" postgres)" "$@"
}

cpg_launch() {
    local folder bin
    folder=$(cpg_folder "$1") bin=$(postgres_bin)
    say "postgres $1: starting on 127.0.0.1:$(cpg_port "$1")"
    cpg_as "$bin/pg_ctl" -s -w -t 120 -D "$folder" -l "$(cpg_base "$1")/server.log" -o "-p $(cpg_port "$1")" start >&2
}

# An empty data folder in one of the server's own.
cpg_empty() {
    local base
    base=$(cpg_base "$1")
    rm -rf "$base"
    mkdir -p "$base/data"
    chmod 0700 "$base" "$base/data"
    if is_root; then chown -R "$(server_user postgres):" "$base"; fi
}

# The first one: empty, as primary, until a standby is there without one.
cpg_init() {
    local folder bin user word
    folder=$(cpg_folder 1) bin=$(postgres_bin) user=$(server_user postgres)
    [ ! -s "$folder/PG_VERSION" ] || return 0
    cpg_empty 1
    word=$(cpg_base 1)/word
    (umask 077 && printf '%s\n' "$CLUSTER_PASSWORD" >"$word")
    if is_root; then chown "$user:" "$word"; fi
    cpg_as "$bin/initdb" -D "$folder" --username="$PG_USER_NAME" --pwfile="$word" --auth=scram-sha-256 --encoding=UTF8 --locale=C \
        >"$LOG_DIR/initdb-cluster.log" 2>&1 || {
        cat "$LOG_DIR/initdb-cluster.log" >&2
        die "initdb failed"
    }
    rm -f "$word"
    cat >>"$folder/postgresql.conf" <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 128MB
max_locks_per_transaction = 256
wal_level = replica
max_wal_senders = 8
hot_standby = on
wal_keep_size = 256MB
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
fsync = on
synchronous_commit = on
CONF
}

# cpg_follow N: makes N a standby of the other one, from nothing, and has every commit wait for it.
cpg_follow() {
    local node=$1 primary folder
    primary=$(cpg_other "$node") folder=$(cpg_folder "$node")
    cpg_empty "$node"
    # Commits that wait for a standby that is being made would wait long.
    cpg_psql "$primary" -c "ALTER SYSTEM SET synchronous_standby_names = ''" -c "SELECT pg_reload_conf()" >/dev/null
    cpg_as "$(postgres_bin)/pg_basebackup" -D "$folder" -R -X stream -c fast \
        -d "$(cpg_one_url "$primary" postgres)?application_name=postgres_$node" >&2
    cpg_launch "$node"
    wait_until 60 "standby $node follows" cpg_follows "$primary" "$node"
    cpg_psql "$primary" -c "ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (postgres_$node)'" -c "SELECT pg_reload_conf()" >/dev/null
    wait_until 60 "standby $node is waited for" cpg_is_waited_for "$primary" "$node"
}

cpg_follows() {
    [ "$(cpg_psql "$1" -c "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'postgres_$2' AND state = 'streaming'")" = 1 ]
}

cpg_is_waited_for() {
    [ "$(cpg_psql "$1" -c "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'postgres_$2' AND sync_state = 'quorum'")" = 1 ]
}

cpg_start_all() {
    cluster_choose
    if cpg_pid 1 >/dev/null && cpg_pid 2 >/dev/null; then return 0; fi
    [ ! -s "$(cpg_folder 2)/PG_VERSION" ] || die "one of the two is not there; use postgres rejoin, or destroy"
    cpg_init
    cpg_pid 1 >/dev/null || cpg_launch 1
    cpg_psql 1 -c "CREATE DATABASE kpiline" >/dev/null
    cpg_follow 2
    CPG_PRIMARY=1
    cluster_save
}

# As a machine that is gone: the postmaster and all its children, none of them asked.
cpg_kill() {
    local pid stat rest children=()
    pid=$(cpg_pid "$1") || return 0
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
    while cpg_pid "$1" >/dev/null; do sleep 0.02; done
}

# The standby takes over. It has to wait for nobody: there is no other one now.
cpg_promote() {
    local node
    node=$(cpg_other "$CPG_PRIMARY")
    cpg_as "$(postgres_bin)/pg_ctl" -s -w -t 60 -D "$(cpg_folder "$node")" promote >&2
    CPG_PRIMARY=$node
    cluster_save
}

# ---- all -------------------------------------------------------------------------------------------------------------

cluster_stop_all() {
    cluster_state || return 0
    local node
    for node in $CMQ_NODES; do
        # All at once: one after the other, the last ones would wait for the first.
        cmq_kill "$node"
        rm -f "$RUN_DIR/rabbitmq-$node.pid"
    done
    proc_stop "$RUN_DIR/epmd-cluster.pid" 10
    # The standby last: the primary would wait for it before it ends.
    for node in "$(cpg_other "$CPG_PRIMARY")" "$CPG_PRIMARY"; do cpg_kill "$node"; done
}
