#!/bin/sh
# Runs one target, by default for a minute: fuzz/run.sh sip_message [seconds]
# What it finds new goes to fuzz/corpus (not committed), a crash to fuzz/artifacts.
set -eu
cd "$(dirname "$0")"
target=$1
seconds=${2:-60}
seeds=seeds/$target
case $target in
sip_message | sip_framing) seeds="$seeds ../crates/sip/tests/torture/rfc4475 ../crates/sip/tests/torture/rfc5118" ;;
esac
mkdir -p "corpus/$target"
# The instrumentation is a compiler flag that stable compilers accept only so.
# shellcheck disable=SC2086 # the seeds are several words
RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . "$target" "corpus/$target" $seeds -- \
    -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048
