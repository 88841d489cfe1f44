#!/usr/bin/env bash
# install_test.sh <build folder> <source folder> : installs to a temporary prefix and uses attune the way a user does,
# through find_package and through pkg-config.
set -euo pipefail
build=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix

cmake --install "$build" --prefix "$prefix" >/dev/null
headers=$(cd "$prefix/include" && find . -type f)
[[ $headers == ./attune/attune.h ]] || { echo "unexpected headers: $headers"; exit 1; }

library=$(find "$prefix" -name 'libattune.so' | head -n 1)
foreign=$(nm --dynamic --defined-only "$library" | awk '{print $NF}' | grep -v '^attune_' || true)
[[ -z $foreign ]] || { echo "libattune.so exports more than attune_*: $foreign"; exit 1; }

export ATTUNE_DEVICE=auto XDG_CACHE_HOME=$work/cache

echo "== find_package"
for example in c/quickstart cpp/gradients; do
    folder=${example%/*}
    cmake -S "$source/examples/$folder" -B "$work/$folder" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
    cmake --build "$work/$folder" >/dev/null
    "$work/$example"
done

echo "== pkg-config"
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name attune.pc)")
export PKG_CONFIG_PATH
read -ra flags < <(pkg-config --cflags --libs attune)
"${CC:-cc}" -std=c11 -o "$work/quickstart" "$source/examples/c/quickstart.c" "${flags[@]}" -lm
LD_LIBRARY_PATH=$(dirname "$library") "$work/quickstart"
