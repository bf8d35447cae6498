#!/usr/bin/env bash
# Writes the bill of materials of the node as CycloneDX. Installs cargo-cyclonedx where it is missing.
#
#   sbom.sh FILE
set -euo pipefail
file=$(realpath "$1")
cd "$(dirname "$0")/.."

.config/cargo-tool.sh cyclonedx 0.5.9
# It writes one beside every manifest of the workspace.
trap 'find . -maxdepth 3 -name sbom-part.json -delete' EXIT
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0} cargo cyclonedx --manifest-path node/Cargo.toml --format json --override-filename sbom-part
mv node/sbom-part.json "$file"
echo "sbom: $(grep -c '"type": "library"' "$file") libraries in $file"
