#!/bin/sh
# build.sh BINARY PROFILE TARGET: compiles what is ours, from the root of the clone. Features are those of the whole workspace, so that what is
# shipped is what the tests ran against.
set -eu
binary=$1 profile=$2 target=$3
case $binary in
ingest | compute | backfill | deliver) ;;
*)
    echo "BINARY is '$binary': it must be ingest, compute, backfill or deliver" >&2
    exit 2
    ;;
esac
# Of what was made of the empty sources nothing counts. The real ones may be older than it, and cargo goes by age.
if [ -e "$target/.skeleton" ]; then
    find bins crates tests migrations -type f -exec touch {} +
    rm "$target/.skeleton"
fi
cargo build --locked --workspace --bin "$binary" --profile "$profile"
