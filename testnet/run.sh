#!/usr/bin/env bash
# The local testnet as a script: builds what is missing, then hands on to the program `testnet`.
#
#   testnet/run.sh              four validators, until Ctrl-C
#   testnet/run.sh demo         any command of `testnet`, with its options
set -euo pipefail
cd "$(dirname "$0")/.."
make --no-print-directory build
exec "${CARGO_TARGET_DIR:-target}/debug/testnet" "${@:-up}"
