#!/bin/sh
# Runs the two commands of the README on a machine that has nothing: Debian's (or Ubuntu's) minimal system in a chroot, with
# git, make, certificates and Go alone. It shows what else hookflow needs there, and what the first minutes look like.
#
#	sudo sh scripts/bare-machine.sh              # as an unprivileged user, then as root, each on a new machine
#	sudo sh scripts/bare-machine.sh user         # one of them: user or root
#	sudo BASE=FOLDER sh scripts/bare-machine.sh  # keeps the minimal system there for the next time
#	sudo TEMPORAL_CLI=PATH sh scripts/bare-machine.sh user   # with that Temporal CLI on PATH, where it is not to be built
#
# It wants root, debootstrap and 5 GB in TMPDIR, and takes 15 to 30 minutes a machine on two cores: nothing is cached there.
# The mirror, the proxies, the certificates and Go are this machine's. PACKAGES are the packages whose tests run at the end;
# the other HOOKFLOW_ variables of the environment hold inside, too. Mounts and processes are in namespaces of their own,
# which end with the script however it ends.
set -eu

PACKAGES=${PACKAGES:-./event ./config}
# All of hookflow's ports are free ones: another dev may run beside it.
ports="HOOKFLOW_HTTP_ADDR=127.0.0.1:0 HOOKFLOW_TEMPORAL_PORT=0 HOOKFLOW_TEMPORAL_UI_PORT=0 HOOKFLOW_POSTGRES_PORT=0"

fail() {
	printf 'bare-machine: %s\n' "$*" >&2
	exit 1
}

step() { printf '\n== %s (%s)\n' "$*" "$(date +%H:%M:%S)"; }

# The archive that this machine installs Debian from, and its release.
mirror() {
	# The braces are apt's own.
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(CODENAME) $(REPO_URI)' |
		while read -r by component codename uri; do
			if [ "$by $component $codename" = "Packages main $1" ]; then
				echo "$uri"
				break
			fi
		done
}

# The minimal system, made once; a machine is a copy of it.
make_base() {
	step "debootstrap of $codename from $archive"
	debootstrap --variant=minbase --include=git,make,ca-certificates "$codename" "$1" "$archive" >"$work/debootstrap.log" 2>&1 ||
		{ tail -n 20 "$work/debootstrap.log" >&2; fail "debootstrap failed"; }
	# How this machine reaches the network.
	apt-config dump Acquire | grep -iE '^Acquire::(http|https|ftp|Retries|ForceIPv)' >"$1/etc/apt/apt.conf.d/90-this-machine" || :
	cat /etc/resolv.conf >"$1/etc/resolv.conf"
	if [ -s /etc/ssl/certs/ca-certificates.crt ]; then
		cat /etc/ssl/certs/ca-certificates.crt >"$1/etc/ssl/certs/ca-certificates.crt"
	fi
	# A machine that was just made has no lists of packages.
	rm -rf "$1"/var/lib/apt/lists/*
	mkdir -p "$1/usr/local/go"
}

# Copies the checkout as it is, without what git ignores.
copy_checkout() {
	mkdir -p "$1"
	(cd "$checkout" && git ls-files -z --cached --others --exclude-standard |
		xargs -0 sh -c 'for f; do if [ -e "$f" ]; then printf "%s\0" "$f"; fi; done' sh | tar -c --null -T - -f -) | tar -x -f - -C "$1"
}

# Runs a shell as an account ($1) of the machine with the folder $root, in a home of its own and with few variables.
enter() {
	who=$1
	shift
	home=/home/$who
	[ "$who" != root ] || home=/root
	# The variables hold no white space but for the ports, which are to be split.
	# shellcheck disable=SC2086,SC2046
	chroot --userspec="$who:$who" --groups= "$root" /usr/bin/env -i HOME="$home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		LC_ALL=C.UTF-8 $ports $(env | grep -E '^(https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|GOPROXY|GONOSUMDB|GOSUMDB|GONOPROXY|GOPRIVATE|HOOKFLOW_[A-Z_]*)=[^ ]*$') \
		/bin/sh -c "$@"
}

# Runs make dev, sends an event, looks at it, stops.
try_dev() {
	step "make dev, as $1"
	: >"$work/dev.log"
	# shellcheck disable=SC2016
	enter "$1" 'cd "$0" && exec make dev' "$at" >"$work/dev.log" 2>&1 &
	dev=$!
	tail -f -n +1 "$work/dev.log" &
	tail=$!
	while ! grep -q '^hookflow is ready' "$work/dev.log" && kill -0 "$dev" 2>/dev/null; do sleep 1; done
	sleep 1
	kill "$tail" 2>/dev/null || :
	grep -q '^hookflow is ready' "$work/dev.log" || { wait "$dev" || return 1; }
	# The two commands that the welcome prints, as they stand.
	grep -E '^  .*bin/hookflow (send|events)' "$work/dev.log" | while read -r command; do
		step "$command"
		enter "$1" "cd '$at' && $command"
	done
	tries=0
	until enter "$1" "cd '$at' && bin/hookflow events list --status completed" | grep -q checkout.session.completed; do
		tries=$((tries + 1))
		[ "$tries" -lt 60 ] || fail "the event is not completed after a minute"
		sleep 1
	done
	step "make dev is stopped"
	pid=$(cat "$root$at/.hookflow/lock")
	kill -INT "$pid"
	wait "$dev"
	tail -n 2 "$work/dev.log"
}

# What an unprivileged user is asked to install, root installs: the printed command as it stands, without sudo.
install_what_is_asked() {
	for what in postgres cc; do
		asked=$(enter user "cd '$at' && sh scripts/preflight.sh $what" 2>&1) && continue
		printf '%s\n' "$asked"
		command=$(printf "%s\n" "$asked" | sed -n "s/.*: as root, //p")
		[ -n "$command" ] || fail "preflight prints no command"
		step "root runs: $command"
		enter root "$command" >"$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log" >&2; fail "the printed command fails"; }
	done
}

# One machine. It runs in namespaces of its own.
machine() {
	account=$1 root=$work/$1
	step "a new machine, as $account"
	cp -a "$BASE" "$root"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount --bind "$(go env GOROOT)" "$root/usr/local/go"
	mount -o remount,bind,ro "$root/usr/local/go"
	if [ -n "${TEMPORAL_CLI:-}" ]; then install -m 755 "$TEMPORAL_CLI" "$root/usr/local/bin/temporal"; fi
	if [ "$account" = root ]; then
		at=/root/hookflow
	else
		chroot "$root" useradd --create-home --shell /bin/sh "$account"
		at=/home/$account/hookflow
	fi
	copy_checkout "$root$at"
	chroot "$root" chown -R "$account:$account" "$at"
	if [ "$account" != root ]; then install_what_is_asked; fi
	try_dev "$account"
	step "make test PACKAGES=\"$PACKAGES\", as $account"
	enter "$account" "cd '$at' && make test PACKAGES='$PACKAGES'"
	step "done, as $account: $(du -sxh "$root" | cut -f1) on disk, Go not counted"
}

checkout=$(cd "$(dirname "$0")/.." && pwd)

# The inner call, in the namespaces.
if [ "${1:-}" = --inside ]; then
	work=$3
	machine "$2"
	exit
fi

[ "$(id -u)" = 0 ] || fail "root is needed, for the chroot"
command -v debootstrap >/dev/null || fail "debootstrap is not here: apt-get update && apt-get install -y debootstrap"
command -v go >/dev/null || fail "go is not on PATH"
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
archive=$(mirror "$codename")
[ -n "$archive" ] || fail "apt is configured with no archive of $codename"

work=$(mktemp -d "${TMPDIR:-/tmp}/bare-machine.XXXXXX")
inside=
# unshare ignores other signals. Without its first process the namespace of the processes ends, and with it that of the mounts.
trap '[ -z "$inside" ] || kill -KILL "$inside" 2>/dev/null && wait "$inside" || :; rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM HUP
[ -d "${BASE:=$work/base}" ] || make_base "$BASE"
export BASE
for account in ${*:-user root}; do
	case $account in
	user | root) ;;
	*) fail "usage: bare-machine.sh [user] [root]" ;;
	esac
	# In the background, since a shell looks at signals only between commands that it waits for.
	unshare --mount --pid --fork --kill-child sh "$0" --inside "$account" "$work" </dev/null &
	inside=$!
	wait "$inside"
	inside=
	rm -rf --one-file-system "${work:?}/$account"
done
step "both commands run there"
