#!/bin/sh
# Runs every fuzz target in the tree for FUZZTIME each; go test takes only one at a time.
set -eu

targets=$(grep -rHo --exclude-dir='.?*' --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*:func | |' | sort -u)
[ -n "$targets" ] || { echo "No fuzz targets." >&2; exit 1; }
echo "$targets" | while read -r package target; do
	printf '== %s %s\n' "$package" "$target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "$package" </dev/null
done
