# Everything a developer runs. `make` alone lists it.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

TESTFLAGS ?=
FUZZTIME ?= 20s
BENCH ?= .
BENCHFLAGS ?=

# The packages in which goroutines meet.
CONCURRENT := $(wildcard internal/lifecycle pipeline store kafka registry broker api cmd)

# The packages with tests against a real Kafka or a real schema registry.
REAL := $(wildcard internal/realkafka internal/realregistry internal/conformance integration)

# Go keeps its caches in HOME. Where there is none, they go here.
ifeq ($(strip $(HOME)),)
export HOME := $(CURDIR)/.cache
endif

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build bin/selfsame
	go build -ldflags "-X main.version=$(VERSION)" -o bin/selfsame ./cmd/selfsame

.PHONY: demo
demo: build ## play the retail example through an embedded broker and show the outcome
	bin/selfsame demo

.PHONY: run
run: build ## run the daemon with an embedded broker and endless traffic
	bin/selfsame dev

.PHONY: test
test: ## run all tests; TESTFLAGS=-count=1 for no cache
	go test $(TESTFLAGS) ./...

.PHONY: race
race: ## run the tests of the concurrent packages under the race detector
	go test -race -short -timeout 30m $(TESTFLAGS) $(CONCURRENT:%=./%/...)

.PHONY: lint
lint: ## check format, vet, staticcheck, go.mod and the rules of the house
	@test -z "$$(gofmt -l */ | tee /dev/stderr)" || { echo "run make fmt"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go mod tidy -diff
	go test -count=1 ./internal/lint

.PHONY: fmt
fmt: ## format the code
	gofmt -w */

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME
	@go test -list '^Fuzz' ./... | \
	awk '/^Fuzz/ { t[++n] = $$1 } /^ok/ { for (; n > 0; n--) print $$2, t[n] }' | \
	while read -r package target; do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package" || exit 1; \
	done

SEED ?= 0
N ?=
WORLD ?=
FAULTS ?=
TRACE ?=

.PHONY: sim
sim: ## run N simulations from SEED on (0: a random one) in WORLD with FAULTS, showing all with TRACE=1
	go test -count=1 -timeout 0 -v -run '^TestSimulation$$' ./internal/sim -sim.seed=$(SEED) \
		-sim.n=$(or $(N),1) $(if $(WORLD),-sim.world=$(WORLD)) \
		$(if $(FAULTS),-sim.faults=$(FAULTS)) $(if $(TRACE),-sim.trace)

.PHONY: oracle
oracle: ## compare the graph with a walk over all links, N random operations (a million) from SEED on
	go test -count=1 -timeout 0 -v -run '^TestOracle$$' ./identity -oracle.seed=$(SEED) \
		-oracle.n=$(or $(N),1000000)

.PHONY: mutants
mutants: ## seed known bugs one by one and show which test of the simulation finds each; PICK=n
	go run ./internal/sim/mutants $(if $(PICK),-pick $(PICK))

.PHONY: bench
bench: ## compare the pipeline with the least it could do, some ten minutes; BENCHFLAGS=-help
	go build -o bin/bench ./bench
	bin/bench $(BENCHFLAGS)

.PHONY: bench-million
bench-million: ## memory and disk of a million profiles
	go build -o bin/bench ./bench
	bin/bench -people 1000000 -brokers embedded -formats json -contenders c -rounds 1 -latency 0 \
		$(BENCHFLAGS)

.PHONY: bench-trouble
bench-trouble: ## how long records take while other people are in trouble, some four minutes
	go build -o bin/bench ./bench
	bin/bench -trouble -brokers embedded -formats json $(BENCHFLAGS)

.PHONY: bench-computed
bench-computed: ## what computed attributes cost, some ten minutes
	go test -run '^$$' -bench 'ComputedEvents' -benchtime 200000x -count 3 -timeout 0 ./pipeline
	go test -run '^$$' -bench 'ComputedLargeProfile' -benchtime 2000x -timeout 0 ./pipeline
	go test -run '^$$' -bench 'ComputedExpiries' -benchtime 1000000x -timeout 0 ./pipeline
	go test -run '^$$' -bench 'ComputedSize' -benchtime 1x -timeout 0 ./pipeline

.PHONY: microbench
microbench: ## run the benchmarks of single packages; BENCH=pattern for some
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

.PHONY: kafka
kafka: ## start a real Apache Kafka for development, until interrupted
	go run ./internal/realkafka/cmd

.PHONY: integration
integration: ## run the tests that need a real Kafka; without one they fail
	SELFSAME_REQUIRE_KAFKA=1 go test -timeout 15m $(TESTFLAGS) $(REAL:%=./%/...)

.PHONY: docker
docker: ## build the container image
	docker build --build-arg VERSION=$(VERSION) -t selfsame:$(VERSION) .

.PHONY: verify
verify: lint test race ## what has to hold before a change is offered

.PHONY: clean
clean: ## remove what has been built
	rm -rf bin
