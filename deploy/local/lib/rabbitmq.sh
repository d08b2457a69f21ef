# shellcheck shell=bash
# One private RabbitMQ node: own name, own ports (AMQP, distribution, epmd) on 127.0.0.1, own cookie, folders, user and
# password, own epmd. The machine's /etc/rabbitmq is not read. Sourced after common.sh, packages.sh and postgres.sh.

MQ_STATE=$RUN_DIR/rabbitmq.state # MQ_PORT, MQ_TLS_PORT, MQ_DIST_PORT, MQ_EPMD_PORT, MQ_PASSWORD, MQ_BASE
MQ_USER_NAME=kpiline

rabbitmq_state() {
    # shellcheck disable=SC1090
    [ -s "$MQ_STATE" ] && . "$MQ_STATE"
}

rabbitmq_pid() { proc_alive "$RUN_DIR/rabbitmq.pid"; }

# rabbitmq_url [VHOST]
rabbitmq_url() {
    rabbitmq_state || return 1
    printf 'amqp://%s:%s@127.0.0.1:%s/%s' "$MQ_USER_NAME" "$MQ_PASSWORD" "$MQ_PORT" "${1:-%2f}"
}

# rabbitmq_tls_url [VHOST]: the same over TLS, where it offers that.
rabbitmq_tls_url() {
    rabbitmq_state && [ -n "${MQ_TLS_PORT:-}" ] || return 1
    printf 'amqps://%s:%s@127.0.0.1:%s/%s' "$MQ_USER_NAME" "$MQ_PASSWORD" "$MQ_TLS_PORT" "${1:-%2f}"
}

# The whole environment of the node and of its command line tool: nothing of ours or of the machine's leaks in.
rabbitmq_environment() {
    MQ_ENVIRONMENT=(
        HOME="$MQ_BASE" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
        RABBITMQ_NODENAME="kpiline-$(folder_tag)@localhost"
        RABBITMQ_CONF_ENV_FILE="$MQ_BASE/environment"
        RABBITMQ_CONFIG_FILE="$MQ_BASE/rabbitmq.conf"
        RABBITMQ_ADVANCED_CONFIG_FILE="$MQ_BASE/advanced.config"
        RABBITMQ_ENABLED_PLUGINS_FILE="$MQ_BASE/enabled_plugins"
        RABBITMQ_MNESIA_BASE="$MQ_BASE/data"
        RABBITMQ_LOG_BASE="$MQ_BASE/log"
        RABBITMQ_GENERATED_CONFIG_DIR="$MQ_BASE/generated"
        RABBITMQ_SCHEMA_DIR="$MQ_BASE/generated"
        RABBITMQ_DIST_PORT="$MQ_DIST_PORT"
        ERL_EPMD_PORT="$MQ_EPMD_PORT"
        ERL_EPMD_ADDRESS=127.0.0.1
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
        # Makes the start script become the Erlang machine instead of waiting beside it: one pid, one process to end.
        RUNNING_UNDER_SYSTEMD=true
    )
}

rabbitmq_start() {
    if rabbitmq_pid >/dev/null && rabbitmq_answers; then
        return 0
    fi
    local sbin user port='' try
    sbin=$(rabbitmq_sbin) || die "RabbitMQ's server programs were not found"
    user=$(server_user rabbitmq)
    if rabbitmq_state; then port=$MQ_PORT; else MQ_PASSWORD=$(random_word); fi
    rabbitmq_stop

    for ((try = 1; try <= 3; try++)); do
        MQ_BASE=$(server_dir "$user")/rabbitmq
        MQ_PORT=$(free_port "$port")
        MQ_DIST_PORT=$(free_port)
        MQ_EPMD_PORT=$(free_port)
        MQ_TLS_PORT=''
        if tls_wanted; then MQ_TLS_PORT=$(free_port); fi
        rabbitmq_configure "$user"
        say "rabbitmq: starting on 127.0.0.1:$MQ_PORT (data in $MQ_BASE, as $user)"
        # The node would start an epmd by itself, but as a daemon nobody owns; this one is ours, and is ended with the node.
        proc_spawn "$RUN_DIR/epmd.pid" "$LOG_DIR/epmd.log" "$user" \
            env -i "${MQ_ENVIRONMENT[@]}" epmd -port "$MQ_EPMD_PORT" -address 127.0.0.1
        wait_until 10 "epmd on port $MQ_EPMD_PORT" port_answers "$MQ_EPMD_PORT" || continue
        : >"$LOG_DIR/rabbitmq.log"
        proc_spawn "$RUN_DIR/rabbitmq.pid" "$LOG_DIR/rabbitmq.log" "$user" env -i "${MQ_ENVIRONMENT[@]}" "$sbin/rabbitmq-server"
        if wait_until 120 "RabbitMQ on port $MQ_PORT" rabbitmq_up_or_dead && rabbitmq_answers; then
            return 0
        fi
        rabbitmq_stop
        port=''
    done
    tail -n 30 "$LOG_DIR/rabbitmq.log" >&2 || true
    die "rabbitmq did not start; its logs are $LOG_DIR/rabbitmq.log and $MQ_BASE/log"
}

rabbitmq_up_or_dead() { rabbitmq_answers || ! rabbitmq_pid >/dev/null; }

# A listener is opened late in the boot, after recovery of the queues. To know that it speaks: a wrong protocol header is
# answered with the right one.
rabbitmq_answers() {
    rabbitmq_pid >/dev/null || return 1
    # In a shell of its own: a node that dies between connecting and answering ends that one, not the script.
    (
        local answer=''
        exec 8<>"/dev/tcp/127.0.0.1/$MQ_PORT" || exit 1
        printf 'AMQP\x00\x00\x00\x00' >&8 || exit 1
        IFS= read -r -t 5 -N 4 answer <&8 || true
        [ "$answer" = AMQP ]
    ) 2>/dev/null
}

rabbitmq_configure() {
    local user=$1
    mkdir -p "$MQ_BASE"/{data,log,generated}
    : >"$MQ_BASE/environment"
    printf '[].\n' >"$MQ_BASE/advanced.config"
    printf '[].\n' >"$MQ_BASE/enabled_plugins"
    (umask 077 && cat >"$MQ_BASE/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$MQ_PORT
default_user = $MQ_USER_NAME
default_pass = $MQ_PASSWORD
vm_memory_high_watermark.absolute = 2GB
disk_free_limit.absolute = 512MB
# The write-ahead log of quorum queues is kept in memory until it is this large; the default suits larger machines.
raft.wal_max_size_bytes = 134217728
log.console = false
log.file = rabbitmq.log
log.file.level = info
CONF
    )
    if [ -n "$MQ_TLS_PORT" ]; then
        tls_for "$user" "$MQ_BASE/tls"
        cat >>"$MQ_BASE/rabbitmq.conf" <<CONF
listeners.ssl.1 = 127.0.0.1:$MQ_TLS_PORT
ssl_options.cacertfile = $MQ_BASE/tls/ca.pem
ssl_options.certfile = $MQ_BASE/tls/server.pem
ssl_options.keyfile = $MQ_BASE/tls/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
CONF
    fi
    chmod 0700 "$MQ_BASE"
    if is_root; then chown -R "$user:" "$MQ_BASE"; fi
    (umask 077 && printf 'MQ_PORT=%q\nMQ_TLS_PORT=%q\nMQ_DIST_PORT=%q\nMQ_EPMD_PORT=%q\nMQ_PASSWORD=%q\nMQ_BASE=%q\n' \
        "$MQ_PORT" "$MQ_TLS_PORT" "$MQ_DIST_PORT" "$MQ_EPMD_PORT" "$MQ_PASSWORD" "$MQ_BASE" >"$MQ_STATE")
    rabbitmq_environment
}

rabbitmq_stop() {
    local grace=60
    if rabbitmq_pid >/dev/null; then
        say "rabbitmq: stopping"
        # A node that is still booting does not listen to TERM, and has nothing to lose.
        rabbitmq_state && rabbitmq_answers || grace=3
    fi
    proc_stop "$RUN_DIR/rabbitmq.pid" "$grace"
    proc_stop "$RUN_DIR/epmd.pid" 10
}

# As a machine failure would. epmd goes on: a node that starts again takes its name back.
rabbitmq_crash() {
    local pid
    pid=$(rabbitmq_pid) || return 0
    kill -KILL "$pid"
    # A killed machine of this size takes a moment to be gone.
    while rabbitmq_pid >/dev/null; do sleep 0.05; done
}

# rabbitmq_ctl ARG...: the node's own command line tool.
rabbitmq_ctl() {
    local sbin
    sbin=$(rabbitmq_sbin)
    rabbitmq_state || die "the private RabbitMQ was never started"
    rabbitmq_environment
    (cd / && exec 7>&- 8>&- 9>&- && as_user "$(server_user rabbitmq)" env -i "${MQ_ENVIRONMENT[@]}" "$sbin/rabbitmqctl" "$@")
}

# rabbitmq_fresh_vhost NAME: an empty virtual host; what one of that name held is gone.
rabbitmq_fresh_vhost() {
    rabbitmq_ctl --quiet delete_vhost "$1" >/dev/null 2>&1 || true
    rabbitmq_ctl --quiet add_vhost "$1" >&2
    rabbitmq_ctl --quiet set_permissions -p "$1" "$MQ_USER_NAME" '.*' '.*' '.*' >&2
}
