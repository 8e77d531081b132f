#!/usr/bin/env python3
"""Access control lists of unix sockets: who may connect besides owner, group
and mode."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
GROUP = 4321   # a group that nobody has a name for
NOBODY = pwd.getpwnam("nobody").pw_uid
DAEMON = pwd.getpwnam("daemon").pw_uid
with open(os.path.join(BUILD, "config.h")) as f:
    KNOWN = "#define HAVE_LIBACL 1" in f.read()


def with_lists(fn):
    """Decorator: a test of a build that has libacl, run by root."""
    if not KNOWN:
        return fn

    def attempt():
        if not ROOT:
            raise Skip("not root")
        fn()
    attempt.__doc__ = fn.__doc__
    attempt.__name__ = fn.__name__
    return test(attempt)


def as_user(uid, gids, fn):
    """The exit code of fn() in a process of that user and these groups."""
    pid = os.fork()
    if pid == 0:
        code = 99
        with contextlib.suppress(BaseException):
            os.setgroups(gids[1:])
            os.setresgid(*(gids[:1] * 3))
            os.setresuid(uid, uid, uid)
            code = fn()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def attempt(path):
    """0: a request was answered; 1: permission denied."""
    try:
        return 0 if fetch(path).body == b"hello" else 98
    except PermissionError:
        return 1


def allowed(path, uid, *gids):
    code = as_user(uid, list(gids) or [65534], lambda: attempt(path))
    assert code in (0, 1), "exit code %d" % code
    return code == 0


def acl(path):
    """What getfacl(1) says, with numbers."""
    code, out, err = tool("-cnp", path, program=shutil.which("getfacl"))
    equal(code, 0, err)
    return sorted(out.split())


@with_lists
def users_and_groups():
    """users and groups by name and number may connect, and nobody else;
    owner, group and mode hold as well"""
    owner = pwd.getpwnam(pool_user())
    with Daemon(workers=ONE, listen_owner=pool_user(),
                listen_group=pool_group(), listen_mode="0600",
                listen_acl_users=["daemon", "1234", "1", "daemon"],
                listen_acl_groups=str(GROUP)) as d:
        path = d.address()
        s = os.stat(path)
        equal((s.st_uid, s.st_gid), (owner.pw_uid, owner.pw_gid))
        equal(acl(path), sorted([
            "user::rw-", "user:%d:rw-" % DAEMON, "user:1234:rw-",
            "group::---", "group:%d:rw-" % GROUP, "mask::rw-",
            "other::---"]))
        for who, may in (
                ((owner.pw_uid,), True), ((DAEMON,), True), ((1234,), True),
                ((NOBODY,), False), ((NOBODY, GROUP), True),
                ((NOBODY, 65534, GROUP), True),
                ((NOBODY, owner.pw_gid), False)):
            equal(allowed(path, *who), may, who)


@with_lists
def mode_beside_a_list():
    """the owning group keeps what the mode gives it"""
    with Daemon(workers=ONE, listen_group=pool_group(), listen_mode="0660",
                listen_acl_users="1234") as d:
        gid = pwd.getpwnam(pool_user()).pw_gid
        for who, may in (((NOBODY, gid), True), ((1234,), True),
                         ((NOBODY,), False)):
            equal(allowed(d.address(), *who), may, who)


@with_lists
def reload_changes_it():
    """a reload gives the same socket another list, takes it away and gives it
    back, while somebody who is let in is served"""
    with Daemon(workers=ONE, listen_mode="0600",
                listen_acl_users="1234") as d:
        path = d.address()
        inode = os.stat(path).st_ino
        load = Load(path, clients=1)
        equal((allowed(path, 1234), allowed(path, 1235)), (True, False))
        for keys, may in (({"listen_acl_users": "1235"}, (False, True)),
                          ({}, (False, False)),
                          ({"listen_acl_groups": ["1235"]}, (False, True)),
                          ({"listen_mode": "0666"}, (True, True))):
            d.set_pool("www", workers=ONE, **{"listen_mode": "0600", **keys})
            d.write_conf()
            d.reload()
            equal((allowed(path, 1234), allowed(path, 1235, 1235)), may, keys)
        equal(acl(path), ["group::rw-", "other::rw-", "user::rw-"])
        equal(os.stat(path).st_ino, inode, "the same socket")
        equal(load.stop()[1], [])


@with_lists
def upgrade_changes_it():
    """the list outlives an upgrade in place; one that comes with another
    configuration takes it away"""
    with Daemon(workers=ONE, listen_mode="0600",
                listen_acl_users="1234") as d:
        for may in (True, False):
            mark = d.log_mark()
            d.kill(signal.SIGUSR2)
            d.wait_log(r" upgraded from [\s\S]* ready: ", mark)
            equal(allowed(d.address(), 1234), may)
            d.set_pool("www", workers=ONE, listen_mode="0600")
            d.write_conf()
        equal(acl(d.address()), ["group::---", "other::---", "user::rw-"])
        d.wait_workers(1)
        d.fds_before = d.count_fds()


@with_lists
def never_before():
    """nobody who is not let in can connect at any moment of the start, not
    even under an umask that takes no right away"""
    dir = scratch()
    path = dir + "/www.sock"
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            refused = 0
            while not os.path.exists(dir + "/over"):
                with socket.socket(socket.AF_UNIX) as s:
                    code = s.connect_ex(path)
                if code == 0:
                    os._exit(1)
                refused += code == 13
            os._exit(0 if refused > 0 else 2)
        os._exit(99)
    d = Daemon(dir=dir, workers=ONE, listen_mode="0600",
               listen_acl_users="1234")
    old = os.umask(0)
    try:
        for _ in range(10):
            d.start()
            equal(allowed(path, 1234), True)
            d.kill(signal.SIGTERM)
            equal(d.wait_exit(), 0)
            d.check_gone()
    finally:
        os.umask(old)
        write(dir + "/over", "")
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        d.destroy()
    equal(code, 0, "1: connected; 2: never tried while it was there")


@with_lists
def no_such_names():
    """-t names each user and group that there is not"""
    d = Daemon(workers=ONE, listen_acl_users=["daemon", "no-such-user"],
               listen_acl_groups=["no-such-group"])
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    shutil.rmtree(d.dir)
    equal(code, 78)
    matches(r"lua-fpm\.conf:\d+: .*listen_acl_users: .*no-such-user", err)
    matches(r"lua-fpm\.conf:\d+: .*listen_acl_groups: .*no-such-group", err)
    assert "daemon" not in err, err


def built_without():
    """without libacl the keys are a fault that says so"""
    d = Daemon(workers=ONE, listen_acl_users="root", listen_acl_groups="root")
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    shutil.rmtree(d.dir)
    equal(code, 78)
    for key in ("users", "groups"):
        matches(r"lua-fpm\.conf:\d+: pool www: listen_acl_%s: this lua-fpm "
                "was built without access control lists" % key, err)


if not KNOWN:
    test(built_without)

run(120, needs=("getfacl",))
