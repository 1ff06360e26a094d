# make test is the whole proof and needs nothing but Go; as root on Debian it also gets the peers of the interoperability tests.
GO       ?= go
FUZZTIME ?= 3s
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
TOOLS    ?= $(CURDIR)/.cache/tools
# Everything but the tests with real hosts and peers, which run last and alone: they need the processors for themselves.
UNITS     = $(shell $(GO) list ./... | grep -v -e /test/interop -e /test/system)

.PHONY: test build format vet checks unit race fuzz interop peers cover clean
.NOTPARALLEL:

test: peers format vet checks unit race fuzz interop

build:
	$(GO) build -trimpath -o goipsec ./cmd/goipsec

# What the interoperability tests need, and what they will skip without it.
peers:
	$(GO) run ./test/interop/getpeers

format:
	@files="$$(gofmt -l .)"; if [ -n "$$files" ]; then echo "gofmt -w these files:"; echo "$$files"; exit 1; fi

vet:
	$(GO) vet ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) build ./...
	CGO_ENABLED=0 GOOS=linux GOARCH=arm64 $(GO) vet ./...
	CGO_ENABLED=0 GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	CGO_ENABLED=0 GOOS=windows GOARCH=amd64 $(GO) vet ./...

# A tool that cannot be downloaded is skipped, and said so; what a tool finds is a failure.
checks:
	@mkdir -p $(TOOLS)
	@if GOBIN=$(TOOLS) $(GO) install $(STATICCHECK) >$(TOOLS)/staticcheck.log 2>&1; then \
		echo staticcheck ./...; $(TOOLS)/staticcheck ./...; \
	else echo "skipped: staticcheck cannot be had: $$(tail -n 1 $(TOOLS)/staticcheck.log)"; fi
	@if GOBIN=$(TOOLS) $(GO) install $(GOVULNCHECK) >$(TOOLS)/govulncheck.log 2>&1; then \
		echo govulncheck ./...; $(TOOLS)/govulncheck ./... >$(TOOLS)/govulncheck.log 2>&1; status=$$?; \
		case $$status in \
		0) echo "govulncheck: nothing known" ;; \
		3) cat $(TOOLS)/govulncheck.log; exit 1 ;; \
		*) echo "skipped: govulncheck has no database: $$(tail -n 1 $(TOOLS)/govulncheck.log)" ;; esac; \
	else echo "skipped: govulncheck cannot be had: $$(tail -n 1 $(TOOLS)/govulncheck.log)"; fi

unit:
	$(GO) test -timeout 10m $(UNITS)

race:
	@if [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null; then \
		echo $(GO) test -race ./pkg/...; $(GO) test -race -timeout 15m ./pkg/...; \
	else echo "skipped: the race detector needs cgo and a C compiler"; fi

# Every fuzz target for FUZZTIME each: make fuzz FUZZTIME=10m
fuzz:
	$(GO) run ./test/fuzzall -fuzztime $(FUZZTIME)

interop:
	$(GO) test -count=1 -timeout 10m ./test/system
	$(GO) test -count=1 -p 1 -timeout 25m ./test/interop/...

# Statement coverage of each package by its own tests, with the bound that some of them must keep.
cover:
	$(GO) run ./test/coverage

clean:
	rm -rf goipsec coverage.out $(TOOLS)
