#!/usr/bin/env bash
# Fuzzes every decoder, the HTTP path and the configuration files: each target for some time, with inputs that coverage leads to.
#
#   deploy/local/fuzz.sh [SECONDS] [TARGET...]    (60 a target, every target)
#
#   --samples FOLDER   the files of a folder of real samples are seeds too (the default: KPILINE_SHARED, else ../shared beside the
#                      workspace, if it is there); they are read at run time and never committed
#   --list             the targets, one a line
#
# Needs a C++ compiler for libFuzzer and no nightly: the instrumentation is the stable compiler's, without the address sanitiser,
# which code without `unsafe` has little use for. `cargo fuzz run --fuzz-dir tests/fuzz -s none TARGET` works as well where it is installed.
# A target fails by a panic, by an input that takes longer than ten seconds, and by more than 1 GiB of memory. What it failed on is
# kept in tests/fuzz/artifacts/TARGET, what was learnt in tests/fuzz/corpus/TARGET. Memory and time are asserted by the targets
# themselves, too: items, texts and facts are bounded by the size of their input.

set -euo pipefail
HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
FUZZ=$(cd -- "$HERE/../../tests/fuzz" && pwd)
SHARED=${KPILINE_SHARED:-$HERE/../../../shared}
RUN_SECONDS=60 TARGETS=() SAMPLES=
[ -d "$SHARED/platforms" ] && SAMPLES=$SHARED/platforms

# Those that say so in Cargo.toml.
known() { sed -n 's/^name = "\([a-z_]*\)"$/\1/p' "$FUZZ/Cargo.toml"; }

while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    --list)
        known
        exit 0
        ;;
    --samples)
        [ -d "${2:-}" ] || {
            echo "error: --samples needs a folder" >&2
            exit 2
        }
        SAMPLES=$2
        shift
        ;;
    *)
        if [[ $1 =~ ^[1-9][0-9]{0,5}$ ]]; then
            RUN_SECONDS=$1
        elif known | grep -qx -- "$1"; then
            TARGETS+=("$1")
        else
            echo "error: '$1' is neither a number of seconds nor a target; see --help and --list" >&2
            exit 2
        fi
        ;;
    esac
    shift
done
[ ${#TARGETS[@]} -gt 0 ] || mapfile -t TARGETS < <(known)
command -v c++ >/dev/null || {
    echo "error: libFuzzer is C++, and there is no compiler for it (install g++ or clang)" >&2
    exit 1
}
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The instrumentation that cargo-fuzz asks for, without a sanitiser. A host named by --target keeps build scripts without it.
HOST=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
TARGET_DIR=${KPILINE_FUZZ_TARGET_DIR:-$FUZZ/target}
BUILD=()
for target in "${TARGETS[@]}"; do BUILD+=(--bin "$target"); done
# Some need much more than the adapters.
FEATURES=()
for target in "${TARGETS[@]}"; do
    case $target in
    http | subscriptions_file) FEATURES+=(--features ingest) ;;
    definitions_file) FEATURES+=(--features definitions) ;;
    esac
done
echo "fuzz: building ${TARGETS[*]}" >&2
cargo build --manifest-path "$FUZZ/Cargo.toml" --locked --release --target "$HOST" --target-dir "$TARGET_DIR" \
    "${FEATURES[@]}" "${BUILD[@]}"

# Samples by what they are; a decoder can be given any of them, but learns most from its own.
samples() {
    [ -n "$SAMPLES" ] || return 0
    case $1 in
    json_formats | digests | mapped) find -L "$SAMPLES" -type f \( -name '*.json' -o -name '*.jsonl' \) -size -64k ;;
    csv_reports) find -L "$SAMPLES" -type f -name '*.csv' -size -64k ;;
    esac
}

SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
FAILED=()
for target in "${TARGETS[@]}"; do
    corpus=$FUZZ/corpus/$target artifacts=$FUZZ/artifacts/$target extra=$SCRATCH/$target
    mkdir -p "$corpus" "$artifacts" "$extra"
    number=0
    while IFS= read -r file; do
        number=$((number + 1))
        cp -- "$file" "$extra/$number"
    done < <(samples "$target")
    echo "fuzz: $target for $RUN_SECONDS s, $number samples as seeds" >&2
    log=$SCRATCH/$target.log
    if "$TARGET_DIR/$HOST/release/$target" "$corpus" "$FUZZ/seeds/$target" "$extra" -max_total_time="$RUN_SECONDS" \
        -timeout=10 -rss_limit_mb=1024 -max_len=16384 -print_final_stats=1 -artifact_prefix="$artifacts/" >"$log" 2>&1; then
        awk -v target="$target" '
            /^stat::number_of_executed_units/ { units = $2 }
            /^stat::average_exec_per_sec/ { speed = $2 }
            /^stat::peak_rss_mb/ { memory = $2 }
            / cov: / { for (at = 1; at < NF; at++) if ($at == "cov:") covered = $(at + 1) }
            END { printf "fuzz: %s: %s inputs, %s a second, %s places covered, %s MB at most\n", target, units, speed, covered, memory }
        ' "$log" >&2
    else
        FAILED+=("$target")
        tail -n 60 "$log" >&2
        echo "fuzz: $target FAILED; the input is in ${artifacts#"$FUZZ"/../../}" >&2
    fi
done
if [ ${#FAILED[@]} -gt 0 ]; then
    echo "fuzz: FAILED: ${FAILED[*]}" >&2
    exit 1
fi
echo "fuzz: ${#TARGETS[@]} targets for $RUN_SECONDS s each, no crash, no hang, memory bounded" >&2
