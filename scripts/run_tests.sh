#!/usr/bin/env bash
# scripts/run_tests.sh <build folder> : runs the tests of every label this machine can run.
# The last line is "N passed, N failed"; the exit status is ctest's.
set -uo pipefail
build=$1
labels='core|simt'
if [[ -e /dev/nvidia0 ]] || nvidia-smi -L >/dev/null 2>&1; then
    labels+='|gpu'
else
    echo "no GPU here: tests labelled gpu are left out"
fi

results=$build/test-results.xml
rm -f "$results"
ctest --test-dir "$build" --label-regex "^($labels)\$" --parallel "${JOBS:-$(nproc)}" --output-on-failure \
    --no-tests=error --output-junit "$(realpath "$build")/test-results.xml"
status=$?

count() { [[ -f $results ]] && grep -oE "\b$1=\"[0-9]+\"" "$results" | head -n 1 | grep -oE '[0-9]+' || echo 0; }
total=$(count tests)
failed=$(count failures)
skipped=$(($(count skipped) + $(count disabled)))
# A test that could not even be started is "skipped" to JUnit, but ctest fails; so does this line.
not_started=$(grep -c 'message="Unable to find' "$results" 2>/dev/null)
failed=$((failed + ${not_started:-0}))
skipped=$((skipped - ${not_started:-0}))
((skipped > 0)) && echo "$skipped skipped"
echo "$((total - failed - skipped)) passed, $failed failed"
exit "$status"
