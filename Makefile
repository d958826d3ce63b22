# `make help` lists the targets. What is built stays under target/; what the machine lacks is
# installed by .ci/setup, which does nothing when nothing is missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Several targets install into the same PostgreSQL, and cargo uses every core by itself.
.NOTPARALLEL:

# Looked up when a recipe runs, because .ci/setup may only just have installed it.
PG_CONFIG ?= $(shell .ci/pg_config)
PG_MAJOR = $(shell $(PG_CONFIG) --version | sed -E 's/[^0-9]*([0-9]+).*/\1/')
export PG_CONFIG
# With it pgrx builds without `cargo pgrx init`.
export PGRX_PG_CONFIG_PATH = $(shell command -v $(PG_CONFIG))

VERSION := $(shell sed -nE "s/^default_version *= *'(.*)'/\1/p" affiliate.control)
SCRIPT := target/affiliate--$(VERSION).sql

RELEASE = --release --no-default-features --features pg$(PG_MAJOR)
# One set of features for all tests and clippy, so that dependencies are built once for them.
TESTS = --no-default-features --features "pg$(PG_MAJOR) pg_test"

##@ Using it
.PHONY: demo install package
demo: setup-demo install ## plays the affiliate program on a throw-away server
	@echo "== demo"
	@.ci/with-server .ci/demo

install: build ## installs into the PostgreSQL of PG_CONFIG=/path/to/pg_config
	@.ci/install $(VERSION)

package: setup-package build ## leaves a .deb in target/
	@.ci/package $(VERSION) $(PG_MAJOR)

##@ Building
.PHONY: all build clean
all: build

build: $(SCRIPT) ## builds the library and the install script
	@[ -n "$(PGRX_PG_CONFIG_PATH)" ] || { echo "no pg_config: run .ci/setup demo, or set PG_CONFIG" >&2; exit 1; }
	cargo build $(RELEASE)

# No file is made from another: the install script is the parts in the order of their names.
$(SCRIPT): $(sort $(wildcard sql/[0-9][0-9]_*.sql))
	@mkdir -p $(@D)
	cat $^ > $@

clean: ## removes what was built, but not the tools and the servers of the tests
	[ ! -d target ] || find target -mindepth 1 -maxdepth 1 ! -name tools ! -name assert ! -name servers -exec rm -rf {} +

##@ Testing
.PHONY: test unit pgtest regress isolation cases integration attack matrix test-assert bench
# pgtest installs a test build of the extension; those after it install the release build.
test: unit pgtest regress isolation cases integration attack ## all of the following up to attack

unit: setup-test ## tests of the Rust code that need no server
	@echo "== unit"
	cargo test --lib $(TESTS) -- --skip ::pg_

pgtest: setup-test ## tests that run inside a server
	@echo "== pgtest"
	.ci/pgtest

regress: setup-test install ## tests/regress by pg_regress
	@echo "== regress"
	.ci/with-server .ci/regress regress

isolation: setup-test install ## tests/isolation by pg_isolation_regress
	@echo "== isolation"
	.ci/with-server .ci/regress isolation

cases: setup-test install ## tests/cases, each in a database of its own
	@echo "== cases"
	.ci/with-server .ci/cases

integration: setup-test install ## tests/*.rs, which start servers of their own
	@echo "== integration"
	.ci/integration $(TESTS)

attack: setup-test install ## tests/attack: owners of attached tables and others, against us
	@echo "== attack"
	cargo test --test attack $(TESTS)

matrix: ## test, demo and lint on PostgreSQL 15 to 18; brings the servers
	.ci/matrix

test-assert: setup-assert $(SCRIPT) ## regress and isolation on a server with assertions, partly under Valgrind; 12 minutes
	.ci/test-assert $(VERSION)

bench: setup-bench install ## measures what it costs, for 20 minutes; ONLY=bulk,stats for parts
	tests/bench/run

##@ Checking
.PHONY: lint fmt-check clippy rooms pgspot
lint: fmt-check clippy rooms pgspot ## all of the following

fmt-check: setup-lint ## the formatting
	@echo "== fmt-check"
	cargo fmt --check

clippy: setup-lint ## clippy, warnings are errors
	@echo "== clippy"
	cargo clippy --all-targets $(TESTS) -- -D warnings

rooms: setup-lint ## the order of the rooms in src/, circles of files, and lengths
	@echo "== rooms"
	.ci/rooms-test
	.ci/rooms

pgspot: setup-lint $(SCRIPT) ## privilege holes in the install script
	@echo "== pgspot"
	# affiliate_run_payouts commits, so that it can't pin a search path
	target/tools/pgspot/bin/pgspot --proc-without-search-path \
		'extschema.affiliate_run_payouts(through date,program text)' $(SCRIPT)

.PHONY: setup-demo setup-package setup-test setup-assert setup-lint setup-bench help
setup-demo setup-package setup-test setup-assert setup-lint setup-bench:
	@.ci/setup $(@:setup-%=%)

help: ## this list
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
