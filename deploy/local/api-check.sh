#!/usr/bin/env bash
# The read API and the status page as strangers see them: the API by what its own description says (schemathesis), the page in a real
# browser (headless Chromium, with axe-core for accessibility).
#
#   deploy/local/api-check.sh [api|page|serve]    both; one of them; or neither: serve the page and wait, to look at it
#
# Serves them from a database of its own with the rows of tests/browser/seed.sql, on a private PostgreSQL or that of
# KPILINE_TEST_DATABASE_URL. What it needs besides (packages of Python and node, Chromium) it installs below target/ and from the
# distribution; a half for which that fails is skipped, and says so. Pictures of the page are in target/browser/screens.

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

WHAT=${1:-all}
case $WHAT in
all | api | page | serve) ;;
-h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
*) die "unknown argument '$WHAT'; see --help" ;;
esac
cd "$KPILINE_ROOT"

TOOLS=${CARGO_TARGET_DIR:-$KPILINE_ROOT/target}/browser
WORK=$KPILINE_LOCAL_DIR/api-check
DATABASE=kpiline_api_check_$$
SCHEMATHESIS=4.32.5
mkdir -p "$TOOLS" "$WORK"

finish() {
    local status=$?
    proc_stop "$RUN_DIR/line-api-check.pid" 20
    if [ -n "${ADMIN_URL:-}" ]; then
        "$PSQL" -qX -d "$ADMIN_URL" -c "DROP DATABASE IF EXISTS $DATABASE WITH (FORCE)" >/dev/null 2>&1 || true
    fi
    services_release
    if [ "$status" -eq 0 ]; then say "api-check: passed in $(elapsed)"; else say "api-check: FAILED (exit $status) after $(elapsed)"; fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step "Tools and servers"
ensure_cargo
parts=()
[ -n "${KPILINE_TEST_DATABASE_URL:-}" ] || parts+=(postgres)
ensure_tools cc ca psql "${parts[@]}"
services_acquire "${parts[@]}"
ADMIN_URL=${KPILINE_TEST_DATABASE_URL:-$(postgres_url postgres)}
PSQL=$(psql_command)

step "Build"
cargo build --locked --workspace --bin compute --bin deliver

step "Serve"
"$PSQL" -qX -v ON_ERROR_STOP=1 -d "$ADMIN_URL" -c "CREATE DATABASE $DATABASE"
URL=$(sed -E "s#(://[^/]*)/[^?]*#\1/$DATABASE#" <<<"$ADMIN_URL")
KPILINE_DATABASE_URL=$URL "$(line_program compute)" migrate >"$LOG_DIR/api-check.log" 2>&1 || { cat "$LOG_DIR/api-check.log" >&2 && die "the migrations could not be applied"; }
"$PSQL" -qX -v ON_ERROR_STOP=1 -d "$URL" -f tests/browser/seed.sql >>"$LOG_DIR/api-check.log"
printf 'version = 1\n' >"$WORK/tokens.toml"
for of in '*' acme; do
    "$(line_program deliver)" token --name "check-${of/\*/all}" --tenant "$of" >>"$WORK/tokens.toml" 2>"$WORK/token.${of/\*/all}"
done
TOKEN_ALL=$(tail -n 1 "$WORK/token.all") TOKEN_ACME=$(tail -n 1 "$WORK/token.acme")
# Where nobody listens: what is there is looked at, and nothing is pushed.
cat >"$WORK/targets.toml" <<'CONF'
version = 1
[[target]]
name = "quiet"
tenant = "acme"
platform = "genesys-custom-report"
base_url = "http://127.0.0.1:9"
metrics = ["queue_wait"]
credentials = { token_url = "http://127.0.0.1:9/oauth/token", client_id = "client", client_secret = "secret" }
CONF
PORT=$(free_port 9180) OPS=$(free_port 9104)
KPILINE_DATABASE_URL=$URL KPILINE_AMQP_URL=amqp://127.0.0.1:9 \
    line_start api-check deliver serve --targets "$WORK/targets.toml" --ops-listen "127.0.0.1:$OPS" --api-tokens "$WORK/tokens.toml" --api-listen "127.0.0.1:$PORT"
line_wait_ready api-check "$OPS"
BASE=http://127.0.0.1:$PORT
say "serving $BASE"

check_api() {
    local venv=$TOOLS/schemathesis
    if [ "$(cat "$venv/installed" 2>/dev/null)" != "$SCHEMATHESIS" ]; then
        rm -rf "$venv"
        if ! "${KPILINE_PYTHON:-python3}" -m venv "$venv" >&2 || ! "$venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$SCHEMATHESIS" >&2; then
            warn "SKIPPED: the API against its description, for schemathesis could not be installed"
            return 0
        fi
        printf '%s\n' "$SCHEMATHESIS" >"$venv/installed"
    fi
    step "The API against its description (schemathesis)"
    (
        cd "$WORK" # it keeps notes where it runs
        sed "s/@FROM@/$(date -u -d '1 day ago' +%FT%TZ)/; s/@TO@/$(date -u +%FT%TZ)/" "$KPILINE_ROOT/tests/browser/schemathesis.toml" >schemathesis.toml
        "$venv/bin/schemathesis" --config-file schemathesis.toml run "$BASE/api/v1/openapi.json" \
            --header "Authorization: Bearer $TOKEN_ACME"
    )
}

check_page() {
    local chromium modules=$TOOLS/node
    chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
    if [ -z "$chromium" ] || ! command -v npm >/dev/null 2>&1; then
        # Each only where it is missing: a node from elsewhere brings its own npm, and the distribution's would clash with it.
        local missing=()
        [ -n "$chromium" ] || missing+=(chromium fonts-dejavu-core)
        command -v npm >/dev/null 2>&1 || missing+=(nodejs npm)
        (install_packages "${missing[@]}") || true
        chromium=$(command -v chromium || true)
    fi
    if [ -z "$chromium" ] || ! command -v npm >/dev/null 2>&1; then
        warn "SKIPPED: the page in a browser, for Chromium or node could not be installed"
        return 0
    fi
    mkdir -p "$modules"
    if ! cmp -s tests/browser/package.json "$modules/package.json" || [ ! -d "$modules/node_modules/axe-core" ]; then
        cp tests/browser/package.json "$modules/package.json"
        if ! npm install --prefix "$modules" --ignore-scripts --no-audit --no-fund --no-package-lock --loglevel=error >&2; then
            rm -f "$modules/package.json"
            warn "SKIPPED: the page in a browser, for what drives it could not be installed"
            return 0
        fi
    fi
    step "The page in a browser"
    PAGE_URL=$BASE PAGE_TOKEN=$TOKEN_ALL PAGE_CHROMIUM=$chromium PAGE_PACKAGES=$modules PAGE_SCREENS=$TOOLS/screens PAGE_PSQL=$PSQL PAGE_DATABASE_URL=$URL \
        node --test tests/browser/page.test.mjs
    say "pictures are in $TOOLS/screens"
}

case $WHAT in
all) check_api && check_page ;;
api) check_api ;;
page) check_page ;;
serve)
    say "log in at $BASE with $TOKEN_ALL (everything) or $TOKEN_ACME (acme alone); Ctrl-C ends it"
    while line_running api-check; do sleep 1; done
    ;;
esac
