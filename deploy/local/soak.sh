#!/usr/bin/env bash
# The long tests, at the sizes that a day of work has no time for.
#
#   deploy/local/soak.sh [MINUTES] [PART...]    (30, every part)
#
#   kills   the kill test with 2000 interactions and 40 kills, with a seed of its own each time
#   outages the broker stopped, in memory alarm, in disk alarm and full for a minute each, the database stopped for five, while events arrive
#   replicas two, then four replicas of ingest and compute, 40 kills, 2000 interactions
#   zones   every zone, and business time in 1000 random schedules, beside another implementation (skipped where it cannot be installed)
#   laws    the property tests of expressions, sessions and KPIs with 20000 cases each (PROPTEST_CASES names another number)
#   windows every window of the peers' workloads of 2000 and of 100000 interactions, with up to 2000 agents, beside a naive truth; then all again
#   change  a KPI's rule changed over 100000 stored interactions, optimised: preview, activate, replay, promote, rollback,
#           each with its seconds
#   backfill 90 days and 500000 conversations from a platform that allows 300 requests a minute, in bad weather, then with 100 kills of its workers
#   freshness a platform that is silent for a quarter of an hour and then sends everything at once, in real time and by the usual thresholds:
#           the banner is on within a minute, and no dip is left unmarked
#   deliver a day of 2000000 metrics to both platforms with one fault in twenty requests, two replicas and 60 kills of them: each platform has
#           what the store has, and at least 95 % of the budget was used
#   failover each node of a RabbitMQ cluster of three lost in turn, and a PostgreSQL primary killed and its standby promoted, three rounds each, while
#           events arrive: nothing accepted is lost, and how long the line stood still is printed
#   restore a dump taken under load, the database lost, and all made whole again from dump, queues and the platform's history
#   upgrade the release before the newest migration (KPILINE_SOAK_OLD_COMMIT names another one) and this one side by side, replica by replica, under load:
#           forth, back and forth
#   image   every step of deploy/image/Dockerfile in a plain folder, optimised, in two places: the programs start, and are the same to the byte
#   capacity the line at 500, 1000, 2000 and 4000 events/s for five minutes each: what it takes beside what deploy/capacity foresees
#   demos   the demo again and again with other calls, until MINUTES have passed since the beginning
#
# Ends at the first that fails. Servers that were kept running before stay so.

set -euo pipefail
HERE=$(dirname -- "${BASH_SOURCE[0]}")
MINUTES=30 PARTS=()
for word in "$@"; do
    case $word in
    kills | outages | replicas | zones | laws | windows | change | backfill | freshness | deliver | failover | restore | upgrade | image | capacity | demos)
        PARTS+=("$word")
        ;;
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    *)
        [[ $word =~ ^[1-9][0-9]{0,4}$ ]] || {
            echo "error: unknown argument '$word'; see --help" >&2
            exit 2
        }
        MINUTES=$word
        ;;
    esac
done
[ ${#PARTS[@]} -gt 0 ] || PARTS=(kills outages replicas zones laws windows change backfill freshness deliver failover restore upgrade image capacity demos)
trap 'exit 130' INT
trap 'exit 143' TERM HUP

kills() {
    KPILINE_SOAK_INTERACTIONS=${KPILINE_SOAK_INTERACTIONS:-2000} KPILINE_SOAK_KILLS=${KPILINE_SOAK_KILLS:-40} \
        KPILINE_SOAK_SEED=${KPILINE_SOAK_SEED:-$(date +%M)} "$HERE/test.sh" --test line kills_at_random --no-capture
}

outages() {
    NEXTEST_PROFILE=soak KPILINE_SOAK_INTERACTIONS=${KPILINE_SOAK_INTERACTIONS:-5000} KPILINE_SOAK_BROKER_SECONDS=60 \
        KPILINE_SOAK_DATABASE_SECONDS=300 "$HERE/test.sh" --test line outages_of_broker --no-capture
}

replicas() {
    NEXTEST_PROFILE=soak KPILINE_SOAK_INTERACTIONS=${KPILINE_SOAK_INTERACTIONS:-2000} KPILINE_SOAK_KILLS=${KPILINE_SOAK_KILLS:-40} \
        KPILINE_SOAK_SEED=${KPILINE_SOAK_SEED:-$(date +%M)} "$HERE/test.sh" --test line replicas_that_come_go --no-capture
}

zones() { KPILINE_SOAK=1 "$HERE/test.sh" -p timezone oracle --no-capture; }

laws() { NEXTEST_PROFILE=soak PROPTEST_CASES=${PROPTEST_CASES:-20000} "$HERE/test.sh" -p expression -p session -p kpi; }

windows() {
    local size
    for size in 2000 100000; do
        NEXTEST_PROFILE=soak KPILINE_SOAK_WINDOWS=$size "$HERE/test.sh" --test line the_peers_workload_with_agents --no-capture
    done
}

# The demo is that very change, with every value compared with the truth before and after.
change() { "$HERE/demo.sh" --release --interactions 100000; }

# Optimised, so that the limit is what bounds it. A page every 0.2 s, from three workers.
backfill() {
    local name
    for name in a_platforms_past workers_that_are_killed; do
        KPILINE_TEST_PROFILE=release NEXTEST_PROFILE=soak KPILINE_SOAK_DAYS=${KPILINE_SOAK_DAYS:-90} \
            KPILINE_SOAK_CONVERSATIONS=${KPILINE_SOAK_CONVERSATIONS:-500000} KPILINE_SOAK_REQUESTS=300 KPILINE_SOAK_WINDOW_SECONDS=60 \
            KPILINE_SOAK_PAGE=200 KPILINE_SOAK_WORKERS=3 KPILINE_SOAK_KILLS=${KPILINE_SOAK_KILLS:-100} \
            "$HERE/test.sh" --test line "$name" --no-capture
    done
}

freshness() {
    NEXTEST_PROFILE=soak KPILINE_SOAK_MINUTE_SECONDS=60 "$HERE/test.sh" --test line a_quarter_of_an_hour_of_silence --no-capture
}

# Optimised, with nothing else running, so that the budgets are what bounds it: 1,200 requests a minute, and 18 of CXone's.
deliver() {
    KPILINE_TEST_PROFILE=release NEXTEST_PROFILE=soak KPILINE_SOAK_METRICS=${KPILINE_SOAK_METRICS:-2000000} \
        KPILINE_SOAK_KILLS=${KPILINE_SOAK_KILLS:-60} KPILINE_SOAK_REQUESTS=${KPILINE_SOAK_REQUESTS:-200} KPILINE_SOAK_CXONE_REQUESTS=${KPILINE_SOAK_CXONE_REQUESTS:-3} \
        KPILINE_SOAK_CXONE_BATCH=10000 KPILINE_SOAK_BUDGET_SHARE=0.95 KPILINE_SOAK_SEED=${KPILINE_SOAK_SEED:-$(date +%M)} \
        "$HERE/test.sh" --test line a_day_of_metrics --no-capture
}

failover() {
    local name
    for name in each_node_of_the_broker a_standby_takes_over; do
        NEXTEST_PROFILE=soak KPILINE_SOAK_FAILOVER_ROUNDS=${KPILINE_SOAK_FAILOVER_ROUNDS:-3} KPILINE_SOAK_FAILOVER_SECONDS=${KPILINE_SOAK_FAILOVER_SECONDS:-20} \
            "$HERE/test.sh" --test line "$name" --no-capture
    done
}

restore() {
    NEXTEST_PROFILE=soak KPILINE_SOAK_RESTORE_INTERACTIONS=${KPILINE_SOAK_RESTORE_INTERACTIONS:-5000} \
        "$HERE/test.sh" --test line a_restored_dump --no-capture
}

# The older release is built in a working tree of its own and into the same folder, so that what both need of others is compiled once; its
# programs are put aside before the tests build ours.
upgrade() {
    local root old status=0 profile=${KPILINE_TEST_PROFILE:-dev} commit
    root=$(cd -- "$HERE/../.." && pwd -P)
    old=${KPILINE_LOCAL_DIR:-$root/.local}/upgrade
    commit=${KPILINE_SOAK_OLD_COMMIT:-$(git -C "$root" log -1 --format=%H -- migrations)^}
    git -C "$root" rev-parse --quiet --verify "$commit^{commit}" >/dev/null || {
        echo "error: $commit is not in this clone; fetch its history, or name another one with KPILINE_SOAK_OLD_COMMIT" >&2
        return 1
    }
    mkdir -p "$old/bin"
    git -C "$root" worktree remove --force "$old/source" 2>/dev/null || true
    git -C "$root" worktree add --quiet --detach "$old/source" "$commit"
    upgrade_with "$root" "$old" "$profile" || status=$?
    git -C "$root" worktree remove --force "$old/source"
    return "$status"
}

upgrade_with() {
    local root=$1 old=$2 profile=$3 target name folder=$3
    target=${CARGO_TARGET_DIR:-$root/target}
    [ "$profile" != dev ] || folder=debug
    (cd "$old/source" && CARGO_TARGET_DIR=$target cargo build --locked --workspace --bins --profile "$profile") || return 1
    for name in ingest compute backfill deliver; do cp --force "$target/$folder/$name" "$old/bin/$name" || return 1; done
    NEXTEST_PROFILE=soak KPILINE_SOAK_OLD_BINARIES=$old/bin KPILINE_SOAK_INTERACTIONS=${KPILINE_SOAK_INTERACTIONS:-1500} \
        "$HERE/test.sh" --test line an_upgrade_and_the_way_back --no-capture
}

image() {
    NEXTEST_PROFILE=soak KPILINE_SOAK_IMAGE=1 "$HERE/test.sh" -p deploy the_whole_dockerfile --no-capture
}

capacity() { KPILINE_CAPACITY_SECONDS=${KPILINE_CAPACITY_SECONDS:-300} "$HERE/bench.sh" capacity; }

demos() {
    local round=0
    while [ "$SECONDS" -lt $((MINUTES * 60)) ]; do
        round=$((round + 1))
        "$HERE/demo.sh" --seed "$round" --interactions $((500 + RANDOM % 4000)) || {
            echo "soak: round $round FAILED after $((SECONDS / 60)) minutes" >&2
            return 1
        }
    done
    echo "soak: $round demos, every value as it should be" >&2
}

for part in "${PARTS[@]}"; do
    began=$SECONDS
    echo "soak: $part" >&2
    "$part" || {
        echo "soak: $part FAILED after $((SECONDS - began)) s" >&2
        exit 1
    }
    echo "soak: $part passed in $((SECONDS - began)) s" >&2
done
echo "soak: ${PARTS[*]} in $((SECONDS / 60)) minutes, every value as it should be" >&2
