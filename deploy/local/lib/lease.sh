# shellcheck shell=bash
# Who needs the private servers, and the rule that follows: the last one who needs them ends them, unless somebody said keep.
# Sourced after the files above.

USERS_DIR=$RUN_DIR/users
KEEP_MARK=$RUN_DIR/keep
mkdir -p "$USERS_DIR"

# services_acquire [postgres] [rabbitmq]: starts what is named and not yet running, for this script. Call services_release
# from an EXIT trap set before.
services_acquire() {
    lock
    guard_services_off
    proc_record "$USERS_DIR/$$" $$
    local part parts=("$@")
    [ ${#parts[@]} -eq 0 ] || ensure_tools "${parts[@]}"
    if tls_wanted; then ensure_tools openssl; fi
    for part in "${parts[@]}"; do
        "${part}_start"
    done
    unlock
}

services_release() {
    trap '' INT TERM HUP # a second Ctrl-C must not leave half of it running
    lock
    guard_services_off
    rm -f "$USERS_DIR/$$"
    if [ ! -e "$KEEP_MARK" ] && [ -z "$(services_users)" ]; then
        services_stop_now
    fi
    unlock
}

# The scripts that use the servers at this moment; forgets those that died without saying so.
services_users() {
    local file pid
    for file in "$USERS_DIR"/*; do
        [ -e "$file" ] || continue
        if pid=$(proc_alive "$file"); then printf '%s\n' "$pid"; else rm -f "$file"; fi
    done
}

services_stop_now() {
    rabbitmq_stop
    postgres_stop
}
