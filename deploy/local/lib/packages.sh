# shellcheck shell=bash
# Finds what the scripts need and installs what is missing from the distribution. Sourced after common.sh.

# ensure_tools TOOL...: tools among cc, ca, openssl, postgres, psql, python, rabbitmq, promtool, alertmanager, compose, shellcheck.
ensure_tools() {
    local tool packages=()
    for tool in "$@"; do
        case $tool in
        cc) has_c_compiler || packages+=(gcc libc6-dev) ;;
        ca) has_certificates || packages+=(ca-certificates) ;;
        openssl) command -v openssl >/dev/null 2>&1 || packages+=(openssl) ;;
        postgres) postgres_bin >/dev/null || packages+=(postgresql) ;;
        psql) psql_command >/dev/null || packages+=(postgresql-client) ;;
        python) "${KPILINE_PYTHON:-python3}" -m pip --version >/dev/null 2>&1 || packages+=(python3 python3-pip) ;;
        rabbitmq) rabbitmq_sbin >/dev/null || packages+=(rabbitmq-server) ;;
        promtool) command -v promtool >/dev/null 2>&1 || packages+=(prometheus) ;;
        alertmanager) command -v amtool >/dev/null 2>&1 || packages+=(prometheus-alertmanager) ;;
        compose) command -v docker-compose >/dev/null 2>&1 || packages+=(docker-compose) ;;
        shellcheck) command -v shellcheck >/dev/null 2>&1 || packages+=(shellcheck) ;;
        *) die "unknown tool '$tool'" ;;
        esac
    done
    [ ${#packages[@]} -eq 0 ] || install_packages "${packages[@]}"
}

has_c_compiler() { # a linker alone is not enough: the TLS library and the allocator hold C sources
    command -v cc >/dev/null 2>&1 && printf '#include <stdio.h>\n' | cc -E -x c - >/dev/null 2>&1
}

has_certificates() {
    [ -n "${SSL_CERT_FILE:-}" ] && [ -s "$SSL_CERT_FILE" ] && return 0
    [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/pki/tls/certs/ca-bundle.crt ]
}

# postgres_bin: the folder with initdb and postgres, the newest of several.
postgres_bin() {
    local dir
    for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5 -rn) $(dirname -- "$(command -v postgres || echo /-)"); do
        if [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ] && [ -x "$dir/pg_ctl" ]; then
            printf '%s' "$dir"
            return 0
        fi
    done
    return 1
}

psql_command() {
    local dir
    if dir=$(postgres_bin) && [ -x "$dir/psql" ]; then
        printf '%s' "$dir/psql"
    else
        command -v psql
    fi
}

# rabbitmq_sbin: the folder of the original scripts; Debian's wrappers in /usr/sbin insist on one system-wide user.
rabbitmq_sbin() {
    local dir
    for dir in /usr/lib/rabbitmq/bin $(dirname -- "$(readlink -f "$(command -v rabbitmq-server || echo /-)")"); do
        if [ -x "$dir/rabbitmq-server" ] && [ "$dir" != /usr/sbin ]; then
            printf '%s' "$dir"
            return 0
        fi
    done
    return 1
}

ensure_cargo() {
    if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
        export PATH
    fi
    command -v cargo >/dev/null 2>&1 ||
        die "cargo is missing. Rust is the one thing to bring along: install it with rustup, then run this again"
}

# ---- apt -------------------------------------------------------------------------------------------------------------
# Debian starts a freshly installed server at once and at every boot, on the default port, and makes a default cluster. We
# want the programs only. While apt runs, a policy script denies starts and a drop-in denies the cluster; both are ours, and
# are removed afterwards. A policy script that is already there (containers have one) is somebody's decision and stays.

POLICY_FILE=/usr/sbin/policy-rc.d
POLICY_MARK='# kpiline: temporary, while packages are being installed'
CLUSTER_DROP_IN=/etc/postgresql-common/createcluster.d/kpiline.conf

install_packages() {
    command -v apt-get >/dev/null 2>&1 ||
        die "missing here: $*. Install what these Debian packages hold, or name running servers (see deploy/README.md)"
    is_root || command -v sudo >/dev/null 2>&1 ||
        die "missing here: $*. Installing them needs root or sudo: apt-get install $*"

    step "Installing from the distribution: $*"
    local status=0 unit units=()
    [ -e /usr/sbin/rabbitmq-server ] || units+=(rabbitmq-server.service epmd.socket)
    command -v promtool >/dev/null 2>&1 || units+=(prometheus.service)
    command -v amtool >/dev/null 2>&1 || units+=(prometheus-alertmanager.service)
    guard_services_on
    # Lists of a foreign source that cannot be reached are no reason to stop; the install below is what counts.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 update >&2 ||
        warn "apt-get update was not complete; going on with the lists there are"
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends --no-upgrade "$@" >&2 || status=$?
    # Nor at the next boot: what we installed was asked for by us alone, for private instances.
    if [ -d /run/systemd/system ]; then
        for unit in ${units[@]+"${units[@]}"}; do as_root systemctl disable --quiet "$unit" >&2 2>/dev/null || true; done
    fi
    guard_services_off
    [ "$status" -eq 0 ] || die "apt-get could not install: $* (its message is above)"
    hash -r
}

guard_services_on() {
    if [ ! -e "$POLICY_FILE" ]; then
        printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" | as_root tee "$POLICY_FILE" >/dev/null
        as_root chmod 0755 "$POLICY_FILE"
    fi
    if [ ! -e "$CLUSTER_DROP_IN" ]; then
        as_root mkdir -p "${CLUSTER_DROP_IN%/*}"
        printf '%s\ncreate_main_cluster = false\n' "$POLICY_MARK" | as_root tee "$CLUSTER_DROP_IN" >/dev/null
    fi
}

# Also called at the start of every run, for a run that was killed before it could tidy up.
guard_services_off() {
    local file
    for file in "$POLICY_FILE" "$CLUSTER_DROP_IN"; do
        if [ -f "$file" ] && grep -qxF "$POLICY_MARK" "$file" 2>/dev/null; then
            as_root rm -f "$file"
        fi
    done
}
