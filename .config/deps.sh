#!/usr/bin/env bash
# Installs what is needed beyond Rust and gcc. Does nothing, quickly, where it is there.
#
#   deps.sh          what compiling needs: libclang, which RocksDB's bindings read C++ headers with
#   deps.sh bench    that, and protoc, which the client of etcd is made with
#   deps.sh tests    the first, and what the dashboard's tests need: Chromium, its driver, axe-core
set -euo pipefail

AXE_VERSION=4.14.1
AXE_SHA256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
axe="$HOME/.cache/catamaran/axe-core.min.js"

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    # libclang-cpp, which other packages bring along, is another library.
    ldconfig -p 2>/dev/null | grep -Eq 'libclang(-[0-9.]+)?\.so' && return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null || compgen -G '/usr/lib/llvm-*/lib/libclang-[0-9]*.so*' >/dev/null
}

has_browser() {
    command -v chromium >/dev/null && command -v chromedriver >/dev/null
}

has_axe() {
    echo "$AXE_SHA256  $axe" | sha256sum --check --status 2>/dev/null
}

# install "what for" "what to do by hand" PACKAGE…
install() {
    local reason=$1 by_hand=$2
    shift 2
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "make deps: $* missing, $reason. Install it (Debian and Ubuntu: sudo apt-get install $*)," >&2
        echo "           $by_hand" >&2
        exit 1
    fi
    echo "make deps: installing $* ($reason)"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Fetched for the accessibility test alone, and never part of the program.
fetch_axe() {
    command -v npm >/dev/null || install "to fetch axe-core" "and run make again." npm
    local folder
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' RETURN
    echo "make deps: fetching axe-core $AXE_VERSION (for the accessibility test)"
    (cd "$folder" && npm pack --silent "axe-core@$AXE_VERSION" >/dev/null)
    mkdir -p "$(dirname "$axe")"
    tar -xzOf "$folder"/axe-core-*.tgz package/axe.min.js >"$folder/axe.min.js"
    mv "$folder/axe.min.js" "$axe"
    has_axe || { rm -f "$axe"; echo "make deps: axe-core $AXE_VERSION is not the file that was expected" >&2; exit 1; }
}

if ! has_libclang; then
    install "needed to compile RocksDB's bindings" \
        "or set LIBCLANG_PATH to the folder that holds libclang.so, and run make again." libclang-dev
    has_libclang || { echo "make deps: libclang-dev was installed but libclang was not found" >&2; exit 1; }
fi
if [ "${1:-}" = bench ] && ! command -v protoc >/dev/null; then
    install "to build the benchmarks' client of etcd" "and run make again." protobuf-compiler
fi
[ "${1:-}" = tests ] || exit 0
has_browser || install "needed by the dashboard's tests" "and run make again." chromium chromium-driver
has_axe || fetch_axe
