#!/usr/bin/env bash
# The local testnet as a script: builds what is missing, then hands on to the program `testnet`.
#
#   testnet/run.sh              four validators, until Ctrl-C
#   testnet/run.sh demo         any command of `testnet`, with its options
#   testnet/run.sh bench        latency at 100 tx/s and the highest throughput, on a fresh network
set -euo pipefail
cd "$(dirname "$0")/.."
make --no-print-directory build
testnet="${CARGO_TARGET_DIR:-target}/debug/testnet"

bench() {
    scratch=$(mktemp -d)
    trap '"$testnet" down --dir "$scratch/net" 2>/dev/null; rm -rf "$scratch"' EXIT
    "$testnet" up --detach --dir "$scratch/net"
    echo "== 100 transactions per second"
    "$testnet" load --dir "$scratch/net" --rate 100 --duration 20
    echo "== as many as become final within a second"
    "$testnet" load --dir "$scratch/net" --rate max --duration 30
}

case "${1:-up}" in
    bench) bench ;;
    *) exec "$testnet" "${@:-up}" ;;
esac
