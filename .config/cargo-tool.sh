#!/usr/bin/env bash
# Installs a subcommand of cargo where it is missing.
#
#   cargo-tool.sh NAME VERSION
set -euo pipefail
cargo "$1" --version >/dev/null 2>&1 && exit 0
echo "installing cargo-$1 $2"
# The project's build folder is for the project's programs; without one cargo takes one of its own, and removes it.
env -u CARGO_TARGET_DIR cargo install --quiet --locked "cargo-$1@$2"
