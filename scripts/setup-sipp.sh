#!/usr/bin/env bash
# SIPp, a SIP caller that knows nothing of this server.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need sipp sip-tester
