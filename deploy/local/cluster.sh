#!/usr/bin/env bash
# Servers that may be lost, for tests of failover. See usage below.

set -euo pipefail
LIB=$(dirname -- "${BASH_SOURCE[0]}")/lib
# shellcheck source=lib/common.sh
. "$LIB/common.sh"
# shellcheck source=lib/packages.sh
. "$LIB/packages.sh"
# shellcheck source=lib/postgres.sh
. "$LIB/postgres.sh"
# shellcheck source=lib/rabbitmq.sh
. "$LIB/rabbitmq.sh"
# shellcheck source=lib/cluster.sh
. "$LIB/cluster.sh"

usage() {
    cat <<'TEXT'
deploy/local/cluster.sh COMMAND: three RabbitMQ nodes in one cluster, and a PostgreSQL primary with a synchronous standby

  start rabbitmq|postgres     install what is missing (needs root or sudo, Debian or Ubuntu), start, and keep running
  env                         lines for the shell: eval "$(deploy/local/cluster.sh env)"; the addresses name all servers
  rabbitmq stop|kill|start N  one node (1 to 3): in order, as a machine that is gone, and back
  rabbitmqctl N ARG...        that node's command line tool
  postgres kill               the primary, as a machine that is gone
  postgres promote            the standby takes over
  postgres rejoin             the one that was killed is made anew, as a standby of the other
  psql ARG...                 psql on whichever is primary, database "kpiline"
  status                      what runs, where
  destroy                     end them and remove all that they hold

Everything is under .local (or $KPILINE_LOCAL_DIR), beside the servers of services.sh and independent of them.
TEXT
}

start() {
    case ${1:-} in
    rabbitmq) ensure_tools rabbitmq && cmq_start_all ;;
    postgres) ensure_tools postgres && cpg_start_all ;;
    *) die "start rabbitmq, or postgres" ;;
    esac
}

need_state() { cluster_state || die "the cluster was never started"; }

need_node() { [[ ${1:-} =~ ^[123]$ ]] || die "which node: 1, 2 or 3"; }

rabbitmq() {
    need_state
    need_node "${2:-}"
    case ${1:-} in
    stop) cmq_stop "$2" ;;
    kill) cmq_kill "$2" ;;
    start) cmq_start "$2" ;;
    *) die "rabbitmq stop, kill or start" ;;
    esac
}

postgres() {
    need_state
    case ${1:-} in
    kill) cpg_kill "$CPG_PRIMARY" ;;
    promote) cpg_promote ;;
    rejoin) cpg_follow "$(cpg_other "$CPG_PRIMARY")" ;;
    *) die "postgres kill, promote or rejoin" ;;
    esac
}

print_env() {
    need_state
    if cmq_pid 1 >/dev/null || cmq_pid 2 >/dev/null || cmq_pid 3 >/dev/null; then
        printf "export KPILINE_AMQP_URL='%s'\n" "$(cmq_url)"
    fi
    if cpg_pid 1 >/dev/null || cpg_pid 2 >/dev/null; then
        printf "export KPILINE_DATABASE_URL='%s'\n" "$(cpg_url kpiline)"
    fi
}

status() {
    need_state
    local node pid
    for node in $CMQ_NODES; do
        if pid=$(cmq_pid "$node"); then say "rabbitmq $node: pid $pid on 127.0.0.1:$(cmq_port "$node")"; else say "rabbitmq $node: not running"; fi
    done
    for node in $CPG_NODES; do
        local role=standby
        [ "$node" != "$CPG_PRIMARY" ] || role=primary
        if pid=$(cpg_pid "$node"); then say "postgres $node: $role, pid $pid on 127.0.0.1:$(cpg_port "$node")"; else say "postgres $node: not running"; fi
    done
}

destroy() {
    cluster_state || return 0
    cluster_stop_all
    rm -rf "$CLUSTER_BASE" "$CLUSTER_STATE" "$RUN_DIR"/rabbitmq-*.pid "$RUN_DIR/epmd-cluster.pid"
    local folder
    folder=/var/tmp/kpiline-$(folder_tag)
    if [ -d "$folder" ] && [ ! -L "$folder" ]; then rmdir "$folder" 2>/dev/null || true; fi
}

# One at a time, but for what may last long.
case ${1:-} in
start | rabbitmq | postgres | destroy)
    lock
    trap unlock EXIT
    "$@"
    ;;
env) print_env ;;
status) status ;;
rabbitmqctl)
    need_state
    need_node "${2:-}"
    shift
    cmq_ctl "$@"
    ;;
psql)
    need_state
    shift
    exec "$(psql_command)" -d "$(cpg_one_url "$CPG_PRIMARY" kpiline)" "$@"
    ;;
-h | --help | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
