# One build profile for everything, so RocksDB is compiled once. See docs/ARCHITECTURE.md, "Building".
SHELL := /bin/bash
CARGO ?= cargo
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
BIN := $(TARGET)/debug

# What `make bench` measures, and where it writes what it found.
BENCH ?= counts engines ordering signed etcd budget delays recovery
RESULTS ?= $(TARGET)/bench

# Compiled C++ objects are cached where ccache is installed; nothing depends on it.
ifneq ($(shell command -v ccache 2>/dev/null),)
export CC := ccache gcc
export CXX := ccache g++
endif

.PHONY: help deps build testnet demo test deny lint sbom reproduce bench soak report

help:
	@echo "make testnet    start four validators on this machine, until Ctrl-C"
	@echo "make demo       the scripted story: transfers, an equivocating validator, the fallback, calm again"
	@echo "make test       every test, and licences, sources and known holes of the dependencies"
	@echo "make lint       formatting, lints, and what is known of the dependencies"
	@echo "make sbom       write the bill of materials of the node, node.cdx.json in the build folder"
	@echo "make reproduce  build the node twice and compare the two programs"
	@echo "make bench      measure the chain beside its peers: BENCH=signed for one, QUICK=1 in minutes, LOUD=1 on a busy machine"
	@echo "make soak       the long randomized runs"
	@echo "make report     run the comparison of the engines and write docs/report, over night; QUICK=1 in minutes"
	@echo "make deps       install what compiling and testing need (called by the others)"

deps:
	@./.config/deps.sh tests

build:
	@./.config/deps.sh
	$(CARGO) build --workspace --all-targets

testnet: build
	$(BIN)/testnet up

demo: build
	$(BIN)/testnet demo

test: deps build deny
	$(CARGO) test --workspace --all-targets --no-fail-fast

deny:
	@./.config/deny.sh

lint: deny
	@./.config/deps.sh
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

sbom:
	@mkdir -p $(TARGET)
	@./.config/sbom.sh $(TARGET)/node.cdx.json

reproduce:
	@./.config/deps.sh
	@./.config/reproduce.sh

bench:
	@./.config/deps.sh bench
	$(CARGO) build --release --manifest-path testnet/bench/Cargo.toml --target-dir $(TARGET)
	@mkdir -p $(RESULTS)
	for name in $(BENCH); do \
		$(TARGET)/release/bench $$name --json $(RESULTS)/$$name.json $(if $(QUICK),--quick --pairs 1) $(if $(LOUD),--loud) || exit 1; \
	done

soak: build
	SIM_SEEDS=$${SIM_SEEDS:-20} $(CARGO) test --workspace --test safety --test membership --test behaviours --test twins --test planted_bugs -- --nocapture
	EXPLORE=full $(CARGO) test --workspace --test explore -- --nocapture
	$(CARGO) test --release -p consensus-sim --test determinism -- --nocapture
	FUZZ_INPUTS=$${FUZZ_INPUTS:-100000000} $(CARGO) test --workspace fuzz -- --nocapture
	$(BIN)/testnet abuse --requests 1000000 --sockets 5000 --identities 1000 --megabytes 1024
	$(BIN)/testnet soak --kills 1000 --crashes 260 --pauses 60 --twins 4
	$(BIN)/testnet soak --kills 1000 --crashes 100 --pauses 40 --policy static-pbft
	$(BIN)/testnet soak --power-cuts 500 --sync-errors 200 --full-disks 100 --clock-changes 60
	$(BIN)/testnet soak --bit-flips 1000 --old-disks 10
	! $(BIN)/testnet soak --power-cuts 20 --lying-disks
	$(BIN)/testnet soak --minutes $${SOAK_MINUTES:-120}
	$(BIN)/testnet liars --seconds 60
	$(BIN)/testnet liars --seconds 60 --liars 2 --rate 100
	! $(BIN)/testnet liars --seconds 10 --behaviours silent --one-too-many
	$(BIN)/testnet fork
	$(BIN)/testnet network --seconds 60
	! $(BIN)/testnet network --shapes halves --leaky
	$(BIN)/testnet flood --seconds 60
	$(CARGO) build --release --workspace --bin testnet-validator
	$(BIN)/testnet determinism --transactions 1000000 --other $(TARGET)/release/testnet-validator
	$(BIN)/testnet reopen --blocks 100000
	$(BIN)/testnet linearize --histories 500 --operations 2000
	$(BIN)/testnet churn --changes 20
	DASHBOARD_MINUTES=10 $(CARGO) test --workspace --test browser endurance -- --nocapture

report: build
	$(BIN)/report all $(if $(QUICK),--quick)
