#!/usr/bin/env bash
# Installs what compiling needs beyond Rust and gcc: libclang, which RocksDB's bindings read C++
# headers with. Does nothing, quickly, where it is there.
set -euo pipefail

has_libclang() {
    [ -n "${LIBCLANG_PATH:-}" ] && return 0
    # libclang-cpp, which other packages bring along, is another library.
    ldconfig -p 2>/dev/null | grep -Eq 'libclang(-[0-9.]+)?\.so' && return 0
    compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null || compgen -G '/usr/lib/llvm-*/lib/libclang-[0-9]*.so*' >/dev/null
}

has_libclang && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make deps: libclang is missing. Install it (Debian and Ubuntu: sudo apt-get install libclang-dev)," >&2
    echo "           or set LIBCLANG_PATH to the folder that holds libclang.so, and run make again." >&2
    exit 1
fi
echo "make deps: installing libclang-dev (needed to compile RocksDB's bindings)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends libclang-dev >/dev/null
has_libclang || { echo "make deps: libclang-dev was installed but libclang was not found" >&2; exit 1; }
