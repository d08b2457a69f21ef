#!/bin/sh
# secrets.sh [FOLDER]: makes the secrets of this project, each once, in ./secrets. What is there stays as it is.
# Nobody else can enter the folder. The files in it can be read by everybody, for the programs in the containers are other users than you.
set -eu
cd -- "$(dirname -- "$0")"
folder=${1:-secrets}
# Where deliver leaves files: it is another user than you, too.
[ $# -gt 0 ] || { mkdir -p feeds && chmod 1777 feeds; }
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
put() { # put NAME TEXT...: a line each
    [ ! -e "$1" ] || return 0
    name=$1
    shift
    printf '%s\n' "$@" >"$name"
    chmod 644 "$name"
}

for role in ingest compute backfill deliver; do
    put "$role-password" "$(random)"
    put "$role-database-url" "postgres://kpiline_$role:$(cat "$role-password")@postgres:5432/kpiline?sslmode=disable"
done
put read-password "$(random)"
put postgres-password "$(random)"
put migrate-database-url "postgres://kpiline:$(cat postgres-password)@postgres:5432/kpiline?sslmode=disable"
if [ ! -e amqp-url ]; then
    password=$(random)
    put amqp-url "amqp://kpiline:$password@rabbitmq:5672/%2f"
    put rabbitmq.conf 'default_user = kpiline' "default_pass = $password" 'default_permissions.configure = .*' 'default_permissions.read = .*' 'default_permissions.write = .*'
fi
put webhook-secret "$(random)"
put customer-key "$(random)"
put grafana-password "$(random)"
if [ ! -e api-tokens ]; then
    token=kpl_$(random)
    digest=$(printf '%s' "$token" | sha256sum)
    put api-tokens 'version = 1' '[[token]]' 'name = "laptop"' "sha256 = \"${digest%% *}\"" 'tenants = ["*"]'
    # Not for a container: it is what you give the page.
    put page-token "$token"
fi
