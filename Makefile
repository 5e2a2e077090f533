# Plain make (GNU 3.81, which macOS has, and newer) and POSIX sh. `make help` lists what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help dev test chaos check build fuzz bench clean clean-data preflight preflight-go preflight-postgres preflight-cc

# Where the official installer puts Go, for those who have not set their PATH yet.
export PATH := $(PATH):/usr/local/go/bin

# A service or a bare container may have no HOME, without which Go compiles nothing: it is what the user database says.
ifeq ($(HOME),)
export HOME := $(shell home=$$(eval echo "~$$(id -un)"); case $$home in (/*) echo "$$home" ;; esac)
endif

PACKAGES ?= ./...
BUSY ?= 0

# What docs/guarantees.md names of other packages: panics, recorded histories, orders of status writes, migrations.
CHAOS_BESIDE = ./worker ./workflows ./store ./migrations ./e2e
CHAOS_TESTS = Panic|^TestReplay$$|TestStatusWritesInEveryOrder|TestUpDownUp|TestFiveAtOnce|TestMigrat
FUZZTIME ?= 30s

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '  make %-12s %s\n' "$$name" "$$what"; done

dev: preflight-go ## everything in the foreground: Postgres, Temporal with its UI, API and worker
	@sh scripts/preflight.sh dev
	@sh scripts/preflight.sh postgres
	@go run ./internal/compile -o bin/hookflow ./cmd/hookflow
	@exec bin/hookflow dev

# What the tests of e2e start is heavy: they run behind all others, on servers of their own.
test: preflight-go preflight-postgres preflight-cc ## all tests on real servers, race detector on (PACKAGES=./api/... for some, BUSY=4 beside busy loops)
	@CGO_ENABLED=1 go run ./internal/compile -race -test $(PACKAGES)
	@go build -buildvcs=false -o bin/testservers ./internal/testservers
	@others=$$(go list $(PACKAGES) | grep -v '^hookflow/e2e$$'); heavy=$$(go list $(PACKAGES) | grep '^hookflow/e2e$$'); code=0; \
	for packages in "$$others" "$$heavy"; do \
		test -z "$$packages" || CGO_ENABLED=1 bin/testservers -busy $(BUSY) -- go test -race -timeout 30m $$packages || code=1; \
	done; exit $$code

chaos: preflight-go preflight-postgres ## outages, kills and abuse at full size, up to 25 minutes (CHAOS="-run ChaosStorm -seed 7" for some)
	@go build -buildvcs=false -o bin/testservers ./internal/testservers
	@bin/testservers -- go test ./e2e -count 1 -run Chaos -chaos -parallel 4 -timeout 30m -v $(CHAOS)
	@bin/testservers -- go test $(CHAOS_BESIDE) -count 1 -run '$(CHAOS_TESTS)'
	@bin/testservers -- go test ./cmd/hookflow -count 1 -v -run TestStartsAndStopsLeaveNothing -starts 15

check: preflight-go ## gofmt, vet, staticcheck, workflowcheck, import rules, govulncheck
	@sh scripts/check.sh

build: preflight-go ## bin/hookflow
	go build -o bin/hookflow ./cmd/hookflow

fuzz: preflight-go ## every fuzz target for FUZZTIME (30s) each
	@FUZZTIME=$(FUZZTIME) sh scripts/fuzz.sh

bench: preflight-go preflight-postgres ## the intake's speed, ratios side by side, 12 minutes (BENCH="--parts intake" for some)
	@go build -buildvcs=false -o bin/bench ./bench
	@exec bin/bench $(BENCH)

clean: ## remove what was built
	rm -rf bin

clean-data: preflight-go ## remove the data folder of make dev, with all events in it (asks)
	@go run ./internal/devstack/cleandata

preflight: preflight-go preflight-postgres preflight-cc

preflight-go:
	@sh scripts/preflight.sh go

preflight-postgres:
	@sh scripts/preflight.sh postgres

preflight-cc:
	@sh scripts/preflight.sh cc
