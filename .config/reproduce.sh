#!/usr/bin/env bash
# Builds the node of the last commit twice, in two folders, and compares what comes out. Takes two release builds, RocksDB
# included; one that is built already is taken where ROCKSDB_LIB_DIR says so.
set -euo pipefail
cd "$(dirname "$0")/.."

# A cache would compare the first build with itself.
unset CC CXX RUSTFLAGS CARGO_TARGET_DIR
export CARGO_INCREMENTAL=0 SOURCE_DATE_EPOCH=0
cargo_home=${CARGO_HOME:-$HOME/.cargo}
commit=$(git rev-parse HEAD)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in one the-other; do
    copy=$folder/$name
    git clone --quiet --no-checkout . "$copy"
    git -C "$copy" checkout --quiet --detach "$commit"
    echo "reproduce: building in $copy" >&2
    (cd "$copy" && cargo build --quiet --release --locked -p node --target-dir target --config \
        "target.'cfg(all())'.rustflags=['--remap-path-prefix=$copy=.', '--remap-path-prefix=$cargo_home=cargo']")
    # A path that is left would make them differ elsewhere, if not here.
    if grep --quiet --text --fixed-strings "$copy" "$copy/target/release/node"; then
        echo "reproduce: the program names the folder that it was built in, $copy" >&2
        exit 1
    fi
    mv "$copy/target/release/node" "$folder/$name.node"
    rm -rf "$copy"
done
(cd "$folder" && sha256sum ./*.node && cmp ./*.node)
echo "reproduce: both builds are one program"
