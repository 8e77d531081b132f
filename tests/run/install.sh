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

loads() {
	"$root$sbindir/lua-fpm" -t "$root$datadir/lua-fpm/$1"
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

# The log is moved away, and no word is said about a service that is stopped:
# systemctl of this test fails as it does then.
rotates() {
	mkdir "$scratch/bin" "$scratch/log"
	chmod 755 "$scratch/log"
	printf '%s\n' '#!/bin/sh' "echo \"\$*\" >>'$scratch/calls'" \
	    'echo "Failed to kill unit: No main process to kill" >&2' \
	    'exit 1' >"$scratch/bin/systemctl"
	chmod 755 "$scratch/bin/systemctl"
	echo line >"$scratch/log/www.access.log"
	sed "s|/var/log/lua-fpm/|$scratch/log/|" \
	    "$root$sysconfdir/logrotate.d/lua-fpm" >"$scratch/logrotate"
	chmod 644 "$scratch/logrotate"
	PATH=$scratch/bin:$PATH:/usr/sbin logrotate -f \
	    -s "$scratch/logrotate.state" "$scratch/logrotate" \
	    >"$scratch/said" 2>&1 || { cat "$scratch/said"; return 1; }
	cat "$scratch/said"
	[ ! -s "$scratch/said" ] && [ -e "$scratch/log/www.access.log.1" ] &&
	    [ "$(cat "$scratch/calls")" = \
	    'kill -s USR1 --kill-whom=main lua-fpm.service' ]
}

# The block in lua-fpm-logs(7) is what is installed.
as_the_manual() {
	sed -n '/^\/var\/log\/lua-fpm\//,/^}/p' \
	    "$root$mandir/man7/lua-fpm-logs.7" |
	    diff - "$root$sysconfdir/logrotate.d/lua-fpm"
}

kept() {
	[ "$(cat "$root$sysconfdir/lua-fpm/lua-fpm.conf")" = '# mine' ] &&
	    [ "$(cat "$root$sysconfdir/logrotate.d/lua-fpm")" = '# mine' ]
}

nothing_left() {
	left=$(find "$root" ! -type d | sort)
	[ "$left" = "$root$sysconfdir/logrotate.d/lua-fpm
$root$sysconfdir/lua-fpm/lua-fpm.conf" ] && return
	printf '%s\n' "$left"
	return 1
}

all_gone() {
	rm -r "$root" && run_make install && run_make uninstall || return 1
	left=$(find "$root" ! -type d)
	[ -z "$left" ] && return
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
    "$mandir/man7/lua-fpm-logs.7" "$mandir/man7/lua-fpm-servers.7" \
    "$sysconfdir/lua-fpm/lua-fpm.conf" "$sysconfdir/lua-fpm/pools.d/shop.conf.example" \
    "$units/lua-fpm.service" "$units/lua-fpm@.socket" \
    "$tmpfiles/lua-fpm.conf" "$sysusers/lua-fpm.conf" \
    "$sysconfdir/logrotate.d/lua-fpm" \
    "$datadir/lua-fpm/hello.lua" \
    "$datadir/lua-fpm/example/app.lua" "$datadir/lua-fpm/example/style.css"
ok 'the daemon runs' runs "$sbindir/lua-fpm"
ok 'what the installed configuration serves loads' loads hello.lua
ok 'the example application loads' loads example/app.lua
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
ok 'lua-fpm-logs(7) shows the file for logrotate' as_the_manual
if PATH=$PATH:/usr/sbin command -v logrotate >/dev/null; then
	ok 'logrotate moves logs of a stopped service and is silent' rotates
else
	n=$((n + 1))
	echo "ok $n # SKIP logrotate is not installed"
fi
echo '# mine' >"$root$sysconfdir/lua-fpm/lua-fpm.conf"
echo '# mine' >"$root$sysconfdir/logrotate.d/lua-fpm"
ok 'make install again' run_make install
ok 'the configuration that was there is as it was' kept
ok 'make uninstall' run_make uninstall
ok 'nothing is left but what the administrator changed' nothing_left
ok 'nothing is left of what nobody changed' all_gone
echo "1..$n"
exit "$failed"
