#!/bin/sh
# What ./bootstrap says on a machine where everything is missing: a few lines
# while it goes well, and all that a step printed if the step fails.  The
# packages, the build and the rights of root are stand-ins, in a directory that
# has nothing of a checkout but the script.
# shellcheck disable=SC2317 # functions called through ok

top=${TOP_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
n=0 failed=0
scratch=$(mktemp -d /tmp/lua-fpm-bootstrap.XXXXXX)
trap 'rm -rf "$scratch"' EXIT

ok() {
	n=$((n + 1))
	what=$1
	shift
	if "$@"; then
		echo "ok $n - $what"
	else
		failed=1
		echo "not ok $n - $what"
		sed 's/^/# /' "$scratch/said"
	fi
}

# stand_in NAME: a program, from stdin.
stand_in() {
	{
		echo '#!/bin/sh'
		cat
	} >"$scratch/bin/$1"
	chmod 755 "$scratch/bin/$1"
}

# Where everything is missing, each program prints much.
machine() {
	rm -rf "${scratch:?}/bin" "$scratch/tree"
	mkdir "$scratch/bin" "$scratch/tree"
	cp "$top/bootstrap" "$scratch/tree"
	stand_in id <<-'EOT'
		echo 1000
	EOT
	stand_in dpkg-query <<-'EOT'
		exit 1
	EOT
	stand_in sudo <<-'EOT'
		case $1 in
		env) shift 2; exec "$@" ;;
		apt-get) exec "$@" ;;
		tee) cat >/dev/null ;;
		esac
	EOT
	stand_in apt-get <<-'EOT'
		seq -f 'apt-get: line %g' 300
	EOT
	stand_in autoreconf <<-'EOT'
		seq -f 'autoreconf: line %g' 40
		printf '#!/bin/sh\n' >configure
		chmod 755 configure
	EOT
	stand_in make <<-'EOT'
		exit 0
	EOT
}

bootstrap() {
	PATH=$scratch/bin:$PATH "$scratch/tree/bootstrap" >"$scratch/said" 2>&1
}

quiet() {
	bootstrap && [ "$(wc -l <"$scratch/said")" -le 4 ] &&
	    grep -q '^bootstrap: installing.* libconfig-dev ' \
	    "$scratch/said" &&
	    grep -q '^bootstrap: built: ' "$scratch/said"
}

# fails PROGRAM LINES: with all its lines, and the name of what has failed.
fails() {
	! bootstrap && [ "$(grep -c "^$1: line" "$scratch/said")" = "$2" ] &&
	    grep -q "^E: $1 at the end" "$scratch/said" &&
	    tail -n 1 "$scratch/said" | grep -q "^bootstrap: $3"
}

break_at_end() {
	printf 'echo "E: %s at the end" >&2\nexit 100\n' "$1" \
	    >>"$scratch/bin/$1"
}

machine
ok 'a build on a bare machine is told in a few lines' quiet
machine
break_at_end apt-get
ok 'apt-get fails: all that it printed is there' \
    fails apt-get 300 'could not install: gcc'
machine
break_at_end autoreconf
ok 'autoreconf fails: all that it printed is there' \
    fails autoreconf 40 'autoreconf failed'
echo "1..$n"
exit "$failed"
