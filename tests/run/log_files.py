#!/usr/bin/env python3
"""Log files in places where somebody else may write, and FIFOs: nobody leads
the master to another file, and nothing makes it wait."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from control_client import *

ONE = {"mode": "static", "max": 1}


def needs_root():
    if not ROOT:
        raise Skip("needs root: all files are ours otherwise")


def home(d):
    """A directory that belongs to the pool's user."""
    path = d.dir + "/home"
    os.mkdir(path)
    shutil.chown(path, pool_user())
    return path


def as_user(*command):
    """As the pool's user, who has a shell without any help of ours."""
    user = pwd.getpwnam(pool_user())
    subprocess.run(command, check=True, user=user.pw_uid, group=user.pw_gid,
                   extra_groups=[])


def precious(d):
    """A file of root's, and a directory, that nobody else may write to."""
    os.mkdir(d.dir + "/secret", 0o700)
    path = d.dir + "/secret/shadow"
    write(path, "root:*:0:0\n")
    os.chmod(path, 0o600)
    return path


def unchanged(path):
    equal(content(path), "root:*:0:0\n")
    equal(os.listdir(os.path.dirname(path)), ["shadow"])
    equal(file_mode(path), 0o600)


def content(path):
    with open(path) as f:
        return f.read()


def check(d):
    """What -t says."""
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file, program=LUA_FPM)
    return code, err


# ---- links --------------------------------------------------------------------


@test
def link_instead_of_a_log():
    """a pool's user lays a link to root's file in place of its logs: USR1 and
    a reload say so, the old logs go on, and the file stays as it is"""
    needs_root()
    d = controlled(workers=ONE)
    logs, target = home(d), precious(d)
    d.pools["www"]["logs"] = {"access": logs + "/access", "slow":
                              logs + "/slow", "access_format": "%r"}
    with d:
        d.expect("is a symbolic link of another user", "reload refused")
        for name in ("access", "slow"):
            as_user("mv", logs + "/" + name, logs + "/old." + name)
            as_user("ln", "-s", target, logs + "/" + name)
        equal(ask(d, "reopen"), (False, "a log file could not be opened again"
                                 ", the log says why\n"))
        for name in ("access", "slow"):
            d.wait_log("error .*pool www: logs.%s: cannot open %s/%s: %s is a "
                       "symbolic link of another user$" % (name, logs, name,
                                                           name))
        equal(d.fetch(uri="/one").status, 200)
        until(lambda: content(logs + "/old.access") == "/one\n", "it goes on")
        good, text = ask(d, "reload")
        equal(good, False)
        matches("is a symbolic link of another user", text)
        for pid in [d.pid, *d.workers()]:
            assert target not in [link for _, link in fds(pid)], pid
        unchanged(target)


@test
def link_instead_of_a_directory():
    """the same with the directory, for the error log, by -t and at a start"""
    needs_root()
    d = Daemon(workers=ONE)
    logs, target = home(d), precious(d)
    as_user("ln", "-s", os.path.dirname(target), logs + "/log")
    d.top["error_log"] = logs + "/log/error"
    code, err = check(d)
    equal(code, 78)
    matches("^error_log: cannot open %s/log/error: log is a symbolic link of "
            "another user$" % logs, err.splitlines()[0])
    d.top["error_log"] = "stderr"
    d.pools["www"]["logs"] = {"access": logs + "/log/access"}
    code, err = check(d)
    equal(code, 78)
    matches("logs.access: cannot open .*: log is a symbolic link of another",
            err)
    d.spawn()
    d.ended(71)
    matches("pool www: is left out until the next reload: .*log is a "
            "symbolic link of another user", d.read_log())
    unchanged(target)
    d.destroy()


@test
def hard_link():
    """nor does another name of root's file, where a kernel lets a user make
    one"""
    needs_root()
    d = Daemon(workers=ONE)
    logs, target = home(d), precious(d)
    os.link(target, logs + "/access")
    d.pools["www"]["logs"] = {"access": logs + "/access"}
    code, err = check(d)
    equal(code, 78)
    matches("more than one name", err)
    unchanged(target)
    d.destroy()


@test
def links_of_root():
    """root's links in root's directories are followed, as /var/log has them,
    to the descriptors of the daemon too"""
    d = Daemon(workers=ONE)
    os.mkdir(d.dir + "/real")
    os.symlink("real", d.dir + "/logs")
    os.symlink("/dev/stdout", d.dir + "/real/access")
    d.top["error_log"] = d.dir + "/logs/error"
    d.pools["www"]["logs"] = {"access": d.dir + "/logs/access",
                              "access_format": "line of %r"}
    with d:
        equal(d.fetch(uri="/one").status, 200)
        d.wait_log("^line of /one$")
        matches("ready", content(d.dir + "/real/error"))
        os.rename(d.dir + "/real/error", d.dir + "/real/error.1")
        d.kill(signal.SIGUSR1)
        until(lambda: os.path.exists(d.dir + "/real/error"), "made anew")
        until(lambda: d.fetch(uri="/two").status == 200 and
              "line of /two\n" in d.read_log(), "it goes on")


# ---- -t judges directories ----------------------------------------------------


@test
def warnings():
    """-t names logs that somebody else could replace, and is content with a
    pool's own user"""
    needs_root()
    d = Daemon(workers=ONE)
    logs = home(d)
    good = d.file + ": 1 pool\n" \
        "configuration is good, every application loads\n"
    d.pools["www"]["logs"] = {"access": logs + "/access"}
    equal(check(d), (0, good))
    d.pools["www"]["logs"] = {"access": d.dir + "/rw/access",
                              "slow": d.dir + "/slow"}
    code, err = check(d)
    equal(code, 0)
    matches(r"^%s:\d+: warning: pool www: logs.access: %s/rw/access could be "
            "replaced by others, who may write to its directory or to one "
            "above\n%s$" % (d.file, d.dir, good), err)
    d.pools["www"]["logs"] = {}
    d.top["error_log"] = logs + "/error"
    code, err = check(d)
    equal(code, 0)
    matches("^error_log: warning: %s/error could be replaced" % logs, err)
    equal(os.listdir(logs), [], "made by -t")
    d.top["error_log"] = "stderr"
    d.write_conf()
    d.destroy()


# ---- FIFOs --------------------------------------------------------------------


@test
def fifo_without_a_reader():
    """an error log that is a FIFO which nobody reads: refused at a start,
    with the reason, at once"""
    d = Daemon(workers=ONE)
    fifo = d.top["error_log"] = d.dir + "/fifo"
    os.mkfifo(fifo)
    d.write_conf()
    d.spawn()
    d.ended(71)
    matches("error .*cannot open the log %s: it is a FIFO that nobody reads$" %
            fifo, d.read_log())
    d.destroy()


@test
def fifo_whose_reader_left():
    """whose reader has gone: USR1 and a reload do not wait for another, the
    daemon hears everything, and the next reader has the next lines"""
    d = controlled(workers=ONE)
    fifo = d.top["error_log"] = d.dir + "/fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with d:
        os.close(reader)
        equal(ask(d, "reopen"), (False, "a log file could not be opened again"
                                 ", the log says why\n"))
        equal(ask(d, "ping")[0], True)
        ask(d, "reload")
        equal(ask(d, "ping")[0], True)
        equal(d.fetch().status, 200)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        got = b""

        def said():
            nonlocal got
            d.lua("error('boom')")
            ask(d, "reload")
            with contextlib.suppress(BlockingIOError):
                got += os.read(reader, 65536)
            return b"boom" in got and b"are lost" in got
        until(said, "lines, and how many are lost")
        os.close(reader)


run(limit=180)
