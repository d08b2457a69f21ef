#!/usr/bin/env bash
# Every test of the workspace, on a machine that has only Rust and root or sudo.
#
#   deploy/local/test.sh [ARG...]    arguments go to `cargo nextest run` (or `cargo test`), such as `-p store` or a name
#
# KPILINE_TEST_PROFILE=release builds programs and tests optimised, for the long ones.
#
# Uses private servers under .local, started and ended here, or those you name: KPILINE_TEST_DATABASE_URL (a superuser's, or
# one who may create databases), KPILINE_TEST_AMQP_URL. Every test has a database and queue names of its own.

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
# shellcheck source=lib/lease.sh
. "$LIB/lease.sh"

case ${1:-} in
-h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
cd "$KPILINE_ROOT"

finish() {
    local status=$?
    services_release
    # Test runners hide what a passing test prints, so this is said here.
    [ -d "${KPILINE_SHARED:-$KPILINE_ROOT/../shared}/platforms" ] ||
        warn "SKIPPED inside: tests on the platforms' sample records and the peers' programs, which are in no clone (KPILINE_SHARED names them)"
    [ -n "${ORACLE:-}" ] ||
        warn "SKIPPED inside: zones and business time beside Python's zoneinfo, whose packages could not be installed"
    [ -n "${OBSERVE:-}" ] ||
        warn "SKIPPED inside: alerts, dashboards, images and compose beside their own tools, some of which could not be installed"
    [ -n "${KUBERNETES:-}" ] ||
        warn "SKIPPED inside: the manifests of deploy/kubernetes, for kubectl and Kubernetes' schemas could not be installed"
    if [ "$status" -eq 0 ]; then say "test: passed in $(elapsed)"; else say "test: FAILED (exit $status) after $(elapsed)"; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step "Tools and servers"
ensure_cargo
parts=()
[ -n "${KPILINE_TEST_DATABASE_URL:-}" ] || parts+=(postgres)
[ -n "${KPILINE_TEST_AMQP_URL:-}" ] || parts+=(rabbitmq)
# psql brings pg_dump along, for the test of backup and restore.
ensure_tools cc ca openssl python psql "${parts[@]}"
# Zones and business time are compared with another implementation, at exactly our release of the zone database.
ORACLE=''
if crates/timezone/tests/oracle/setup.sh; then ORACLE=1; fi
# What is under deploy/ is read by the tools that it is for, too. Where CI is set, those tests fail without.
OBSERVE=''
if (ensure_tools promtool alertmanager compose) && tests/deploy/tests/observe/setup.sh; then OBSERVE=1; fi
# The manifests are rendered, and held to Kubernetes' schemas. Where CI is set, those tests fail without.
KUBERNETES=''
if tests/deploy/setup.sh; then KUBERNETES=1; fi
services_acquire "${parts[@]}"
KPILINE_TEST_DATABASE_URL=${KPILINE_TEST_DATABASE_URL:-$(postgres_url postgres)}
KPILINE_TEST_AMQP_URL=${KPILINE_TEST_AMQP_URL:-$(rabbitmq_url %2f)}
export KPILINE_TEST_DATABASE_URL KPILINE_TEST_AMQP_URL

PROFILE=${KPILINE_TEST_PROFILE:-dev}
step "Build"
# The binaries first: system tests run them as real processes, and cargo builds no binary for another package's tests.
cargo build --locked --workspace --bins --profile "$PROFILE"
if [ $# -eq 0 ]; then
    step "Examples in the documentation"
    cargo test --locked --workspace --doc --quiet
fi
step "Tests"
# Beside --workspace, cargo does not listen to -p.
scope=(--workspace)
for word in "$@"; do
    case $word in -p | -p?* | --package | --package=*) scope=() ;; esac
done
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked "${scope[@]}" --cargo-profile "$PROFILE" --no-tests=fail "$@"
else
    say "cargo-nextest is not installed; using cargo test, one test program after another"
    cargo test --locked "${scope[@]}" --profile "$PROFILE" --no-fail-fast --bins --lib --tests "$@"
fi
