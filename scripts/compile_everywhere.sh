#!/usr/bin/env bash
# scripts/compile_everywhere.sh <build folder> : the candidates that fit, of one problem for each dtype and for backward,
# compiled for every architecture the library knows, on this machine and without any of those GPUs; then how many fit with a
# safety margin. One line for each, last "N passed, N failed"; the exit status is 1 when a candidate did not compile or none fits.
set -uo pipefail
[[ $# == 1 && -x $1/bin/attune-tune ]] || { echo "usage: scripts/compile_everywhere.sh <build folder>" >&2; exit 2; }
tune=$1/bin/attune-tune
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
passed=0 failed=0

# What differs between architectures is between these: all of their candidates; of the others', which take the same
# paths through the templates, the first few. sm_90a is like sm_80 but for 16 bits.
every_candidate=" sm_75 sm_80 sm_90a "

# <arch> <dtype> <head dim> [operation] [more of the problem ...]
compile() {
    local problem=(--op "${4:-forward}" --dtype "$2" --head-dim "$3" --causal "${@:5}") output summary
    [[ $every_candidate == *" $1 "* && $1:$2 != sm_90a:f[36]* ]] || problem+=(--max-candidates 3)
    if output=$("$tune" --target "$1" --compile-only --cache-dir "$cache" "${problem[@]}" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$output"
    fi
    # A line for each stage.
    summary=$(sed -n 's/^compiled only, nothing was run: //p' <<<"$output" | paste -sd ';')
    echo "$1 ${4:-forward} $2 D=$3${5:+ ${*:5}}: $summary"
}

# How many candidates a margin leaves: those that `why` calls ok.
fitting() { "$1/bin/attune-inspect" why --target "$2" --dtype bf16 --head-dim 128 --causal --margin "$3" | grep -c ' ok *$'; }

for arch in sm_75 sm_80 sm_86 sm_87 sm_89 sm_90a sm_100a sm_103a sm_120a; do
    compile $arch f16 64
    [[ $arch == sm_75 ]] || compile $arch bf16 128
    compile $arch f32 64
    compile $arch f64 64
    compile $arch f16 128 forward --seqlen-q 1 --heads-kv 8
    compile $arch f16 96 backward
    [[ $arch == sm_75 ]] || compile $arch bf16 256 backward
    compile $arch f32 64 backward
    compile $arch f64 32 backward
    [[ $arch == sm_75 ]] || echo "$arch bf16 D=128: $(fitting "$1" $arch 0) candidates fit, $(fitting "$1" $arch 10) with a margin of 10 %"
done
echo "$passed passed, $failed failed"
((failed == 0))
