#!/usr/bin/env python3
"""The Debian package's life under a real systemd, in a Debian that is booted
for it: installed, upgraded, refused, removed, purged."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from upgraded import NEXT
import machine

UNIT, SOCKET = "lua-fpm.service", "lua-fpm@www.socket"
CONF, POOLS = "/etc/lua-fpm/lua-fpm.conf", "/etc/lua-fpm/pools.d"
WWW = "/run/lua-fpm/www.sock"
m = None


# ---- packages ---------------------------------------------------------------


def built(name):
    """The path of one that ./bootstrap deb has made."""
    found = [f for f in os.listdir(BUILD + "/deb")
             if f.startswith(name + "_") and f.endswith(".deb")]
    equal(len(found), 1, "packages %s in %s/deb" % (name, BUILD))
    return BUILD + "/deb/" + found[0]


def dpkg_deb(*args):
    return subprocess.run(["dpkg-deb", *args], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def pack(directory, name):
    """The path in the machine."""
    dpkg_deb("-b", "--root-owner-group", "-Znone", directory,
             "%s/srv/%s.deb" % (m.tree, name))
    return "/srv/%s.deb" % name


def package(version, change=None):
    """lua-fpm as built, but of this version; change gets its directory."""
    directory = m.dir + "/lua-fpm-" + version
    dpkg_deb("-R", built("lua-fpm"), directory)
    control = directory + "/DEBIAN/control"
    with open(control) as f:
        text = re.sub(r"(?m)^Version: .*", "Version: " + version, f.read())
    write(control, text)
    if change:
        change(directory)
    return pack(directory, "lua-fpm-" + version)


def next_build(directory):
    """A build of another version, with a unit that differs."""
    shutil.copy(NEXT, directory + "/usr/sbin/lua-fpm")
    unit = directory + "/lib/systemd/system/" + UNIT
    if not os.path.exists(unit):
        unit = directory + "/usr/lib/systemd/system/" + UNIT
    with open(unit) as f:
        text = f.read()
    write(unit, text.replace("Description=", "Description=Next "))


def stranger(directory):
    """A build with another form of what an upgrade leaves."""
    path = directory + "/usr/sbin/lua-fpm"
    with open(path, "rb") as f:
        data = f.read()
    assert b"lua_fpm_handover_1\0" in data
    with open(path, "wb") as f:
        f.write(data.replace(b"lua_fpm_handover_1\0",
                             b"lua_fpm_handover_9\0"))


def library(name):
    """A package of this machine's, packed again from its files."""
    directory = m.dir + "/" + name

    def ask(*args):
        return subprocess.run(["dpkg-query", *args, name], check=True,
                              text=True, stdout=subprocess.PIPE).stdout
    write(make_parent(directory + "/DEBIAN/control"), ask(
        "-W", "-f=Package: ${Package}\nVersion: ${Version}\n"
        "Architecture: ${Architecture}\nMaintainer: ${Maintainer}\n"
        "Description: ${binary:Summary}\n"))
    for path in ask("-L").splitlines():
        if os.path.islink(path) or os.path.isfile(path):
            shutil.copy2(path, make_parent(directory + path),
                         follow_symlinks=False)
    return pack(directory, name)


def make_parent(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def install_libraries():
    """Those that the machine has not from a release of its own."""
    for depends in dpkg_deb("-f", built("lua-fpm"), "Depends").split(", "):
        name = depends.split()[0]
        if m.run("chroot", m.tree, "dpkg", "-s", name) != 0:
            equal(m.run("chroot", m.tree, "dpkg", "-i", library(name)), 0,
                  m.tail())


# ---- in the machine ---------------------------------------------------------


def apt(*args):
    """What it says."""
    return m.good("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q",
                  "-y", "--no-install-recommends", *args)


def install(path):
    """By dpkg alone, which is quicker: what it says."""
    return m.good("dpkg", "-i", path)


def configure(control="/run/lua-fpm/control.sock", **pools):
    m.write(CONF, "".join("%s = %s;\n" % (k, libconfig(v)) for k, v in {
        "control": control, "include": "pools.d/*.conf",
        "pools": pools}.items()))


def www(**keys):
    return {"app": "/usr/share/lua-fpm/hello.lua", "listen": WWW,
            "listen_owner": "www-data", "user": "lua-fpm", **keys}


def page(path=WWW):
    return fetch(m.socket(path))


def serves(path=WWW):
    r = page(path)
    equal(r.status, 200)
    assert b"lua-fpm works" in r.body, r.body[:200]


def main_pid():
    return int(m.show("MainPID"))


def is_current():
    """Is the daemon's program the one that is installed?"""
    of_both = m.good("stat", "-L", "-c", "%i", "/usr/sbin/lua-fpm",
                     "/proc/%d/exe" % main_pid()).split()
    return of_both[0] == of_both[1]


def state():
    """Of the package."""
    return m.said if m.call("dpkg-query", "-W", "-f=${db:Status-Status}",
                            "lua-fpm") == 0 else "unknown"


def paths():
    """All files and directories but those that the system keeps about its
    packages, its logs and what runs."""
    own = [m.tree + p for p in (
        "/proc", "/sys", "/dev", "/run", "/tmp", "/srv", "/var/lib/dpkg",
        "/var/lib/apt", "/var/lib/systemd/catalog", "/var/cache",
        "/var/log/apt", "/var/log/dpkg.log", "/var/log/journal",
        "/var/log/alternatives.log", "/var/tmp")]
    found = set()
    for place, directories, files in os.walk(m.tree):
        directories[:] = [d for d in directories
                          if os.path.join(place, d) not in own]
        found |= {os.path.join(place, name)[len(m.tree):]
                  for name in directories + files
                  if os.path.join(place, name) not in own}
    return found | {"/run/" + name for name in m.good("ls", "/run").split()
                    if "lua-fpm" in name}


before = None


@test
def boots():
    """a %s is made and booted"""
    global m, before
    machine.can_be()
    m = machine.Machine()
    m.make_bare()
    m.write("/etc/dpkg/dpkg.cfg.d/quick", "force-unsafe-io\n")
    install_libraries()
    m.boot()
    before = paths()


def booted(fn):
    """A test point that wants the machine."""
    def wrapped():
        if before is None:
            raise Skip("there is no machine")
        fn()
    wrapped.__doc__, wrapped.__name__ = fn.__doc__, fn.__name__
    return test(wrapped)


def is_new():
    equal((m.show("ActiveState"), m.show("UnitFileState"),
           m.show("StatusText")), ("active", "enabled", "1 of 1 pools serve"))
    serves()


@booted
def installs():
    """installed by apt, it runs: an unprivileged user serves a page that says
    so, to root and www-data"""
    shutil.copy(built("lua-fpm"), m.tree + "/srv/lua-fpm.deb")
    apt("install", "/srv/lua-fpm.deb")
    is_new()
    equal(m.good("stat", "-c", "%a %U", WWW), "660 www-data\n")
    pid = m.good("lua-fpmctl", "workers").splitlines()[1].split()[1]
    equal(m.good("stat", "-c", "%U", "/proc/" + pid), "lua-fpm\n")
    equal(m.good("dpkg", "--verify", "lua-fpm"), "")


@booted
def upgrades():
    """upgraded: the same process is another version, no request fails,
    and systemd knows the unit that is new"""
    m.mark()
    pid = main_pid()
    load = Load(m.socket(WWW), clients=2, check=lambda r: b"works" in r.body)
    load.more(20)
    said = install(package("0.2.0", next_build))
    m.wait_journal("^upgraded from .* to next")
    load.more(20)
    done, failures = load.stop()
    equal(failures, [], "%d requests" % done)
    diag("%d requests" % done)
    assert "lua-fpm: " not in said, said
    equal((is_current(), main_pid(), m.show("NRestarts"),
           m.show("ActiveState"), m.show("NeedDaemonReload")),
          (True, pid, "0", "active", "no"))
    matches("^Next ", m.show("Description"))


@booted
def refused():
    """with a bad configuration the version before goes on, apt says why and
    has installed the package; once it is mended, the new one takes over"""
    pid = main_pid()
    configure(www=www(nonsense=1))
    said = apt("install", package("0.3.0"))
    matches("(?m)^lua-fpm: the version before still runs", said)
    matches(r"lua-fpm\.conf:\d+: .*nonsense", said)
    equal((state(), is_current(), main_pid()), ("installed", False, pid))
    serves()
    configure(www=www())
    m.good("lua-fpmctl", "upgrade")
    equal((is_current(), main_pid()), (True, pid))
    serves()


@booted
def restarts():
    """a build that cannot take over restarts the service, but not with a bad
    configuration"""
    pid = main_pid()
    configure(www=www(nonsense=1))
    path = package("0.4.0", stranger)
    matches("the version before still runs", install(path))
    equal((is_current(), main_pid()), (False, pid))
    configure(www=www())
    matches("(?m)^lua-fpm: restarting", install(path))
    equal((is_current(), m.show("NRestarts"), m.show("ActiveState")),
          (True, "0", "active"))
    assert main_pid() != pid
    serves()


@booted
def without_control():
    """without a control socket it is upgraded as well, and dpkg says where
    the outcome is; then a service that is stopped and disabled stays so"""
    configure(control="", www=www())
    m.good("systemctl", "reload", UNIT)
    until(lambda: m.call("test", "-e", "/run/lua-fpm/control.sock") == 1,
          "the reload has closed it")
    m.mark()
    pid = main_pid()
    matches("(?m)^lua-fpm: no control socket", install(package("0.5.0",
                                                               stranger)))
    m.wait_journal("^upgraded from ")
    equal((is_current(), main_pid()), (True, pid))
    configure(www=www())
    m.good("systemctl", "disable", "--now", UNIT)
    install("/srv/lua-fpm-0.3.0.deb")
    equal((m.show("ActiveState"), m.show("UnitFileState")),
          ("inactive", "disabled"))


@booted
def removed():
    """removed, nothing of it runs or listens, and what the administrator wrote
    is there; installed again, it is as before"""
    configure(www=www(listen="systemd:www"))
    m.write(POOLS + "/mine.conf", "pools: { mine: %s; };\n" % libconfig(
        www(listen="/run/lua-fpm/mine.sock")))
    m.good("systemctl", "enable", UNIT)
    m.good("systemctl", "enable", "--now", SOCKET)
    serves("/run/lua-fpm-www.sock")
    serves("/run/lua-fpm/mine.sock")
    mine = read(CONF)
    m.good("dpkg", "-r", "lua-fpm")
    equal(state(), "config-files")
    m.call("systemctl", "is-active", UNIT, SOCKET)
    equal(m.said, "inactive\n" * 2)
    equal([p for p in paths() if p.startswith("/run/lua-fpm")], [])
    assert "lua-fpm" not in m.good("sh", "-c", "cat /proc/[0-9]*/comm"), m.said
    equal(read(CONF), mine)
    install("/srv/lua-fpm.deb")
    equal((read(CONF), m.show("StatusText")), (mine, "2 of 2 pools serve"))
    serves("/run/lua-fpm-www.sock")


def read(path):
    with open(m.tree + path) as f:
        return f.read()


@booted
def examples():
    """the example application has a package of its own"""
    shutil.copy(built("lua-fpm-examples"), m.tree + "/srv/examples.deb")
    install("/srv/examples.deb")
    configure(www=www(app="/usr/share/lua-fpm/example/app.lua"))
    m.good("systemctl", "stop", SOCKET)
    m.good("systemctl", "restart", UNIT)
    assert b"<nav" in page().body


@booted
def purged():
    """purged, no file and no directory of it is left but what Debian keeps of
    each; installed once more, it is as new"""
    apt("purge", "lua-fpm", "lua-fpm-examples")
    equal(state(), "unknown")
    equal(sorted(paths() - before), [])
    equal(sorted(before - paths()), [])
    install("/srv/lua-fpm.deb")
    is_new()


boots.__doc__ %= machine.SUITE
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
run(180 if machine.is_kept() else 900, (*machine.NEEDS, "dpkg-deb"))
