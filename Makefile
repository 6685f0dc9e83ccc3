# `make` lists the targets. Everything is built with one profile, one target folder and always the
# whole workspace, so that demo, tests and checks share what is compiled.
SHELL := bash
STORE ?= embedded
PROFILE ?= peak
OPTIONS ?=
USERS ?= 1000000
TARGET := $(or $(CARGO_TARGET_DIR),target)
BUF := tools/node_modules/.bin/buf

.DEFAULT_GOAL := help
.PHONY: help build demo test faults faults-control histories bench load costs size scaling lint gen check-gen \
	vectors up cluster setup clean

help: ## List the targets
	@printf 'make <target>\n\n'
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

build: ## Build every program
	cargo build --workspace --bins

demo: build ## Play a paid, encrypted chat on a real server (STORE=embedded or postgres)
ifeq ($(STORE),postgres)
	@scripts/setup servers
endif
	@$(TARGET)/debug/plasma demo --store $(STORE)

test: ## Run every test, on private PostgreSQL and Redis servers
	@scripts/setup servers
	@scripts/test

faults: build ## Break a service in every way under 100,000 messages (SEED=… repeats a run)
	@scripts/setup servers
	@$(TARGET)/debug/plasma-faults run

faults-control: build ## See that the fault harness catches every planted bug
	@scripts/setup servers
	cargo build --workspace --bin plasma-planted --features plasma-api/planted-bugs
	@$(TARGET)/debug/plasma-faults control

histories: ## Play 1,000 histories of many devices with real keys, 100,000 with toys for keys
	cargo test -p plasma-e2ee --test machine -- --ignored --nocapture
	RUSTFLAGS='--cfg plasma_toy_primitives' cargo test -p plasma-e2ee --test machine \
		--target-dir $(TARGET)/toys -- --ignored --nocapture

bench: ## Measure, print a table and write target/bench.json
	@scripts/setup servers
	cargo build --release --workspace --bin plasma --bin plasma-bench
	@$(TARGET)/release/plasma-bench

load: ## Load the service and check what it promises (PROFILE=peak, OPTIONS='--store postgres')
	@scripts/setup servers
	cargo build --release --workspace --bin plasma --bin plasma-load
	@$(TARGET)/release/plasma-load $(PROFILE) $(OPTIONS)

costs: ## Measure what each thing that people do costs (target/load/costs.units.json)
	@scripts/setup servers
	cargo build --release --workspace --bin plasma --bin plasma-load
	@$(TARGET)/release/plasma-load costs --store postgres --nodes 3 $(OPTIONS)

size: build ## Say what a number of users needs and what runs out first (USERS=1000000)
	@$(TARGET)/debug/plasma-load size --users $(USERS) $(OPTIONS)

scaling: build ## Print the tables of docs/SCALING.md into it, from what is measured and checked in
	@$(TARGET)/debug/plasma-load size --document docs/SCALING.md
	@$(TARGET)/debug/plasma-load size --document docs/SCALING.md --check load-tests/measured/*.json

lint: ## Check format, clippy and the contract
	@scripts/setup buf
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cd proto && ../$(BUF) lint && ../$(BUF) format --diff --exit-code

gen: build ## Generate the Rust side of the contract
	$(TARGET)/debug/plasma-codegen

check-gen: gen ## Check that what is generated is what is checked in
	@test -z "$$(git status --porcelain -- proto/src/gen)" || \
		{ git --no-pager diff --stat -- proto/src/gen; git status --short -- proto/src/gen; \
		  echo 'check-gen: proto/src/gen differs; run `make gen` and commit it' >&2; exit 1; }

vectors: ## Remake the test vectors of the end-to-end protocol
	cargo run --quiet --package plasma-vectors

up: build ## Run a server to develop against, with its address and operator key
	@scripts/up

cluster: build ## Run three nodes with PostgreSQL and Redis on this machine (NODES=3, PORT=7001)
	@scripts/setup servers
	@exec $(TARGET)/debug/plasma-cluster $(TARGET)/cluster

setup: ## Install what tests and checks need
	@scripts/setup

clean: ## Remove everything that was built
	cargo clean
	rm -rf tools/node_modules
