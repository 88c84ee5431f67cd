#!/usr/bin/env bash
# Kamailio, a SIP proxy that knows nothing of this server.
set -euo pipefail
# Debian keeps it where only root's PATH leads.
PATH=$PATH:/usr/sbin
. "$(dirname "$0")/lib.sh"

command -v kamailio >/dev/null && exit
need kamailio kamailio
# Its package starts it as a service on port 5060, where `make run` listens. The tests start their own.
if [ -d /run/systemd/system ]; then as_root systemctl disable --quiet --now kamailio; fi
