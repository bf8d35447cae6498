#!/usr/bin/env bash
# Writes the bill of materials of the node as CycloneDX. Installs cargo-cyclonedx where it is missing.
#
#   sbom.sh FILE
set -euo pipefail
file=$(realpath "$1")
cd "$(dirname "$0")/.."

VERSION=0.5.9

if ! cargo cyclonedx --version >/dev/null 2>&1; then
    echo "sbom: installing cargo-cyclonedx $VERSION"
    # The project's build folder is for the project's programs; without one cargo takes one of its own, and removes it.
    env -u CARGO_TARGET_DIR cargo install --quiet --locked "cargo-cyclonedx@$VERSION"
fi
# It writes one beside every manifest of the workspace.
trap 'find . -name node.cdx.json -delete' EXIT
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} cargo cyclonedx --manifest-path node/Cargo.toml --format json --override-filename node.cdx
mv node/node.cdx.json "$file"
echo "sbom: $(grep -c '"type": "library"' "$file") libraries in $file"
