#!/usr/bin/env bash
# The private PostgreSQL and RabbitMQ of this folder. See usage below.

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

usage() {
    cat <<'TEXT'
deploy/local/services.sh COMMAND: a private PostgreSQL and RabbitMQ for work on this machine

  start [postgres|rabbitmq]   install what is missing (needs root or sudo, Debian or Ubuntu), start, and keep running
  stop                        end them, and what `demo.sh --keep` left running; scripts that use them at this moment keep them until they are done
  stop postgres|rabbitmq      end one of them now
  destroy                     end them and remove all that they hold
  crash postgres|rabbitmq     kill -9, to see what happens; `start NAME` brings it back on the same port
  status                      what runs, where
  env                         lines for the shell: eval "$(deploy/local/services.sh env)"
  psql ARG...                 psql on the private server's database "kpiline"
  rabbitmqctl ARG...          the private node's command line tool

Everything is under .local (or $KPILINE_LOCAL_DIR): a second folder is a second, independent pair of servers.
With KPILINE_LOCAL_TLS=1 they are started with TLS beside plain text, by a CA of their own (`env` names its folder).
Servers that already run on this machine are neither used nor touched.
TEXT
}

known_part() {
    case $1 in
    postgres | rabbitmq) ;;
    *) die "unknown server '$1'; there are postgres and rabbitmq" ;;
    esac
}

start() {
    [ $# -le 1 ] || die "start takes at most one server"
    if [ $# -eq 1 ]; then known_part "$1"; else set -- postgres rabbitmq; fi
    trap services_release EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    services_acquire "$@"
    if [ "$1" = postgres ]; then postgres_database kpiline; fi
    : >"$KEEP_MARK"
    trap - EXIT
    rm -f "$USERS_DIR/$$"
    status
}

stop() {
    lock
    if [ $# -ge 1 ]; then
        known_part "$1"
        "$1_stop"
    else
        rm -f "$KEEP_MARK"
        [ -n "$(services_users)" ] || line_stop
        guard_services_off
        local users
        users=$(services_users)
        if [ -n "$users" ]; then
            say "in use by process $(printf '%s' "$users" | tr '\n' ' '), which will end them"
        else
            services_stop_now
        fi
    fi
    unlock
}

# Only what these scripts made, by its name; a folder given as KPILINE_LOCAL_DIR may hold other things.
destroy() {
    rm -f "$KEEP_MARK"
    line_stop
    services_stop_now
    local folder
    folder=/var/tmp/kpiline-$(folder_tag)
    rm -rf "$KPILINE_LOCAL_DIR"/{postgres-*,rabbitmq,servers,logs,demo,bench,run}
    if [ -d "$folder" ] && [ ! -L "$folder" ] && [ "$(stat -c %u "$folder")" -eq "$(id -u)" ]; then rm -rf "$folder"; fi
    rmdir "$KPILINE_LOCAL_DIR" 2>/dev/null || true
}

status() {
    local pid
    if pid=$(postgres_pid); then
        say "postgres: pid $pid, $(postgres_url kpiline), log $LOG_DIR/postgres.log"
    else
        say "postgres: not running"
    fi
    if pid=$(rabbitmq_pid) && rabbitmq_state; then
        say "rabbitmq: pid $pid, $(rabbitmq_url %2f), logs $LOG_DIR/rabbitmq.log and $MQ_BASE/log"
    else
        say "rabbitmq: not running"
    fi
}

print_env() {
    local programs
    programs=$(dirname -- "$(line_program compute)")
    if [ -x "$programs/compute" ]; then printf "export PATH=%q:\"\$PATH\"\n" "$programs"; fi
    if postgres_pid >/dev/null; then
        printf "export KPILINE_DATABASE_URL='%s'\n" "$(postgres_url kpiline)"
        printf "export KPILINE_TEST_DATABASE_URL='%s'\n" "$(postgres_url postgres)"
    fi
    if rabbitmq_pid >/dev/null; then
        printf "export KPILINE_AMQP_URL='%s'\n" "$(rabbitmq_url %2f)"
        printf "export KPILINE_TEST_AMQP_URL='%s'\n" "$(rabbitmq_url %2f)"
        if rabbitmq_tls_url >/dev/null; then
            printf "export KPILINE_TEST_AMQPS_URL='%s'\n" "$(rabbitmq_tls_url %2f)"
            printf "export KPILINE_TEST_TLS_DIR='%s'\n" "$TLS_DIR"
        fi
    fi
}

case ${1:-} in
start | stop | status | destroy)
    "$@"
    ;;
env) print_env ;;
crash)
    known_part "${2:-}"
    "$2_crash"
    ;;
psql)
    shift
    exec "$(psql_command)" -d "$(postgres_url kpiline)" "$@"
    ;;
rabbitmqctl)
    shift
    rabbitmq_ctl "$@"
    ;;
-h | --help | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
