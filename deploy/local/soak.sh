#!/usr/bin/env bash
# The long tests, at the sizes that a day of work has no time for.
#
#   deploy/local/soak.sh [MINUTES]    (30)
#
# First the kill test with 2000 interactions and 40 kills, with a seed of its own each time. Then the demo again and
# again with other calls, until MINUTES have passed or one value differs. Servers that were kept running before stay so.

set -euo pipefail
HERE=$(dirname -- "${BASH_SOURCE[0]}")
MINUTES=${1:-30}
[[ $MINUTES =~ ^[1-9][0-9]{0,4}$ ]] || {
    echo "usage: deploy/local/soak.sh [MINUTES]" >&2
    exit 2
}
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "soak: kills" >&2
KPILINE_SOAK_INTERACTIONS=${KPILINE_SOAK_INTERACTIONS:-2000} KPILINE_SOAK_KILLS=${KPILINE_SOAK_KILLS:-40} \
    KPILINE_SOAK_SEED=${KPILINE_SOAK_SEED:-$(date +%M)} "$HERE/test.sh" -p system kills_at_random --no-capture

round=0
while [ "$SECONDS" -lt $((MINUTES * 60)) ]; do
    round=$((round + 1))
    "$HERE/demo.sh" --seed "$round" --interactions $((500 + RANDOM % 4000)) || {
        echo "soak: round $round FAILED after $((SECONDS / 60)) minutes" >&2
        exit 1
    }
done
echo "soak: the kills and $round demos in $((SECONDS / 60)) minutes, every value as it should be" >&2
