#!/usr/bin/env bash
# scripts/demo.sh : shows attune at work on this machine, from a finished build (`make demo` makes one first).
set -euo pipefail
cd "$(dirname "$0")/.."
program=${ATTUNE_BUILD_DIR:-build/default}/bin/attune-demo
[[ -x $program ]] || { echo "demo: $program is not built; run 'make demo'" >&2; exit 1; }
exec "$program"
