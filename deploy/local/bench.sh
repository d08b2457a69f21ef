#!/usr/bin/env bash
# How fast it is on this machine, with release builds.
#
#   deploy/local/bench.sh [engine|http|all] [--interactions N]
#
#   engine   events of a file to metrics, no services: `compute replay-file`
#   http     signed webhooks to metric rows, the whole line on private servers, with one event a POST and with 100

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
# shellcheck source=lib/lease.sh
. "$LIB/lease.sh"
KPILINE_PROFILE=release
# shellcheck source=lib/line.sh
. "$LIB/line.sh"

die "not yet: needs the platform double's workload"
