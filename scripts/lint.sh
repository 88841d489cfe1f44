#!/usr/bin/env bash
# scripts/lint.sh <build folder> : clang-tidy over the sources a configured build knows.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/default}
[[ -f $build/compile_commands.json ]] || cmake --preset "$(basename "$build")" >/dev/null
tool=$(command -v clang-tidy-14 || command -v clang-tidy)
# The generated text of the templates is compiled, but not ours to lint.
mapfile -t files < <(python3 - "$build/compile_commands.json" "$PWD" <<'PYTHON'
import json, sys
root = sys.argv[2] + "/"
paths = {entry["file"] for entry in json.load(open(sys.argv[1]))}
print("\n".join(sorted(p for p in paths if p.startswith(root) and not p.startswith(root + "build/"))))
PYTHON
)
printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" "$tool" -p "$build" --quiet
echo "lint: ${#files[@]} sources"
