#!/bin/sh
# Looks for one thing that hookflow needs: go with its folders, postgres (the server binaries) or cc (a C compiler, for the
# race detector); dev looks at the ports and the data folder of hookflow dev. Where a program is missing, root on Debian and
# Ubuntu installs the distribution's package; everybody else is told the one command. Succeeds in silence, but for a line
# every 15 s.
set -eu

# Tests put a folder of their own before every absolute path.
root=${PREFLIGHT_ROOT:-}

have() { command -v "$1" >/dev/null 2>&1; }

fail() {
	printf '%s\n' "$*" >&2
	exit 1
}

# Runs a command, which $1 describes, with its output folded: a line every 15 s says so and what it last wrote, and all of it
# is shown if it fails.
quietly() {
	doing=$1
	shift
	log=$(mktemp)
	"$@" </dev/null >"$log" 2>&1 &
	pid=$!
	# A shell lets what runs in its background ignore Ctrl-C.
	trap 'kill "$pid" 2>/dev/null; rm -f "$log"; exit 130' INT TERM HUP
	tenths=0
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.1
		tenths=$((tenths + 1))
		if [ $((tenths % 150)) = 0 ]; then echo "$doing ($((tenths / 10)) s) $(tail -n 1 "$log")"; fi
	done
	wait "$pid" && code=0 || code=$?
	trap - INT TERM HUP
	[ "$code" = 0 ] || grep -v -e '^go: downloading ' -e '^exit status ' "$log" >&2 || :
	rm -f "$log"
	return "$code"
}

# The oldest Go that builds hookflow, as go.mod says it.
check_go() {
	have go || fail "hookflow needs Go 1.26 or newer, and there is none on PATH: https://go.dev/dl/"
	# A Go of 1.21 or newer fetches the version that go.mod names by itself, and then reports that one.
	version=$(go version 2>/dev/null) || version=$(GOTOOLCHAIN=local go version 2>/dev/null) || version=unknown
	version=${version#go version }
	version=${version%% *}
	number=${version#go}
	major=${number%%.*}
	minor=${number#*.}
	minor=${minor%%[!0-9]*}
	case "$major$minor" in
	'' | *[!0-9]*)
		case $version in
		devel*) return 0 ;;
		esac
		major=0 minor=0
		;;
	esac
	[ "$major" -gt 1 ] || { [ "$major" -eq 1 ] && [ "${minor:-0}" -ge 26 ]; } ||
		fail "hookflow needs Go 1.26 or newer, and this one is $version: https://go.dev/dl/"
}

# Go keeps what it compiled in GOCACHE, runs programs from there and from its temporary folder, and keeps modules in
# GOMODCACHE. Its own messages name none of what can be set.
check_folders() {
	cache=$(go env GOCACHE 2>/dev/null) || cache=
	modules=$(go env GOMODCACHE 2>/dev/null) || modules=
	case $cache in
	/*) ;;
	*) fail "Go has no folder for what it compiles: HOME is ${HOME:-not set}, GOCACHE is ${cache:-not set}. $how_home" ;;
	esac
	[ -n "$modules" ] || fail "Go has no folder for modules: HOME is ${HOME:-not set}, GOMODCACHE is not set. $how_home"
	check_folder "GOCACHE=$cache" "$cache" programs "set HOME or GOCACHE to a folder of your own: HOME=FOLDER make …"
	check_folder "GOMODCACHE=$modules" "$modules" files "set HOME or GOMODCACHE to a folder of your own: HOME=FOLDER make …"
	temporary=$(go env GOTMPDIR)
	if [ -z "$temporary" ]; then temporary=${TMPDIR:-/tmp}; fi
	check_folder "The temporary folder $temporary" "$temporary" programs "set TMPDIR to a folder of your own: TMPDIR=FOLDER make …"
	check_folder "The folder $(pwd)/bin" "$(pwd)/bin" programs "move the checkout to a folder of your own"
}

how_home="Set HOME to a folder of your own: HOME=FOLDER make …"

# $1 is what the folder $2 is called, $3 what is kept in it, $4 what to do where that cannot be.
check_folder() {
	probe=$2/.hookflow-$$
	if ! { mkdir -p "$2" && printf '#!/bin/sh\n' >"$probe"; } 2>/dev/null; then
		# What is there is the one to look at: the folder, or the nearest above it.
		there=$2
		while [ ! -e "$there" ]; do there=$(dirname "$there"); done
		who=$(id -un 2>/dev/null) || who="user $(id -u)"
		fail "$1 cannot be written by $who ($(ls -ld "$there")): $4"
	fi
	if [ "$3" = programs ] && chmod +x "$probe" && ! "$probe" 2>/dev/null; then
		rm -f "$probe"
		fail "$1 is on a file system that runs no programs (mounted with noexec): $4"
	fi
	rm -f "$probe"
}

# A folder of server binaries has both programs. psql alone is the client's package.
is_server() { [ -x "$1/postgres" ] && [ -x "$1/initdb" ]; }

# The same places as internal/devstack/postgres_binaries.go.
has_postgres() {
	for dir in "$root"/usr/lib/postgresql/*/bin "$root"/usr/pgsql-*/bin "$root"/usr/libexec/postgresql* \
		"$root"/opt/homebrew/opt/postgresql*/bin "$root"/usr/local/opt/postgresql*/bin \
		"$root"/Applications/Postgres.app/Contents/Versions/*/bin; do
		if is_server "$dir"; then return 0; fi
	done
	have postgres && have initdb
}

can_apt() { [ "$(id -u)" = 0 ] && have apt-get; }

apt_install() {
	export DEBIAN_FRONTEND=noninteractive
	# A fresh image has no package lists. Old ones may do, so a failure here is not the end.
	quietly "Refreshing the package lists" apt-get update -q || echo "The package lists could not be refreshed; going on with those that are here." >&2
	# A machine that was just started may be installing its updates.
	quietly "Installing $*" apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" ||
		fail "apt-get install $* failed (see above)."
}

# The command for somebody else's hands. A fresh machine has no package lists, and a small one no sudo.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		echo "$1${2:+ && $2}"
	elif have sudo; then
		echo "sudo $1${2:+ && sudo $2}"
	else
		echo "as root, $1${2:+ && $2}"
	fi
}

# Debian's package makes and starts a cluster of its own, on port 5432, unless it is told not to beforehand. A policy
# that somebody has already set stays.
no_system_cluster() {
	conf=$root/etc/postgresql-common
	if grep -Eqs '^[[:space:]]*create_main_cluster' "$conf/createcluster.conf" "$conf"/createcluster.d/*.conf; then
		return 0
	fi
	mkdir -p "$conf/createcluster.d"
	cat >"$conf/createcluster.d/hookflow.conf" <<-'CONF'
		# Written by hookflow before it installed the package postgresql: it only needs the programs.
		create_main_cluster = false
	CONF
}

check_postgres() {
	has_postgres && return 0
	if can_apt; then
		echo "Installing the package postgresql: hookflow runs a private Postgres from its programs." \
			"No system-wide database is made or started."
		no_system_cluster
		apt_install postgresql
		has_postgres || fail "The package postgresql is installed, but brought no server programs."
		return 0
	fi
	case $(uname -s) in
	Darwin) how="brew install postgresql@17" ;;
	*)
		if have apt-get; then
			how=$(as_root "apt-get update" "apt-get install -y --no-install-recommends postgresql")
		elif have dnf; then
			how=$(as_root "dnf install -y postgresql-server")
		elif have apk; then
			how=$(as_root "apk add -U postgresql")
		elif have pacman; then
			how=$(as_root "pacman -Sy --noconfirm postgresql")
		else
			how="see https://www.postgresql.org/download/"
		fi
		;;
	esac
	fail "hookflow needs the Postgres server programs (postgres and initdb), and they are not on this machine: $how"
}

# A compiler without the C library's headers does not help.
compiles() {
	cc=$(go env CC 2>/dev/null || true)
	cc=${cc:-cc}
	out=$(mktemp)
	# CC may carry arguments, so no quotes around it.
	# shellcheck disable=SC2086
	printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | $cc -x c -o "$out" - >/dev/null 2>&1 && ok=0 || ok=1
	rm -f "$out"
	return "$ok"
}

check_cc() {
	compiles && return 0
	if can_apt; then
		echo "Installing the packages gcc and libc6-dev: Go's race detector, which the tests run with, needs a C compiler."
		apt_install gcc libc6-dev
		compiles || fail "gcc is installed, but does not compile."
		return 0
	fi
	case $(uname -s) in
	Darwin) how="xcode-select --install" ;;
	*)
		how="install gcc and the C library's headers"
		if have apt-get; then
			how=$(as_root "apt-get update" "apt-get install -y --no-install-recommends gcc libc6-dev")
		elif have dnf; then
			how=$(as_root "dnf install -y gcc glibc-devel")
		fi
		;;
	esac
	fail "The tests run with Go's race detector, which needs a C compiler: $how"
}

case ${1:-} in
go)
	check_go
	check_folders
	# The standard library comes first, before anything can show how far the rest is.
	quietly "Compiling what shows the progress" go build ./internal/compile ./internal/progress
	;;
dev) quietly "Compiling the check of ports and folders" go run ./internal/preflight ;;
postgres) check_postgres ;;
cc) check_cc ;;
*) fail "usage: preflight.sh go|dev|postgres|cc" ;;
esac
