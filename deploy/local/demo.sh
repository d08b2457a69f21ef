#!/usr/bin/env bash
# The whole line on this machine: webhook, metric, platform. Needs Rust and root or sudo, nothing else.
#
#   deploy/local/demo.sh [--keep] [--interactions N] [--seed S] [--release]
#
#   --keep            leave everything running afterwards, to look around; `deploy/local/services.sh stop` ends it
#   --interactions N  how many calls the platform double makes up (2000)
#   --seed S          which calls (7); equal seeds make equal calls
#   --release         optimised programs. Without it they are built as the tests build them, and then both commands share
#                     one build, which is what takes the minutes
#
# Installs PostgreSQL and RabbitMQ from the distribution if they are missing, starts private ones under .local, builds,
# migrates, starts ingest, compute, deliver and a double of each platform; sends a day of signed webhooks, imports history
# in the platforms' own formats, sends everything again in another order, then changes a KPI's rule: previews it, switches it
# on, computes the past, promotes it and rolls it back. Then compares every value with what the double has worked out by itself,
# and ends with 0 only if all agree. It ends all it has started.
#
# KPILINE_DATABASE_URL (a database it may migrate) and KPILINE_AMQP_URL name servers of your own instead.

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

KEEP='' INTERACTIONS=2000 SEED=7
while [ $# -gt 0 ]; do
    case $1 in
    --keep) KEEP=1 ;;
    --interactions)
        INTERACTIONS=${2:-}
        shift
        ;;
    --seed)
        SEED=${2:-}
        shift
        ;;
    --release) LINE_PROFILE=release ;;
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    *) die "unknown argument '$1'; see --help" ;;
    esac
    shift
done
[[ $INTERACTIONS =~ ^[1-9][0-9]{0,6}$ && $SEED =~ ^[0-9]{1,9}$ ]] || die "--interactions and --seed take numbers"
cd "$KPILINE_ROOT"

# One at a time in this folder; a second folder (KPILINE_LOCAL_DIR) is independent.
exec 7>"$RUN_DIR/demo.lock"
flock -n 7 || die "another demo runs here"

finish() {
    local status=$?
    trap '' INT TERM HUP
    if [ -n "$KEEP" ] && [ "$status" -le 1 ]; then
        : >"$KEEP_MARK"
        demo_where_next >&2 # whoever sees a failure needs it all the more
        say "left running; deploy/local/services.sh stop ends it"
    else
        line_stop
        demo_leave
    fi
    services_release
    case $status in
    0) say "demo: passed in $(elapsed)" ;;
    130 | 143) say "demo: interrupted after $(elapsed); what it started has ended" ;;
    *) say "demo: FAILED (exit $status) after $(elapsed); logs are in $LOG_DIR" ;;
    esac
}

# What would stay behind on servers that are not ours: targets nobody serves, and the tables of the comparison.
demo_leave() {
    if [ -n "${PSQL:-}" ] && [ -z "$PRIVATE_DATABASE" ]; then
        sql "UPDATE sync_targets SET enabled = false WHERE target LIKE '$DEMO_TENANT-%'; DROP SCHEMA IF EXISTS kpiline_demo CASCADE" \
            >/dev/null 2>&1 || true
    fi
}

step "Tools and servers"
PRIVATE_DATABASE='' PRIVATE_BROKER=''
parts=()
[ -n "${KPILINE_DATABASE_URL:-}" ] || { PRIVATE_DATABASE=1 && parts+=(postgres); }
[ -n "${KPILINE_AMQP_URL:-}" ] || { PRIVATE_BROKER=1 && parts+=(rabbitmq); }
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
ensure_cargo
[ -n "$PRIVATE_DATABASE" ] || ensure_tools psql
ensure_tools cc ca "${parts[@]}"
line_stop # what an earlier demo kept
services_acquire "${parts[@]}"
if [ -n "$PRIVATE_DATABASE" ]; then
    postgres_database kpiline_demo fresh
    KPILINE_DATABASE_URL=$(postgres_url kpiline_demo)
    DEMO_TENANT=demo
else
    DEMO_TENANT=demo-$(date +%s)
fi
KPILINE_QUEUE_PREFIX=kpiline.$DEMO_TENANT.
if [ -n "$PRIVATE_BROKER" ]; then
    rabbitmq_fresh_vhost kpiline-demo
    KPILINE_AMQP_URL=$(rabbitmq_url kpiline-demo)
fi
PSQL=$(psql_command)
DEMO_SECRET=$(random_word)
KPILINE_CUSTOMER_KEY=$(random_word)$(random_word)
export KPILINE_DATABASE_URL KPILINE_AMQP_URL KPILINE_QUEUE_PREFIX KPILINE_CUSTOMER_KEY

step "Build ($LINE_PROFILE)"
line_build

step "Migrate"
"$(line_program compute)" migrate 2>>"$LOG_DIR/migrate.log" >&2 || { cat "$LOG_DIR/migrate.log" >&2 && die "the migrations could not be applied"; }

# A definition holds for every organisation in a database: in one that is not ours nothing is switched on.
if [ -n "$PRIVATE_DATABASE" ]; then
    step "Switch on a service level, occupancy and first contact resolution"
    demo_windows_on >&2
fi

step "Start ingest, compute, deliver and the two platforms' doubles"
HTTP_PORT=$(free_port 8080)
INGEST_PORT=$(free_port 9101)
COMPUTE_PORT=$(free_port 9102)
DELIVER_PORT=$(free_port 9104)
GENESYS_PORT=$(free_port 9901)
CXONE_PORT=$(free_port 9902)
PAGE_PORT=$(free_port 9180)
demo_configure
line_start platform-genesys platform-double serve --config "$DEMO_DIR/platform.json" --listen "127.0.0.1:$GENESYS_PORT"
line_start platform-cxone platform-double serve --config "$DEMO_DIR/platform.json" --listen "127.0.0.1:$CXONE_PORT"
line_start ingest ingest serve --http-listen "127.0.0.1:$HTTP_PORT" --ops-listen "127.0.0.1:$INGEST_PORT"
line_start compute compute serve --ops-listen "127.0.0.1:$COMPUTE_PORT"
line_start deliver deliver serve --ops-listen "127.0.0.1:$DELIVER_PORT" --api-tokens "$DEMO_DIR/tokens.toml" --api-listen "127.0.0.1:$PAGE_PORT"
DEMO_RUNNING=(platform-genesys platform-cxone ingest compute deliver)
line_wait_ready platform-genesys "$GENESYS_PORT" /control/state
line_wait_ready platform-cxone "$CXONE_PORT" /control/state
line_wait_ready ingest "$INGEST_PORT"
line_wait_ready compute "$COMPUTE_PORT"
line_wait_ready deliver "$DELIVER_PORT"

step "Send $INTERACTIONS made-up calls as signed webhooks"
DOUBLE=$(line_program platform-double)
"$DOUBLE" generate "$INTERACTIONS" "$SEED" >"$DEMO_DIR/events.jsonl"
demo_truth
STATEMENTS=$(sql "SELECT '$("$DOUBLE" truth "$DEMO_DIR/events.jsonl")'::jsonb ->> 'statements'")
EVENTS=$(wc -l <"$DEMO_DIR/events.jsonl")
"$DOUBLE" emit "$DEMO_DIR/events.jsonl" --url "http://127.0.0.1:$HTTP_PORT/hooks/genesys" --secret "$DEMO_SECRET" --retry >&2
"$DOUBLE" emit tests/fixtures/cxone/interaction-events.jsonl --url "http://127.0.0.1:$HTTP_PORT/hooks/cxone" --secret "$DEMO_SECRET" --retry >&2
watch_until "events received, of $EVENTS sent" demo_counted "+$EVENTS"
watch_until "rows unlike the truth" demo_differences 0 1

step "Import history in the platforms' own formats"
demo_import
watch_until "rows waiting to be pushed" demo_waiting 0

watch_until "marks of windows" demo_marks 0

step "Send everything again, in another order"
DEMO_BEFORE=$(demo_fingerprint)
DEMO_PUSHED=$(demo_pushed)
"$DOUBLE" emit "$DEMO_DIR/events.jsonl" --url "http://127.0.0.1:$HTTP_PORT/hooks/genesys" --secret "$DEMO_SECRET" --retry \
    --shuffle-seed "$SEED" --per-post 20 >&2
watch_until "events received, of $((2 * EVENTS)) sent" demo_counted "+$((2 * EVENTS))"
DEMO_AGAIN=$(demo_fingerprint)
DEMO_PUSHED_AGAIN=$(demo_pushed)

DEMO_PROMOTED='' DEMO_ROLLED_BACK=''
if [ -n "$PRIVATE_DATABASE" ]; then
    step "Change a KPI's rule: try it out, switch it on, compute the past, promote it, roll it back"
    COMPUTE=$(line_program compute)
    DEMO_CHANGED=deploy/config/kpi/adjusted_aht.v2.toml
    demo_timed preview "$COMPUTE" kpi preview "$DEMO_CHANGED" --tenant "$DEMO_TENANT" --show 3 >"$DEMO_DIR/preview.txt"
    demo_timed activate "$COMPUTE" kpi activate "$DEMO_CHANGED" >&2
    demo_timed replay demo_replay
    watch_until "rows of version 2 unlike the truth" demo_differences_second 0
    demo_timed promote "$COMPUTE" kpi promote adjusted_aht@2 >&2
    DEMO_PROMOTED=$(demo_seen)
    "$COMPUTE" kpi explain --tenant "$DEMO_TENANT" "$(demo_excluded)" --kpi adjusted_aht >"$DEMO_DIR/explain.txt"
    demo_timed rollback "$COMPUTE" kpi rollback adjusted_aht >&2
    DEMO_ROLLED_BACK=$(demo_seen)
    watch_until "rows waiting to be pushed" demo_waiting 0
fi
DEMO_AFTER=$(demo_fingerprint)

demo_report
