#!/usr/bin/env bash
# What a build needs beside the Rust toolchain: a C compiler, for the linker and for ring.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if ! command -v cargo >/dev/null; then
    echo "missing: cargo; please install a Rust toolchain (https://rustup.rs)" >&2
    exit 1
fi
need cc gcc libc6-dev
