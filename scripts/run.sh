#!/usr/bin/env bash
# Builds the server, says how to get in, and serves on the embedded defaults until it is interrupted.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup-build.sh
cargo build --release --locked --package server --bin tertulia
cat <<'EOF'

A room to sit in: sip:lobby@localhost, served on this machine alone, everybody is believed to be who they say.

From another terminal, here:

    target/release/tertulia chat sip:lobby@localhost --as sip:alice@localhost

With a SIP client that speaks MSRP (Blink and its kind): an account like bob@localhost, outbound proxy 127.0.0.1:5060
(UDP or TCP), no password; then start a chat with lobby@localhost.

Ctrl-C ends the server.

EOF
exec cargo run --release --locked --package server --bin tertulia -- serve
