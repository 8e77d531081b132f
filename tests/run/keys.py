#!/usr/bin/env python3
"""Keys whose effect shows only in the whole daemon: who workers are by group
and number, what is logged, which files are included."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}


def identity(d, pool="www"):
    """(uid, gid, supplementary groups) of a worker."""
    with open("/proc/%d/status" % d.workers(pool)[0]) as f:
        text = f.read()
    ids = [set(re.search(r"(?m)^%s:\s+(.*)$" % key, text)[1].split())
           for key in ("Uid", "Gid")]
    equal([len(i) for i in ids], [1, 1], "real, effective, saved are one")
    return (int(ids[0].pop()), int(ids[1].pop()),
            {int(g) for g in re.search(r"(?m)^Groups:(.*)$", text)[1].split()})


@test
def user_and_group():
    """user and group by name and by number; without group it is that of the
    user, and a number that nobody has a name for is its own group"""
    if not ROOT:
        raise Skip("not root")
    who = pwd.getpwnam(pool_user())
    other = grp.getgrnam("daemon").gr_gid
    for user, group, uid, gid in (
            (who.pw_name, None, who.pw_uid, who.pw_gid),
            (who.pw_name, "daemon", who.pw_uid, other),
            (str(who.pw_uid), str(other), who.pw_uid, other),
            ("54321", None, 54321, 54321), ("54321", "12345", 54321, 12345)):
        with Daemon(workers=ONE, user=user, group=group) as d:
            got = identity(d)
            equal(got[:2], (uid, gid), (user, group))
            assert got[2] <= {gid, *os.getgrouplist(who.pw_name, gid)}, got
            assert 0 not in got[2], "a group of root"


@test
def log_level():
    """log_level: what is less is not logged; a reload changes it for workers
    too, and none is replaced"""
    said = "env.errors:write('told by the application') return text('ok')"
    with Daemon(workers=ONE, top={"log_level": "error"}) as d:
        worker = d.workers()
        d.lua("print('at level notice') return text('ok')")
        d.expect("told by the application")
        d.lua(said)
        d.wait_log("told by the application")
        text = d.read_log()
        assert "at level notice" not in text and "ready" not in text, text
        d.top["log_level"] = "debug"
        d.write_conf()
        d.reload()
        d.lua("print('at level notice') return text('ok')")
        d.wait_log(r" notice .*at level notice")
        kill(d.workers()[0], signal.SIGKILL)
        d.wait_log(r" debug .*is ready")
        d.wait_workers(1)
        assert d.workers() != worker


@test
def include():
    """include: pools of every file that matches, found anew at a reload; a
    fault in one is told with its name, and nothing changes"""
    d = Daemon(top={"include": "pools.d/*.conf"}, workers=ONE)
    os.mkdir(d.dir + "/pools.d")

    def place(name, **keys):
        address = "%s/%s.sock" % (d.dir, name)
        pool = {**d.pools["www"], "listen": spelt(address), **keys}
        write("%s/pools.d/%s.conf" % (d.dir, name),
              "pools = %s;\n" % libconfig({name: pool}))
        d.sockets.add(address)
        return address
    first = place("one")
    place("two")
    write(d.dir + "/pools.d/three.conf.off", "nonsense")
    with d:
        equal(fetch(first).body, b"hello")
        kept = d.workers("two")
        os.unlink(d.dir + "/pools.d/one.conf")
        third = place("three")
        d.reload()
        equal(fetch(third).body, b"hello")
        d.wait_workers(0, "one")
        d.expect("four.conf", "reload refused")
        place("four", nonsense=1)
        d.reload()
        d.wait_log(r"error .*/pools\.d/four\.conf:\d+: .*nonsense")
        os.unlink(d.dir + "/pools.d/four.conf")
        d.sockets.discard(d.dir + "/four.sock")
        equal((d.workers("two"), fetch(third).body), (kept, b"hello"))
        d.fds_before = d.count_fds()


run(120)
