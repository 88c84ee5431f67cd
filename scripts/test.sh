#!/usr/bin/env bash
# Runs the suites one after the other, all of them even where one fails. Prints the time of each and, at the end, the closing lines
# of each runner. With names as arguments only those suites: scripts/test.sh rust e2e
set -uo pipefail
cd "$(dirname "$0")/.."
logs=target/test-logs
mkdir -p "$logs"

# A suite: how it is run, and which lines of its output close it.
suite_rust() { cargo test --workspace --locked --no-fail-fast; }
close_rust='^test result:|^error:|^    .*::|^failures:|test failed'

suite_e2e() { cargo build --workspace --bins --locked && python3 -m unittest discover --verbose --start-directory tests/e2e; }
close_e2e='^Ran |^OK|^FAILED|^(ERROR|FAIL):'

suite_matrices() { python3 scripts/conformance.py; }
close_matrices='rows'

suite_format() { cargo fmt --all --check && echo "format: ok"; }
close_format='^format:|^Diff in'

suite_lint() { cargo clippy --workspace --all-targets --locked -- --deny warnings && echo "lint: ok"; }
close_lint='^lint:|^error'

# Licences and sources of what is built in; where cargo-deny is not at hand `make licences` installs it.
suite_licences() {
    if cargo deny --version >/dev/null 2>&1; then cargo deny --offline check licenses bans sources; else echo "licences: skipped, no cargo-deny"; fi
}
close_licences='ok|skipped|FAILED|^error'

suites=("$@")
[ $# -gt 0 ] || suites=(rust e2e matrices format lint licences)

failed=()
closing=()
for suite in "${suites[@]}"; do
    log="$logs/$suite.log"
    echo "== $suite"
    started=$SECONDS
    if "suite_$suite" </dev/null 2>&1 | tee "$log"; then verdict=passed; else verdict=FAILED; failed+=("$suite"); fi
    seconds=$((SECONDS - started))
    echo "== $suite $verdict in $seconds s"
    pattern="close_$suite"
    closing+=("== $suite $verdict in $seconds s"$'\n'"$(grep -E "${!pattern}" "$log" | tail -n 400)")
done

echo
echo "== closing lines"
printf '%s\n' "${closing[@]}"
echo "== all suites: $SECONDS s; ${#suites[@]} run, ${#failed[@]} failed${failed[*]:+: ${failed[*]}}"
[ ${#failed[@]} -eq 0 ]
