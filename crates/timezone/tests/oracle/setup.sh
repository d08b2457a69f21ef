#!/usr/bin/env bash
# Installs what the oracle of the timezone tests needs from Python's package index, below target/, for this work tree alone.
# Without it those tests are skipped and say so. KPILINE_PYTHON names another interpreter than python3.

set -euo pipefail
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../../.." && pwd)
PACKAGES=${CARGO_TARGET_DIR:-$ROOT/target}/timezone-oracle
PYTHON=${KPILINE_PYTHON:-python3}
# The release of the zone database that chrono-tz has compiled in (2025b), and a list of Windows' names made by others.
WANTED=(tzdata==2025.2 tzlocal==5.4.5)

if [ "$(cat "$PACKAGES/installed" 2>/dev/null)" = "${WANTED[*]}" ]; then
    exit 0
fi
mkdir -p "$PACKAGES"
PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
    "$PYTHON" -m pip install --quiet --no-deps --upgrade --target "$PACKAGES" "${WANTED[@]}"
printf '%s\n' "${WANTED[*]}" >"$PACKAGES/installed"
