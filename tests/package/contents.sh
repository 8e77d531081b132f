#!/bin/sh
# What the Debian packages of ./bootstrap deb are made of, and what lintian
# says of them.

cd "${TOP_BUILDDIR:-$(dirname "$0")/../../build}" || exit 1
top=${TOP_SRCDIR:-..}
n=0 failed=0

skip() {
	echo "1..0 # SKIP $*"
	exit 0
}

# result TITLE FAULTS
result() {
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

command -v dpkg-deb >/dev/null || skip 'dpkg-deb is not installed'
scratch=$(mktemp -d /tmp/lua-fpm-contents.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
main=$(find deb -name 'lua-fpm_*.deb')
examples=$(find deb -name 'lua-fpm-examples_*_all.deb')
if ! [ -f "$main" ] || ! [ -f "$examples" ]; then
	echo "Bail out! no packages in $PWD/deb, or of several versions"
	exit 1
fi

field() {
	dpkg-deb -f "$1" "$2"
}

# The files of a package, as: mode owner path [-> target]
files() {
	dpkg-deb -c "$1" | awk '{ print $1, $2, substr($6, 2), $7, $8 }' |
	    sed 's/ *$//'
}

# Units are where the release has them, /usr being merged or not.
names() {
	files "$1" | awk '$3 !~ /\/$/ { print $3 }' |
	    sed 's|^/lib/|/usr/lib/|' | sort
}

expected() {
	cat <<-'END'
	/etc/logrotate.d/lua-fpm
	/etc/lua-fpm/lua-fpm.conf
	/etc/lua-fpm/pools.d/shop.conf.example
	/usr/bin/lua-fcgi
	/usr/bin/lua-simple-fcgi
	/usr/lib/systemd/system/lua-fpm.service
	/usr/lib/systemd/system/lua-fpm@.socket
	/usr/lib/sysusers.d/lua-fpm.conf
	/usr/lib/tmpfiles.d/lua-fpm.conf
	/usr/sbin/lua-fpm
	/usr/sbin/lua-fpmctl
	/usr/share/bash-completion/completions/lua-fpmctl
	/usr/share/doc/lua-fpm/README.Debian
	/usr/share/doc/lua-fpm/README.md.gz
	/usr/share/doc/lua-fpm/changelog.gz
	/usr/share/doc/lua-fpm/copyright
	/usr/share/doc/lua-fpm/examples/kubernetes/adapter.yaml
	/usr/share/doc/lua-fpm/examples/kubernetes/http.yaml
	/usr/share/doc/lua-fpm/examples/kubernetes/nginx.yaml
	/usr/share/doc/lua-fpm/examples/kubernetes/prometheus.yml
	/usr/share/doc/lua-fpm/examples/monitoring/grafana.json
	/usr/share/doc/lua-fpm/examples/monitoring/lua-fpm.rules.yml
	/usr/share/doc/lua-fpm/examples/monitoring/lua-fpm.test.yml
	/usr/share/doc/lua-fpm/examples/monitoring/prometheus.yml
	/usr/share/doc/lua-fpm/examples/nginx.conf.example
	/usr/share/lintian/overrides/lua-fpm
	/usr/share/lua-fpm/hello.lua
	END
	for page in "$top"/man/*.[1-9]; do
		echo "/usr/share/man/man${page##*.}/${page##*/}.gz"
	done
	for page in "$top"/man/*.3lua; do
		echo "/usr/share/man/man3/${page##*/}.gz"
	done
	(cd "$top/src/lua" && find . -name '*.lua') |
	    sed 's|^\.|/usr/share/lua/5.4|'
}

expected_examples() {
	printf '/usr/share/doc/lua-fpm-examples/%s\n' changelog.gz copyright
	for file in "$top"/conf/example/*; do
		echo "/usr/share/lua-fpm/example/${file##*/}"
	done
}

# Root's, programs 755, all else 644, and links within the tree.
attributes() {
	files "$1" | awk '
	$2 != "root/root" { print; next }
	$1 ~ /^d/ { if ($1 != "drwxr-xr-x") print; next }
	$1 ~ /^l/ { if ($5 ~ /^\//) print; next }
	$3 ~ /\/s?bin\// { if ($1 != "-rwxr-xr-x") print; next }
	$1 != "-rw-r--r--"'
}

# The configuration as make install has it, for /usr.
configuration() {
	(cd "$top/conf" && cat lua-fpm.conf pools.d/shop.conf.example) |
	    cmp - "$scratch/whole" 2>&1
	dpkg-deb --ctrl-tarfile "$main" | tar -xOf - ./conffiles | sort |
	    diff "$scratch/etc" -
}

# What the pool serves, and the user that it has, come along.
pool() {
	app=$(sed -n 's/^\t*app = "\(.*\)";/\1/p' "$scratch/whole" | head -n 1)
	user=$(sed -n 's/^\t*user = "\(.*\)";/\1/p' "$scratch/whole" |
	    head -n 1)
	[ -f "$scratch/main/$app" ] || echo "not in the package: $app"
	grep -q "^u $user " "$scratch/main/usr/lib/sysusers.d/lua-fpm.conf" ||
	    echo "not made by sysusers.d: $user"
	[ "$user" != root ] || echo 'it is root'
}

programs() {
	for program in usr/sbin/lua-fpm usr/sbin/lua-fpmctl usr/bin/lua-fcgi
	do
		readelf -hldW "$scratch/main/$program" >"$scratch/elf"
		grep -q 'Type: .*DYN' "$scratch/elf" &&
		    grep -q 'GNU_RELRO' "$scratch/elf" &&
		    grep -q 'FLAGS_1.*NOW' "$scratch/elf" ||
			echo "$program is not hardened"
		case $("$scratch/main/$program" -V) in
		*" $(field "$main" Version)") ;;
		*)	echo "$program has another version" ;;
		esac
	done
}

dpkg-deb -x "$main" "$scratch/main"
(cd "$scratch/main/etc/lua-fpm" && cat lua-fpm.conf pools.d/shop.conf.example) \
    >"$scratch/whole"
(cd "$scratch/main" && find etc -type f) | sed 's|^|/|' | sort >"$scratch/etc"

expected | sort >"$scratch/list"
result 'every file of lua-fpm is there, and no other' \
    "$(names "$main" | diff "$scratch/list" -)"
expected_examples | sort >"$scratch/list"
result 'every file of lua-fpm-examples is there, and no other' \
    "$(names "$examples" | diff "$scratch/list" -)"
result 'files are of root, with the mode of their kind; links are relative' \
    "$(attributes "$main"; attributes "$examples")"
result 'what is in /etc is as in conf/, and a conffile' "$(configuration)"
result 'the pool of the configuration needs no other package' "$(pool)"
result 'programs are hardened, and have the version of the package' \
    "$(programs)"
if command -v lintian >/dev/null; then
	result 'lintian has no error and no warning' \
	    "$(lintian --fail-on error,warning deb/*.changes 2>&1 |
	    grep '^[EW]:')"
else
	n=$((n + 1))
	echo "ok $n # SKIP lintian is not installed"
fi
echo "1..$n"
exit "$failed"
