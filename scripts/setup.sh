#!/usr/bin/env bash
# Installs what a build of attune needs on Debian 12 or later and Ubuntu 24.04 or later, and nothing that is there.
#
#   scripts/setup.sh               compilers, CMake, libraries; CUDA headers and NVRTC when no toolkit has them
#   scripts/setup.sh --with-lint   clang-format and clang-tidy as well
#
# ATTUNE_IGNORE_TOOLKIT=1 behaves as if no CUDA toolkit were installed.
set -euo pipefail
cd "$(dirname "$0")/.."

# Name of a program : the package it comes from. A program from elsewhere is as good.
programs=(cmake:cmake ninja:ninja-build g++:g++ pkg-config:pkg-config ccache:ccache)
packages=(libspdlog-dev libfmt-dev catch2 libsqlitecpp-dev libsqlite3-dev libcli11-dev nlohmann-json3-dev
    libboost-context-dev libxxhash-dev python3-dev python3-venv python3-numpy python3-pytest)
wheels_dir=build/cuda-wheels
wheels=('nvidia-cuda-runtime==13.*' 'nvidia-cuda-nvrtc==13.*')

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }

for option in "$@"; do
    case $option in
        # One major version, since another one formats differently.
        --with-lint) programs+=(clang-format-14:clang-format-14 clang-tidy-14:clang-tidy-14) ;;
        *) fail "unknown option $option (there is --with-lint)" ;;
    esac
done

has_cuda_headers() { [[ -f $1/cuda.h && -f $1/nvrtc.h ]]; }

# The places of cmake/CudaHeaders.cmake, in its order. Prints the first that has both headers.
find_cuda_headers() {
    local place places=()
    if [[ ${ATTUNE_IGNORE_TOOLKIT:-0} != 1 ]]; then
        [[ -n ${CUDA_PATH:-} ]] && places+=("$CUDA_PATH/include")
        [[ -n ${CUDA_HOME:-} ]] && places+=("$CUDA_HOME/include")
        while IFS= read -r place; do places+=("$place"); done \
            < <(find /usr/local -maxdepth 1 -name 'cuda*' -printf '%p/include\n' 2>/dev/null | sort -rV)
    fi
    places+=("$wheels_dir/nvidia/cu13/include")
    for place in "${places[@]}"; do
        if has_cuda_headers "$place"; then echo "$place"; return 0; fi
    done
    return 1
}

# True when the wheels are wanted: no toolkit, and not unpacked completely by an earlier run.
wheels_wanted() { ! find_cuda_headers >/dev/null; }

missing_packages() {
    local entry package
    for entry in "${programs[@]}"; do
        command -v "${entry%%:*}" >/dev/null || echo "${entry##*:}"
    done
    for package in "${packages[@]}"; do
        [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) == ii* ]] || echo "$package"
    done
    if wheels_wanted && ! python3 -m pip --version >/dev/null 2>&1; then
        echo python3-pip
    fi
}

install_packages() {
    local missing as_root=()
    mapfile -t missing < <(missing_packages)
    if ((${#missing[@]} == 0)); then
        say "all packages are installed"
        return
    fi
    local by_hand="apt-get install --no-install-recommends ${missing[*]}"
    command -v apt-get >/dev/null || fail "no apt-get here; install the equivalents of: ${missing[*]}"
    if ((EUID != 0)); then
        # With a terminal sudo may ask for the password; without one it must not hang.
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
            as_root=(sudo)
        else
            fail "packages are missing, and neither root nor sudo is at hand. As root, run: $by_hand"
        fi
    fi
    say "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq || say "apt-get update failed; trying with the package lists that are there"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
        >/dev/null || fail "apt-get failed. By hand: $by_hand"
}

# Headers to build with and libnvrtc to run with, from NVIDIA's wheels, into the build folder only. The steps happen
# beside the final folder and are renamed at the end: an interrupted run leaves nothing that looks complete.
fetch_cuda_wheels() {
    local temporary=$wheels_dir.partial wheel
    say "no cuda.h and nvrtc.h found; fetching ${wheels[*]}"
    rm -rf "$temporary"
    mkdir -p "$temporary"
    if ! python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$temporary" "${wheels[@]}"; then
        rm -rf "$temporary"
        return 1
    fi
    for wheel in "$temporary"/*.whl; do
        python3 -m zipfile -e "$wheel" "$temporary"
        rm "$wheel"
    done
    if ! has_cuda_headers "$temporary/nvidia/cu13/include"; then
        say "the wheels came, but without cuda.h and nvrtc.h in nvidia/cu13/include"
        return 1
    fi
    rm -rf "$wheels_dir"
    mv "$temporary" "$wheels_dir"
    say "unpacked into $wheels_dir"
}

install_packages
if wheels_wanted; then
    fetch_cuda_wheels || fail "no CUDA headers, and they could not be fetched. Install a CUDA toolkit 12 or 13 or try again" \
        "with a network; CUDA_PATH may name a toolkit in an unusual place."
fi
say "CUDA headers are in $(find_cuda_headers)"
