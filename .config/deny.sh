#!/usr/bin/env bash
# Holds what the workspace depends on against deny.toml: licences, sources, banned crates, known holes. Installs
# cargo-deny where it is missing. Known holes are in a database on GitHub: where that cannot be reached, it says so.
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=0.20.2

.config/cargo-tool.sh deny "$VERSION" || {
    echo "deny: NOT CHECKED: cargo-deny $VERSION could not be installed" >&2
    exit 0
}
cargo deny --locked check bans licenses sources
if cargo deny --locked fetch db >/dev/null 2>&1; then
    cargo deny --locked check advisories
else
    echo "deny: advisories NOT CHECKED: their database, named in deny.toml, cannot be reached" >&2
fi
