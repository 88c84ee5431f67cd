# The commands of this repository. Each does the set-up that it needs.

.DEFAULT_GOAL := help
.PHONY: help run test check conformance licences

help: ## What there is
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start a server on this machine, with a room to sit in
	@scripts/run.sh

test: ## Run every suite, end-to-end included
	@scripts/setup-test.sh
	@scripts/test.sh

check: ## What is quick: format and lints
	@scripts/setup-test.sh
	@scripts/test.sh format lint

conformance: ## Bring the last column of the matrices in docs/ up to date
	@scripts/conformance.py --write

licences: ## Check licences and sources of the dependencies, with cargo-deny
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny
	@cargo deny check licenses bans sources
