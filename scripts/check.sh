#!/bin/sh
# The checks that need no server, cheapest first. Each prints its name, so that a failure says whose it is.
set -eu

step() { printf '== %s\n' "$1"; }

step gofmt
# Not the hidden folders: a data folder may hold files of another user.
unformatted=$(find . -name '.?*' -prune -o -name '*.go' -print | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'Not formatted (gofmt -w them):\n%s\n' "$unformatted" >&2
	exit 1
fi

step vet
go vet ./...

step staticcheck
go tool staticcheck ./...

# Workflow code must be deterministic: no clock, no goroutine, no map order.
step workflowcheck
go tool workflowcheck ./workflows/...

step "import rules"
rules=$(grep -rl --exclude-dir='.?*' --include='*_test.go' '^func TestImports' . | sed 's|/[^/]*$||' | sort -u)
if [ -z "$rules" ]; then
	echo "No test TestImports… found: the rules of who may import whom are not held." >&2
	exit 1
fi
# Package paths have no spaces.
# shellcheck disable=SC2086
go test -run '^TestImports' $rules

step govulncheck
go run ./scripts/vulncheck
