#!/usr/bin/env bash
# What the whole test suite needs beside a build.
set -euo pipefail
here=$(dirname "$0")
. "$here/lib.sh"

"$here/setup-build.sh"
"$here/setup-sipp.sh"
"$here/setup-kamailio.sh"
need python3 python3
# Holds the documents of crates/conference-info against the schemas of the RFCs.
need xmllint libxml2-utils
cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
