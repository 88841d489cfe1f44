#!/usr/bin/env bash
# scripts/format.sh [--fix] [--changed] : checks, or makes, the format of the repository's C and C++.
# --changed looks only at files that differ from origin/main (or from the commit before, on main itself).
set -euo pipefail
cd "$(dirname "$0")/.."

# Another major version formats differently, so only this one has a say.
major=14
tool=$(command -v clang-format-$major || command -v clang-format || true)
if [[ -z $tool ]] || ! "$tool" --version | grep -q "version $major\."; then
    echo "format: no clang-format $major here (scripts/setup.sh --with-lint installs it)" >&2
    exit 3
fi

fix=0 changed=0
for option in "$@"; do
    case $option in
        --fix) fix=1 ;;
        --changed) changed=1 ;;
        *) echo "format: unknown option $option" >&2; exit 2 ;;
    esac
done

sources=('*.h' '*.c' '*.cpp' '*.cuh' '*.cu')
if ((changed)); then
    base=$(git merge-base HEAD origin/main 2>/dev/null || true)
    [[ -n $base && $base != "$(git rev-parse HEAD)" ]] || base=$(git rev-parse --verify --quiet HEAD^ || true)
    # Without any history to compare with (the first commit, a shallow clone) everything has changed.
    [[ -n $base ]] || base=$(git hash-object -t tree /dev/null)
    mapfile -t files < <(git diff --name-only --diff-filter=d "$base" -- "${sources[@]}")
else
    mapfile -t files < <(git ls-files --cached --others --exclude-standard --deduplicate -- "${sources[@]}")
fi
existing=()
for file in "${files[@]}"; do [[ -f $file ]] && existing+=("$file"); done
((${#existing[@]})) || { echo "format: nothing to look at"; exit 0; }

if ((fix)); then
    "$tool" -i --style=file "${existing[@]}"
    echo "format: ${#existing[@]} files formatted"
else
    # Names only: what exactly differs, 'make format' shows by git diff.
    offenders=0
    for file in "${existing[@]}"; do
        if ! "$tool" --style=file "$file" | cmp -s - "$file"; then
            echo "format: $file is not in house style"
            offenders=$((offenders + 1))
        fi
    done
    if ((offenders)); then
        echo "format: $offenders of ${#existing[@]} files differ; run 'make format'" >&2
        exit 1
    fi
    echo "format: ${#existing[@]} files are in house style"
fi
