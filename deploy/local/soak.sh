#!/usr/bin/env bash
# The demo again and again with other calls each time, until MINUTES have passed or one value differs.
#
#   deploy/local/soak.sh [MINUTES]    (30)

set -euo pipefail
HERE=$(dirname -- "${BASH_SOURCE[0]}")
MINUTES=${1:-30}
[[ $MINUTES =~ ^[1-9][0-9]{0,4}$ ]] || {
    echo "usage: deploy/local/soak.sh [MINUTES]" >&2
    exit 2
}
"$HERE/services.sh" start
trap '"$HERE/services.sh" stop' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
round=0
while [ "$SECONDS" -lt $((MINUTES * 60)) ]; do
    round=$((round + 1))
    "$HERE/demo.sh" --seed "$round" --interactions $((500 + RANDOM % 4000)) || {
        echo "soak: round $round FAILED after $((SECONDS / 60)) minutes" >&2
        exit 1
    }
done
echo "soak: $round rounds in $((SECONDS / 60)) minutes, every value as it should be" >&2
