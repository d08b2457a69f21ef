#!/bin/sh
# skeleton.sh SOURCE SKELETON: the manifests of the workspace, with targets that hold nothing. What cargo compiles of it are the dependencies.
set -eu
source=$1 skeleton=$2

mkdir -p "$skeleton"
for file in Cargo.toml Cargo.lock; do cp "$source/$file" "$skeleton/$file"; done
# Every member, wherever the workspace has them; a package that it excludes has a lock file of its own.
find "$source/bins" "$source/crates" "$source/tests" -mindepth 2 -maxdepth 2 -name Cargo.toml | LC_ALL=C sort | while read -r manifest; do
    member=$(dirname -- "$manifest")
    [ ! -e "$member/Cargo.lock" ] || continue
    to=$skeleton/${member#"$source/"}
    mkdir -p "$to/src"
    cp "$manifest" "$to/Cargo.toml"
    # What the member has, and what its manifest names.
    for kind in lib main; do
        [ ! -e "$member/src/$kind.rs" ] || : >"$to/src/$kind.rs"
    done
    [ ! -e "$to/src/main.rs" ] || echo 'fn main() {}' >"$to/src/main.rs"
    sed -n 's/^path = "\(.*\.rs\)"$/\1/p' "$manifest" | while read -r target; do
        [ -e "$to/$target" ] || { mkdir -p "$(dirname -- "$to/$target")" && echo 'fn main() {}' >"$to/$target"; }
    done
    # Benches and build scripts, by their usual places.
    if [ -e "$member/build.rs" ]; then echo 'fn main() {}' >"$to/build.rs"; fi
done
