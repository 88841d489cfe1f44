#!/usr/bin/env bash
# scripts/check_gpu.sh <build folder> : on a machine with a GPU, what must pass before work on kernels is called done:
# the tests tagged [gpu], and compute-sanitizer over small problems. What is missing or skipped counts as failed.
# A line for each, last "N passed, N failed"; the exit status is 1 when anything failed.
set -uo pipefail
[[ $# == 1 && -d $1/tests ]] || { echo "usage: scripts/check_gpu.sh <build folder with built tests>" >&2; exit 2; }
build=$(realpath "$1")
# As in ctest: neither the user's cache nor what an earlier run compiled.
cache=$build/test-cache/check_gpu
rm -rf "$cache"
mkdir -p "$cache"
export XDG_CACHE_HOME=$cache
output=$cache/output.txt
passed=0 failed=0

report() { # <name> <problem, empty when there is none>
    if [[ -z $2 ]]; then
        passed=$((passed + 1))
        echo "passed  $1"
    else
        failed=$((failed + 1))
        echo "FAILED  $1: $2"
    fi
}

# <name> <command...>. Catch2 exits with 0 where nothing matched, and version 2 also where a case skipped itself.
check() {
    local name=$1 problem="" status=0
    shift
    "$@" >"$output" 2>&1 || status=$?
    if ((status)); then
        problem="exit status $status"
    elif grep -qE 'No tests? (cases matched|ran)|No test cases' "$output"; then
        problem="no test ran"
    elif grep -qi 'skipped:' "$output"; then
        problem="a test was $(grep -iom 1 'skipped:.*' "$output")"
    fi
    [[ -z $problem ]] || tail -n 40 "$output"
    report "$name" "$problem"
}

has_gpu_tests() { [[ -n $("$1" --list-tests '~[.][gpu]' 2>/dev/null | grep -F '[gpu]') ]]; }

for room in kernels cuda; do
    [[ -x $build/tests/test_$room ]] || report "$room.gpu" "$build/tests/test_$room is not built"
done
for program in "$build"/tests/test_*; do
    [[ -f $program && -x $program ]] || continue
    if has_gpu_tests "$program"; then check "${program##*/test_}.gpu" "$program" '~[.][gpu]'; fi
done

sanitizer=$(command -v compute-sanitizer || true)
for place in "${CUDA_PATH:-}" "${CUDA_HOME:-}" /usr/local/cuda; do
    [[ -z $sanitizer && -n $place && -x $place/bin/compute-sanitizer ]] && sanitizer=$place/bin/compute-sanitizer
done
# Kernels where racecheck takes a raw bulk copy, a write, for a race with the reads it is for: between them stands an
# mbarrier that completes by bytes, which racecheck does not follow (for tensor copies it does). The emulator's shadow
# state and bitwise repeats vouch for these; docs/learnt.md. Over the problems of the tests there are
# six such reports: a seventh is something else.
known_bulk_copies='Race reported between Write access at flash_bwd_dkv_sm90\+'
most_known_reports=6

check_races() {
    local problem="" status=0 known
    "$sanitizer" --tool racecheck "$build/tests/test_kernels" '[sanitizer]' >"$output" 2>&1 || status=$?
    known=$(grep -cE "$known_bulk_copies" "$output")
    if ((status)); then
        problem="exit status $status"
    elif ! grep -qE 'All tests passed' "$output" || ! grep -qE 'RACECHECK SUMMARY' "$output"; then
        problem="it did not come to its end"
    elif (($(grep -cE '^=+ +(Error|Warning):' "$output") > known)); then
        grep -E '^=+ +(Error|Warning):' "$output" | grep -vE "$known_bulk_copies" | sort | uniq -c
        problem="it reports more than the known bulk copies"
    elif ((known > most_known_reports)); then
        problem="more reports than of the $most_known_reports bulk copies"
    fi
    [[ -z $problem ]] || tail -n 40 "$output"
    report "racecheck, but for $known reports of bulk copies" "$problem"
}

for tool in memcheck racecheck synccheck; do
    if [[ -z $sanitizer ]]; then
        report "$tool" "compute-sanitizer is missing (it comes with the CUDA toolkit); looked in PATH, CUDA_PATH, CUDA_HOME"
    elif [[ $tool == racecheck ]]; then
        check_races
    else
        check "$tool" "$sanitizer" --tool "$tool" --error-exitcode 1 "$build/tests/test_kernels" '[sanitizer]'
    fi
done

echo "$passed passed, $failed failed"
((failed == 0))
