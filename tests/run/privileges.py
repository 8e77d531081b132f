#!/usr/bin/env python3
"""What a worker cannot do any more: capabilities, set-user-ID programs, and
who may look into it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
PLAIN = SETS[:3] + SETS[4:]  # those that take no capability to give up
# A program started by the application says what it could gain.
CHILD = """local p = io.popen("grep ^Cap /proc/self/status; id -u")
    return text(p:read("a"))"""


def caps(text):
    return {k: int(v, 16) for k, v in re.findall(r"(Cap\w+):\s+(\w+)", text)}


def caps_of(pid):
    with open("/proc/%d/status" % pid) as f:
        return caps(f.read())


def none(names):
    return {name: 0 for name in names}


def some(found, names):
    return {name: found[name] for name in names}


def started(d, *setpriv, **how):
    """The daemon by way of setpriv(1)."""
    if not ROOT:
        raise Skip("not root")
    d.write_conf()
    d.spawn(program=shutil.which("setpriv"),
            args=[*setpriv, LUA_FPM, "-c", d.file, *how.pop("more", ())],
            **how)
    d.wait_log("ready: 1 of 1")
    return d


def open_to_all(d):
    """A user other than ours may make its socket and pid file there."""
    os.chmod(d.dir, 0o777)
    return d


@test
def of_a_user():
    """a worker of another user has no capability and no program that it
    starts can have one; the master keeps its own"""
    with started(Daemon(workers=ONE)) as d:
        worker = d.workers()[0]
        equal(caps_of(worker), none(SETS))
        equal(some(caps(d.lua(CHILD).body.decode()), SETS), none(SETS))
        assert caps_of(d.pid)["CapEff"] != 0


@test
def of_root():
    """so it is with workers that run as root, for whom file modes count
    then; they cannot take a capability back, nor change the user"""
    d = Daemon(workers=ONE, user=None)
    with started(d, more=("-R",)) as d:
        path = d.dir + "/rw/theirs"
        write(path, "secret")
        os.chown(path, pwd.getpwnam(pool_user()).pw_uid, -1)
        os.chmod(path, 0o600)
        equal(caps_of(d.workers()[0]), none(SETS))
        child = d.lua(CHILD).body.decode()
        equal((some(caps(child), SETS), child.split()[-1]),
              (none(SETS), "0"))
        matches("Permission denied", d.lua(
            "return text(select(2, io.open('%s')))" % path).body.decode())
        matches("Operation not permitted", d.lua(
            "local p = io.popen('chown nobody %s/app.lua 2>&1') "
            "return text(p:read('a'))" % d.dir).body.decode())
        equal(d.fetch().body, b"hello")


@test
def ambient():
    """capabilities that a master which is not root was given, to bind a low
    port, are its own: no worker has them"""
    bind = "net_bind_service"
    d = open_to_all(Daemon(workers=ONE, user=None))
    who = pwd.getpwnam(pool_user())
    started(d, "--reuid", str(who.pw_uid), "--regid", str(who.pw_gid),
            "--clear-groups", "--inh-caps", "+" + bind, "--ambient-caps",
            "+" + bind)
    assert caps_of(d.pid)["CapAmb"] == caps_of(d.pid)["CapEff"] != 0
    equal(some(caps_of(d.workers()[0]), PLAIN), none(PLAIN))
    equal(some(caps(d.lua(CHILD).body.decode()), PLAIN), none(PLAIN))
    d.stop()


@test
def securebits():
    """a master started with securebits that keep capabilities over a change
    of the user gives none to its workers; one without the right to lower the
    bounding set starts all the same"""
    for how in (("--securebits", "+no_setuid_fixup"),
                ("--bounding-set", "-setpcap")):
        d = started(Daemon(workers=ONE), *how)
        equal(some(caps_of(d.workers()[0]), PLAIN), none(PLAIN), how)
        equal(some(caps(d.lua(CHILD).body.decode()), PLAIN), none(PLAIN))
        equal(d.fetch().body, b"hello")
        d.stop()


@test
def set_user_id():
    """a set-user-ID program that the application starts stays who it is"""
    with started(Daemon(workers=ONE)) as d:
        program = d.dir + "/id"
        shutil.copy(shutil.which("id"), program)
        os.chmod(program, 0o4755)
        who = pwd.getpwnam(pool_user())
        code, out, err = tool(
            "--reuid", str(who.pw_uid), "--regid", str(who.pw_gid),
            "--clear-groups", program, "-u", program=shutil.which("setpriv"))
        equal((code, out.strip()), (0, "0"), "what it does elsewhere: " + err)
        equal(d.lua("return text(io.popen('%s -u'):read('l'))" % program)
              .body.decode(), str(who.pw_uid))


@test
def checked_too():
    """-t loads applications without capabilities as well"""
    if not ROOT:
        raise Skip("not root")
    d = Daemon(workers=ONE, user=None)
    d.write_app("error(io.open('/proc/self/status'):read('a')"
                ":match('CapEff:%s+%x+'))")
    d.write_conf()
    code, out, err = tool("-t", "-R", "-c", d.file)
    shutil.rmtree(d.dir)
    equal(code, 78)
    matches(r"CapEff:(?:\\t|\s)0{16}", err)


@test
def supplementary_groups():
    """an account has the groups of the user database, given by name or by
    number; a number without an account has none but its own"""
    if not ROOT:
        raise Skip("not root")
    who = pwd.getpwnam(pool_user())
    for user, groups in ((who.pw_name, {who.pw_gid, 54321}),
                         (str(who.pw_uid), {who.pw_gid, 54321}),
                         ("54321", {54321})):
        d = open_to_all(Daemon(workers=ONE, user=user))
        shutil.copy("/etc/group", d.dir + "/group")
        with open(d.dir + "/group", "a") as f:
            f.write("lua-fpm-test:x:54321:%s\n" % who.pw_name)
        d.write_conf()
        d.spawn(program="unshare", args=(
            "-m", "/bin/sh", "-c", 'mount --bind %s/group /etc/group && '
            'exec "$0" "$@"' % d.dir, LUA_FPM, "-c", d.file))
        d.wait_note("READY=1")
        with open("/proc/%d/status" % d.workers()[0]) as f:
            found = re.search(r"Groups:(.*)", f.read())[1]
        equal({int(n) for n in found.split()}, groups, user)
        d.stop()


def may_look(pid):
    """Can the pool's user read the environment of that process?"""
    who = pwd.getpwnam(pool_user())
    return tool("--reuid", str(who.pw_uid), "--regid", str(who.pw_gid),
                "--clear-groups", "cat", "/proc/%d/environ" % pid,
                program=shutil.which("setpriv"))[0] == 0


@test
def dumpable():
    """the user of a pool can look into its workers if they are dumpable, or
    may leave a core, and not otherwise"""
    if not ROOT:
        raise Skip("not root")
    for keys, may in (({}, False), ({"dumpable": True}, True),
                      ({"limits": {"core": 0}}, False),
                      ({"limits": {"core": "64K"}}, True)):
        with Daemon(workers=ONE, **keys) as d:
            equal(may_look(d.workers()[0]), may, keys)
            equal(d.fetch().body, b"hello")


run(120)
