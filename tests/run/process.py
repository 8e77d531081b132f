#!/usr/bin/env python3
"""What a pool's processes are: environment, root, directory, umask, priority,
limits; and how many there may be over all pools."""

import os
import resource
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
ME = pwd.getpwnam(pool_user()) if ROOT else pwd.getpwuid(os.geteuid())
# The whole environment, as a child of the application has it.
ENV = """local out, pipe = {}, io.popen("env")
    for line in pipe:lines() do
        if not line:find("^PWD=") and not line:find("^SHLVL=") and
            not line:find("^_=") then out[#out + 1] = line end
    end
    pipe:close()
    return text(table.concat(out, "\\n"))"""


def environment(d, pool="www"):
    body = d.lua(ENV, pool).body.decode()
    return dict(line.split("=", 1) for line in body.splitlines())


def need_root():
    if not ROOT:
        raise Skip("not root")


def config_says(regex, code=78, as_user=None, **pool):
    """What -t says of a pool with these keys."""
    d = Daemon(**pool)
    d.write_conf()
    how = {"program": program_in(d.dir), "user": as_user,
           "cwd": "/"} if as_user else {}
    got, out, err = tool("-t", "-c", d.file, **how)
    shutil.rmtree(d.dir)
    equal(got, code, "exit code: " + out + err)
    matches(regex, out + err)


# ---- the environment ----------------------------------------------------------


@test
def cleared_environment():
    """an application sees its own variables, PATH, LANG, LC_ALL, TZ and who
    it is, and nothing else of the environment that lua-fpm was started with"""
    d = Daemon(workers=ONE, environment={
        "APP_ENV": "it's \"a\" = b ", "COPY": "${SECRET}",
        "NONE": "${NO_SUCH}", "TEXT": "x${SECRET}", "EMPTY": ""})
    d.start(env={"SECRET": "s3", "TZ": "UTC", "LANG": "C"})
    equal(environment(d), {
        "PATH": os.environ["PATH"], "LANG": "C", "LC_ALL": "C", "TZ": "UTC",
        "USER": ME.pw_name, "LOGNAME": ME.pw_name, "HOME": ME.pw_dir,
        "APP_ENV": "it's \"a\" = b ", "COPY": "s3", "TEXT": "x${SECRET}",
        "EMPTY": ""})
    d.stop()


@test
def kept_environment():
    """with clear_environment = false it sees all of it, its own variables
    instead of the master's; what systemd told the master stays there"""
    d = Daemon(workers=ONE, clear_environment=False,
               environment={"PATH": "/usr/bin:/bin", "OWN": "1"})
    d.start(env={"SECRET": "s3"})
    seen = environment(d)
    equal([seen.get(k) for k in ("SECRET", "PATH", "OWN", "NOTIFY_SOCKET")],
          ["s3", "/usr/bin:/bin", "1", None])
    if ROOT:
        equal((seen["USER"], seen["HOME"]), (ME.pw_name, ME.pw_dir))
    d.stop()


@test
def changed_environment():
    """a reload brings a changed variable to new workers, and touches no other
    pool"""
    with Daemon(pools={"a": {"workers": ONE, "environment": {"V": "1"}},
                       "b": {"workers": ONE}}) as d:
        equal(environment(d, "a")["V"], "1")
        before = d.workers("b")
        d.set_pool("a", workers=ONE, environment={"V": "2"})
        d.write_conf()
        d.reload()
        until(lambda: environment(d, "a")["V"] == "2", "the new value")
        equal(d.workers("b"), before)
        assert "V" not in environment(d, "b")


@test
def command_line_environment():
    """a pool from the command line keeps the environment"""
    d = Daemon()
    d.top["pid_file"] = d.dir + "/none"
    d.start(args=("-l", spelt(d.address()), "-n", "1",
                  *(("-u", pool_user()) if ROOT else ()), d.dir + "/app.lua"),
            env={"SECRET": "s3"})
    d.sockets = {d.address()}
    equal(environment(d)["SECRET"], "s3")
    equal(environment(d)["HOME"], ME.pw_dir if ROOT else os.environ["HOME"])
    d.stop()


# ---- the file system ----------------------------------------------------------


@test
def directory():
    """files of a relative name are in the directory; -t knows one in which
    the user may not be"""
    d = Daemon(workers=ONE)
    d.set_pool("www", workers=ONE, directory=d.dir + "/rw")
    with d:
        equal(d.lua("io.open('made', 'w'):close() return text('ok')").body,
              b"ok")
        assert os.path.exists(d.dir + "/rw/made")
    config_says(r"lua-fpm\.conf:\d+: pool www: directory /no/such: No such",
                directory="/no/such")
    if ROOT:
        closed = scratch()
        os.chmod(closed, 0o700)
        config_says("directory %s: Permission denied" % closed,
                    directory=closed)
        shutil.rmtree(closed)


@test
def umask():
    """what an application creates has the rights that umask leaves"""
    for mask, mode in (("0027", 0o640), ("0", 0o666), ("077", 0o600)):
        with Daemon(workers=ONE, umask=mask) as d:
            path = d.dir + "/rw/made"
            d.lua("io.open('%s', 'w'):close() return text('ok')" % path)
            equal(stat.S_IMODE(os.stat(path).st_mode), mode, mask)


def jail(source=None, **keys):
    """A daemon whose application lives in another root."""
    d = Daemon()
    root = d.dir + "/root"
    os.mkdir(root)
    os.mkdir(root + "/srv")
    write(root + "/srv/app.lua", source or app_source("eval.lua"))
    write(root + "/srv/views.lua", "return 'from views'")
    keys = {"workers": ONE, "chroot": root, "app": "/srv/app.lua", **keys}
    d.set_pool("www", **keys)
    return d


@test
def other_root():
    """chroot: the application, its modules and its files are inside, nothing
    else is; it runs as the pool's user and its errors are logged"""
    need_root()
    with jail(directory="/srv").start(env=NO_LEAK_SEARCH) as d:
        equal(d.lua("return text(require 'views')").body, b"from views")
        equal(d.lua("return text(tostring(io.open('/etc/passwd')))").body,
              b"nil")
        equal(d.lua("return text(io.open('views.lua'):read('a'))").body,
              b"return 'from views'")
        equal(d.lua("return text(os.getenv('HOME'))").body.decode(),
              ME.pw_dir)
        pid = d.workers()[0]
        equal(os.stat("/proc/%d/root/." % pid).st_ino,
              os.stat(d.dir + "/root").st_ino)
        with open("/proc/%d/status" % pid) as f:
            text = f.read()
        matches(r"(?m)^Uid:\s+%d\s+%d\s+%d\s" % ((ME.pw_uid,) * 3), text)
        matches(r"(?m)^CapEff:\s+0+$", text)
        matches(r"(?m)^CapPrm:\s+0+$", text)
        matches(r"(?m)^NoNewPrivs:\s+1$", text)
        d.expect("from inside")
        equal(d.lua("error('from inside')").status, 500)
        d.wait_log(r"error \[pool www\].*from inside")


@test
def other_root_deploys():
    """chroot: a file changed inside counts at a reload; a relative app begins
    at the new root"""
    need_root()
    app = "return { accept = function() return {}, '%d' end }"
    with jail(app % 1, app="srv/app.lua").start(env=NO_LEAK_SEARCH) as d:
        equal(d.fetch().body, b"1")
        write(d.dir + "/root/srv/app.lua", app % 2)
        d.reload()
        until(lambda: d.fetch().body == b"2", "the new application")


@test
def checked_as_seen_there():
    """-t sees chroot, app and directory as a worker will"""
    need_root()
    for keys, regex in (
            ({"chroot": "/no/such"}, r"chroot /no/such: No such file"),
            ({"chroot": "/etc/passwd"}, r"chroot /etc/passwd: Not a dir"),
            ({"app": "/app.lua"}, r"/app\.lua.*(No such|cannot)"),
            ({"directory": "/root"}, r"directory /root: No such")):
        d = jail(**keys)
        d.write_conf()
        code, out, err = tool("-t", "-c", d.file)
        shutil.rmtree(d.dir)
        equal(code, 78, out + err)
        matches(regex, out + err)
    d = jail()
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file,
                          env={**os.environ, **NO_LEAK_SEARCH})
    equal(code, 0, out + err)
    shutil.rmtree(d.dir)


@test
def what_needs_root():
    """without root chroot and a better priority are refused with the reason,
    not ignored"""
    who = ME.pw_name if ROOT else None
    config_says("chroot /: Operation not permitted", user=None, chroot="/",
                app="/x", as_user=who)
    config_says("priority: Permission denied", user=None, priority=-1,
                as_user=who)


# ---- limits -------------------------------------------------------------------


def priority_of(pid):
    """None if it is gone."""
    with contextlib.suppress(ProcessLookupError):
        return os.getpriority(os.PRIO_PROCESS, pid)


@test
def priority():
    """workers have the priority of their pool, the master keeps its own"""
    with Daemon(workers=ONE, priority=7) as d:
        equal(os.getpriority(os.PRIO_PROCESS, d.workers()[0]), 7)
        equal(os.getpriority(os.PRIO_PROCESS, d.pid),
              os.getpriority(os.PRIO_PROCESS, 0))
        d.set_pool("www", workers=ONE, priority=9)
        d.write_conf()
        d.reload()
        until(lambda: [priority_of(p) for p in d.workers()] == [9],
              "the new priority")


def limit(pid, name):
    """(soft, hard) as texts."""
    with open("/proc/%d/limits" % pid) as f:
        return matches(r"(?m)^%s\s+(\S+)\s+(\S+)" % name,
                       f.read()).groups()


@test
def files():
    """limits.files: an application that opens too many gets an error, and the
    worker goes on serving, with many connections at once"""
    greedy = """held = {}
        for i = 1, 100 do
            local f, why = io.open("/dev/null")
            if not f then held = nil collectgarbage() return text(why) end
            held[i] = f
        end
        return text("all")"""
    with Daemon(workers=ONE, limits={"files": 64}) as d:
        equal(limit(d.workers()[0], "Max open files"), ("64", "64"))
        matches("Too many open files", d.lua(greedy).body.decode())
        conns = [d.connect() for _ in range(20)]
        equal([c.ask(keep=True).body for c in conns], [b"hello"] * 20)
        for c in conns:
            c.close()
        equal(d.fetch().body, b"hello")
    with Daemon(workers=ONE) as d:
        equal(limit(d.workers()[0], "Max open files"),
              limit(os.getpid(), "Max open files"))


@test
def core():
    """limits.core: the limit, and a process that may be dumped although it
    has changed its user"""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    for text, value in ((0, 0), ("64K", 65536), ("unlimited", -1)):
        if not ROOT and hard != -1 and not 0 <= value <= hard:
            continue
        with Daemon(workers=ONE, limits={"core": text}) as d:
            pid = d.workers()[0]
            shown = "unlimited" if value == -1 else str(value)
            equal(limit(pid, "Max core file size"), (shown, shown), text)
            # the kernel gives /proc/PID of one that may not be dumped to root
            if ROOT:
                equal(os.stat("/proc/%d/environ" % pid).st_uid,
                      0 if value == 0 else ME.pw_uid, text)


# ---- process_max --------------------------------------------------------------


def ondemand(most=4):
    return {"workers": {"mode": "ondemand", "max": most,
                        "idle_timeout": "50ms"}}


@test
def process_max():
    """never more workers than process_max over all pools, said once; who had
    to wait is served as soon as others leave"""
    with Daemon(top={"process_max": 2},
                pools={"a": ondemand(), "b": ondemand()}) as d:
        d.wait_workers(0)
        gates = [d.gate() for _ in range(3)]
        held = [Background(d.lua, g.lua + "return text('a')", "a")
                for g in gates]
        until(lambda: sum(g.is_held() for g in gates) == 2, "two are served")
        waits = Background(d.fetch, "b")
        d.wait_log(r"warning .*process_max \(2\) is reached")
        equal(len(d.workers()), 2)
        left = list(gates)
        while left:
            equal(len(d.workers()) <= 2, True, d.workers())
            left = [g for g in left if not g.open_if_held()]
        equal([h.result().body for h in held], [b"a"] * 3)
        equal(waits.result().body, b"hello")
        equal(d.read_log().count("process_max"), 1)
        d.wait_workers(0)
        equal(d.fetch("a").body, b"hello")


@test
def process_max_killed():
    """a worker that dies makes room for its successor"""
    with Daemon(top={"process_max": 2}) as d:
        for _ in range(3):
            gone = d.workers()[0]
            d.expect("killed by signal 9")
            kill(gone, signal.SIGKILL)
            until(lambda: gone not in d.workers() and len(d.workers()) == 2,
                  "two workers again")
            equal(d.fetch().body, b"hello")


@test
def process_max_reload():
    """a pool that fills process_max can be reloaded, and is as large as it
    was afterwards"""
    with Daemon(top={"process_max": 2}) as d:
        before = set(d.workers())
        d.set_pool("www", environment={"V": "new"})
        d.write_conf()
        load = Load(d.address())
        load.more(50)
        d.reload()
        load.more(50)
        equal(load.stop()[1], [], "failed requests")
        until(lambda: len(d.workers()) == 2 and not before & set(d.workers()),
              "two new workers")
        equal(d.lua("return text(os.getenv('V'))").body, b"new")


@test
def process_max_raised():
    """a reload that raises process_max lets those grow who wanted to, and
    disturbs no worker"""
    with Daemon(top={"process_max": 1},
                workers={"mode": "dynamic", "max": 3, "start": 1,
                         "min_spare": 1, "max_spare": 3}) as d:
        first = d.wait_workers(1)
        gate = d.gate()
        held = Background(d.lua, gate.lua + "return text('a')")
        gate.wait()
        d.wait_log("process_max")
        d.top["process_max"] = 2
        d.write_conf()
        d.reload()
        equal(d.fetch().body, b"hello", "by a second worker")
        assert set(first) < set(d.wait_workers(2))
        gate.open()
        equal(held.result().body, b"a")


@test
def process_max_too_small():
    """process_max below what the pools start with is a fault"""
    d = Daemon(top={"process_max": 1})
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    equal(code, 78)
    matches(r"lua-fpm\.conf:\d+: process_max \(1\) is below the 2", err)
    shutil.rmtree(d.dir)


run(120)
