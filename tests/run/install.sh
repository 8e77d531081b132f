#!/bin/sh
# What make install puts where, that it never touches a configuration that is
# there, that systemd accepts the service, and that uninstall leaves nothing.
# shellcheck disable=SC2317,SC2154 # functions called through ok; directories
# that config.status fills in

here=$(cd "$(dirname "$0")/../.." && pwd)
build=${TOP_BUILDDIR:-$here/build}
unset MAKEFLAGS MFLAGS MAKELEVEL
n=0 failed=0
scratch=$(mktemp -d /tmp/lua-fpm-install.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root

# Where this build installs to; each of these may name others before it.
directories() {
	printf '%s=@%s@\n' prefix prefix exec_prefix exec_prefix \
	    sbindir sbindir bindir bindir sysconfdir sysconfdir \
	    datarootdir datarootdir datadir datadir mandir mandir \
	    units systemdsystemunitdir tmpfiles tmpfilesdir \
	    sysusers sysusersdir completions bashcompletiondir |
	    (cd "$build" && ./config.status -q --file=-)
}

ok() {
	n=$((n + 1))
	what=$1
	shift
	if "$@" >"$scratch/out" 2>&1; then
		echo "ok $n - $what"
	else
		failed=1
		echo "not ok $n - $what"
		sed 's/^/# /' "$scratch/out"
	fi
}

run_make() {
	make -C "$build" "$@" DESTDIR="$root"
}

has() {
	for file in "$@"; do
		test -f "$root$file" || {
			echo "$file is not there"
			find "$root"
			return 1
		}
	done
}

runs() {
	"$root$1" -V | grep '^lua-f'
}

second_name() {
	target=$(readlink "$root$bindir/lua-simple-fcgi") &&
	    test -x "$root$target"
}

no_placeholder() {
	! grep -n '@[a-z]*@' "$1"
}

# As systemd would see them, but for the two programs, which are not installed
# on this machine.
verify() {
	mkdir "$scratch/unit"
	sed "s|=$sbindir|=$root$sbindir|" "$root$units/lua-fpm.service" \
	    >"$scratch/unit/lua-fpm.service"
	cp "$root$units/lua-fpm@.socket" "$scratch/unit/lua-fpm@www.socket"
	systemd-analyze verify --man=no "$scratch/unit/lua-fpm.service" \
	    "$scratch/unit/lua-fpm@www.socket" >"$scratch/verdict" 2>&1
	code=$?
	grep 'lua-fpm' "$scratch/verdict" && return 1
	[ "$code" -eq 0 ] || cat "$scratch/verdict"
	return "$code"
}

kept() {
	[ "$(cat "$root$sysconfdir/lua-fpm/lua-fpm.conf")" = '# mine' ]
}

nothing_left() {
	left=$(find "$root" ! -type d)
	[ "$left" = "$root$sysconfdir/lua-fpm/lua-fpm.conf" ] && return
	printf '%s\n' "$left"
	return 1
}

eval "$(directories)"
ok 'make install' run_make install
ok 'programs, manuals and configuration are where they belong' has \
    "$sbindir/lua-fpm" "$sbindir/lua-fpmctl" "$bindir/lua-fcgi" \
    "$completions/lua-fpmctl" "$mandir/man8/lua-fpmctl.8" \
    "$mandir/man8/lua-fpm.8" "$mandir/man8/lua-simple-fcgi.8" \
    "$mandir/man5/lua-fpm.conf.5" "$mandir/man1/lua-fcgi.1" \
    "$mandir/man7/lua-fpm-logs.7" \
    "$sysconfdir/lua-fpm/lua-fpm.conf" "$sysconfdir/lua-fpm/pools.d/shop.conf.example" \
    "$units/lua-fpm.service" "$units/lua-fpm@.socket" \
    "$tmpfiles/lua-fpm.conf" "$sysusers/lua-fpm.conf" \
    "$datadir/lua-fpm/example/app.lua" "$datadir/lua-fpm/example/style.css"
ok 'the daemon runs' runs "$sbindir/lua-fpm"
ok 'the client runs' runs "$bindir/lua-fcgi"
ok 'the control tool runs' runs "$sbindir/lua-fpmctl"
ok 'lua-simple-fcgi is the daemon by a second name' second_name
ok 'the service names real paths' \
    no_placeholder "$root$units/lua-fpm.service"
if command -v systemd-analyze >/dev/null; then
	ok 'systemd accepts the service and the socket' verify
else
	n=$((n + 1))
	echo "ok $n # SKIP systemd is not installed"
fi
echo '# mine' >"$root$sysconfdir/lua-fpm/lua-fpm.conf"
ok 'make install again' run_make install
ok 'the configuration that was there is as it was' kept
ok 'make uninstall' run_make uninstall
ok 'nothing is left but what the administrator changed' nothing_left
echo "1..$n"
exit "$failed"
