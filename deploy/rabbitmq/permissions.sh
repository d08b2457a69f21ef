#!/usr/bin/env bash
# The broker's users, a user for each part of the line, with the rights of definitions.json beside this file and no others.
#
#   deploy/rabbitmq/permissions.sh PASSWORDS [COMMAND...]
#
# PASSWORDS is a folder with a file for each user, such as PASSWORDS/kpiline-compute, that holds its password in one line. A user without a file keeps
# the password it has, and must exist. COMMAND runs rabbitmqctl where it works (default: rabbitmqctl), such as
# `kubectl exec -i rabbitmq-server-0 -c rabbitmq -- rabbitmqctl`. Repeatable: users that exist get the password and rights of now.
#
# KPILINE_VHOST names another virtual host than /, KPILINE_QUEUE_PREFIX another prefix than kpiline. (the dot is part of it).

set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
VHOST=${KPILINE_VHOST:-/}
PREFIX=${KPILINE_QUEUE_PREFIX:-kpiline.}

case ${1:-} in
'' | -h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit "$([ $# -gt 0 ] && echo 0 || echo 2)"
    ;;
esac
PASSWORDS=$1
shift
[ -d "$PASSWORDS" ] || {
    printf 'error: %s is no folder\n' "$PASSWORDS" >&2
    exit 1
}
[ $# -gt 0 ] || set -- rabbitmqctl

# field NAME LINE: a value of an object that is on one line; backslashes are doubled in JSON.
field() { sed -E "s/.*\"$1\": \"([^\"]*)\".*/\\1/; s/\\\\\\\\/\\\\/g" <<<"$2"; }

known=$("$@" --quiet list_users --no-table-headers </dev/null | awk '{ print $1 }')
escaped=${PREFIX//./\\.}
while IFS= read -r line; do
    user=$(field user "$line")
    file=$PASSWORDS/$user
    # The password goes in by standard input: a command line can be seen by everybody on the machine.
    if grep -qxF -- "$user" <<<"$known"; then
        if [ -s "$file" ]; then "$@" --quiet change_password "$user" <"$file"; fi
    elif [ -s "$file" ]; then
        "$@" --quiet add_user "$user" <"$file"
    else
        printf 'error: user %s does not exist, and %s has no password for it\n' "$user" "$file" >&2
        exit 1
    fi
    rights=()
    for kind in configure write read; do
        pattern=$(field "$kind" "$line")
        rights+=("${pattern//kpiline\\./$escaped}")
    done
    "$@" --quiet set_permissions -p "$VHOST" "$user" "${rights[@]}" </dev/null
    printf '%s: configure %s, write %s, read %s\n' "$user" "${rights[@]}"
done < <(grep '"user"' "$HERE/definitions.json")
