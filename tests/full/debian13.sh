#!/bin/sh
# ./bootstrap check on a fresh Debian 13, in root's home: in a tree that
# debootstrap makes, with namespaces of its own for mounts and processes.
#
# usage: tests/full/debian13.sh [SUITE]
#
# As root.  SUITE is another release of Debian.  What debootstrap has made is
# kept in the directory that DEBIAN_CACHE names, and taken from there.

set -u
suite=${1-trixie}
top=${TOP_SRCDIR:-$(dirname "$0")/../..}
limit=3600 # seconds for packages, build and tests

skip() {
	echo "1..0 # SKIP $*"
	exit 0
}

for program in apt-get debootstrap git unshare; do
	command -v "$program" >/dev/null || skip "not found: $program"
done
[ "$(id -u)" -eq 0 ] || skip 'not root'
[ -e "$top/.git" ] || skip 'not in a git repository'
unshare --mount --pid --fork true || skip 'no namespaces can be made'

scratch=$(mktemp -d /tmp/lua-fpm-debian.XXXXXX)
tree=$scratch/tree checkout=$scratch/tree/root/lua-fpm log=$scratch/log
child=

# With the first process of a namespace go the others and the mounts.
# shellcheck disable=SC2317 # by a trap
clean_up() {
	[ -z "$child" ] || kill -KILL "$child"
	wait
	rm -rf --one-file-system "$scratch"
}
trap clean_up EXIT
trap 'echo "Bail out! interrupted"; exit 1' HUP INT TERM

# apart COMMAND...: in namespaces of its own, and so that a trap can end it.
apart() {
	unshare --mount --pid --fork --kill-child "$@" >>"$log" 2>&1 \
	    </dev/null &
	child=$!
	wait "$child"
	status=$?
	child=
	return "$status"
}

make_checkout() {
	apt-config dump Acquire >"$tree/etc/apt/apt.conf.d/99acquire"
	echo '127.0.0.1 localhost' >"$tree/etc/hosts"
	chmod 700 "$tree/root"
	mkdir "$checkout"
	git -c safe.directory='*' -C "$top" archive HEAD |
	    tar -C "$checkout" -xf -
}

# The tree is a mount point, as / is elsewhere, and the shell in it, its first
# process, reaps the orphans.
check() {
	# shellcheck disable=SC2016 # variables of that shell
	apart sh -euc '
	mount --bind "$1" "$1"
	mount -t proc proc "$1/proc"
	mount --rbind /sys "$1/sys"
	mount --rbind /dev "$1/dev"
	exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	    CONFIGURE_FLAGS=--enable-werror chroot "$1" sh -c "
		cd && timeout $2 lua-fpm/bootstrap check
		exit \$?"' sh "$tree" "$limit"
}

# The results of all tests, by kind.
results() {
	find "$checkout/build" -name '*.trs' -exec cat {} + |
	    grep -cE "^:test-result: ($1)( |\$)"
}

# What is in the logs of tests about those that are bad.
failures() {
	find "$checkout/build" -name '*.trs' | sed 's/trs$/log/' |
	    while read -r tests; do
		awk -v name="${tests#"$checkout/build/"}" '
		/^(ok|PASS:)/ { bad = 0 }
		/^(not ok|Bail out)|^ok .*# SKIP/ { bad = 1 }
		/^ERROR:/ || bad { print name ": " $0 }' "$tests"
	done
}

# When the last package was there, and the last program that tests need.
phases() {
	packages=$(stat -c %Y "$tree/var/log/dpkg.log")
	built=$(find "$checkout/build" -type f -perm -100 -printf '%T@\n' |
	    sort -n | sed -n '$s/\..*//p')
	echo "# packages $((packages - begun)) s, build $((built - packages)) s," \
	    "tests $(($(date +%s) - built)) s"
}

echo 1..2
begun=$(date +%s)
if ! apart "$top/tests/full/tree" "$suite" "$tree" || ! make_checkout; then
	echo "not ok 1 - a tree of $suite is made"
	tail -n 40 "$log" | sed 's/^/# /'
	echo "Bail out! no tree"
	exit 1
fi
echo "ok 1 - a tree of $suite is made"
begun=$(date +%s)
check
status=$?
passed=$(results 'PASS|XFAIL')
bad=$(results 'FAIL|XPASS|ERROR|SKIP')
title="./bootstrap check: $passed tests pass, $bad fail or are skipped"
if [ "$status" -eq 0 ] && [ "$passed" -gt 0 ] && [ "$bad" -eq 0 ]; then
	echo "ok 2 - $title"
	phases
	exit
fi
echo "not ok 2 - $title"
if [ "$bad" -gt 0 ]; then
	phases
	failures | sed 's/^/# /'
else
	tail -n 40 "$log" | sed 's/^/# /'
fi
exit 1
