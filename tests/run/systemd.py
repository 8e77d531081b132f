#!/usr/bin/env python3
"""What the service manager is told, by the rules of sd_notify(3) and of
Type=notify-reload, and what the lines of the service do."""

import os
import re
import select
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
UNIT = os.path.join(BUILD, "systemd", "lua-fpm.service")


def told(d, timeout=None):
    """The next message as (fields, when it came, in us)."""
    ready = select.select([d.notify], [], [], timeout or PATIENCE)[0]
    assert ready, "nothing was said"
    text = d.notify.recv(4096).decode()
    assert all("=" in line for line in text.split("\n")), text
    return (dict(line.split("=", 1) for line in text.split("\n")),
            time.monotonic_ns() // 1000)


def silent(d):
    return not select.select([d.notify], [], [], 0)[0]


def reload_status(d):
    """HUP as systemd does it for notify-reload, which accepts no RELOADING
    of before its signal; the STATUS that came with READY."""
    assert silent(d)
    asked = time.monotonic_ns() // 1000
    d.kill(signal.SIGHUP)
    fields, came = told(d)
    equal(sorted(fields), ["MONOTONIC_USEC", "RELOADING"])
    equal(fields["RELOADING"], "1")
    assert asked <= int(fields["MONOTONIC_USEC"]) <= came, fields
    fields, _ = told(d)
    equal(fields["READY"], "1")
    equal(fields["MAINPID"], str(d.pid))
    return fields["STATUS"]


@test
def every_reload_ends():
    """every reload ends with READY: a good one, one of a bad file, of an
    application that does not load, of an address that is taken; STATUS says
    what became of it, until the next is good"""
    with Daemon(workers=ONE) as d, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        d.expect("reload refused|lua-fpm.conf|broken.lua|before it was ready|"
                 "new workers do not|" + address)
        old, good = d.wait_workers(1), d.configuration()
        equal(reload_status(d), "1 of 1 pools serve")
        d.write_conf("nonsense = 1;\n" + good)
        matches(r"^1 of 1 pools serve; reload refused: %s:1: .*nonsense" %
                re.escape(d.file), reload_status(d))
        d.write_app("return {", "broken.lua")
        d.set_pool("www", workers=ONE, app=d.dir + "/broken.lua")
        d.write_conf()
        equal(reload_status(d), "1 of 1 pools serve; reload refused: pool www:"
              " new workers do not come up, the old ones stay: %s/broken.lua:1"
              ": unexpected symbol near <eof>" % d.dir)
        d.set_pool("www", workers=ONE,
                   listen=[d.dir + "/www.sock", address])
        d.write_conf()
        matches(r"^1 of 1 pools serve; reload refused: pool www: listen %s: "
                % re.escape(spelt(address)), reload_status(d))
        os.unlink(d.file)
        matches(r"^1 of 1 pools serve; reload refused: \S*/lua-fpm\.conf: "
                "cannot be read: No such file", reload_status(d))
        equal((d.workers(), d.fetch().body), (old, b"hello"))
        d.set_pool("www", workers=ONE)
        d.write_conf(good)
        equal(reload_status(d), "1 of 1 pools serve")


@test
def reload_during_reload():
    """a HUP while a reload is under way has a RELOADING and a READY of its
    own after those of the first"""
    with Daemon(workers=ONE) as d:
        fifo = d.dir + "/rw/fifo"
        os.mkfifo(fifo)
        os.chmod(fifo, 0o666)
        d.write_app("local f = io.open('%s') f:close() " % fifo +
                    app_source("eval.lua"), "slow.lua")
        d.set_pool("www", workers=ONE, app=d.dir + "/slow.lua")
        d.write_conf()
        d.kill(signal.SIGHUP)
        equal(told(d)[0].get("RELOADING"), "1")
        again = time.monotonic_ns() // 1000
        d.kill(signal.SIGHUP)
        until(lambda: signal_is_taken(d.pid), "the second HUP is taken")
        os.close(os.open(fifo, os.O_WRONLY))  # waits for the new worker
        fields = [told(d)[0] for _ in range(3)]
        equal([next(iter(f)) for f in fields], ["READY", "RELOADING",
                                                "READY"])
        assert int(fields[1]["MONOTONIC_USEC"]) >= again


def signal_is_taken(pid):
    with open("/proc/%d/status" % pid) as f:
        pending = re.findall(r"(?m)^(?:SigPnd|ShdPnd):\s+(\w+)", f.read())
    return not any(int(p, 16) for p in pending)


@test
def stopping():
    """a stop is told before anything of it happens; nothing more follows"""
    d = Daemon(workers=ONE).start()
    gate = d.gate()
    held = Background(d.lua, gate.lua + "return text('a')")
    gate.wait()
    d.kill(signal.SIGTERM)
    equal(told(d)[0], {"STOPPING": "1"})
    assert alive(d.pid)
    gate.open()
    equal(held.result().body, b"a")
    equal(d.wait_exit(), 0)
    assert silent(d)
    d.check_gone()
    d.destroy()


WATCHED = """
import os, sys
os.environ["WATCHDOG_PID"] = str(os.getpid() + int(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])
"""


def watched(d, usec, other=0):
    """Started as systemd does it, which names the pid."""
    d.write_conf()
    d.spawn(program=sys.executable, env={"WATCHDOG_USEC": str(usec)},
            args=["-c", WATCHED, str(other), LUA_FPM, "-c", d.file])
    return d


def wait_fed(d, n):
    """Seconds until n signs of life more have come."""
    began = time.monotonic()
    while n > 0:
        n -= told(d)[0] == {"WATCHDOG": "1"}
    return time.monotonic() - began


@test
def watchdog():
    """a sign of life at half the interval, during a stop too; none from a
    master that hangs; workers do not see who asked for them"""
    d = watched(Daemon(workers=ONE, clear_environment=False), 400000)
    d.wait_note("READY=1")
    took = wait_fed(d, 6)
    assert 0.9 < took < (15 if SANITIZED else 5), took
    equal(d.lua("return text(tostring(os.getenv('WATCHDOG_USEC')) .. "
                "tostring(os.getenv('WATCHDOG_PID')))").body, b"nilnil")
    d.kill(signal.SIGSTOP)
    until(lambda: process_stat(d.pid)[0] == "T", "it is stopped")
    while not silent(d):
        d.notify.recv(4096)
    assert not select.select([d.notify], [], [], 1)[0], "fed by a dead hand"
    d.kill(signal.SIGCONT)
    wait_fed(d, 2)
    gate = d.gate()
    held = Background(d.lua, gate.lua + "return text('a')")
    gate.wait()
    d.kill(signal.SIGTERM)
    while told(d)[0] != {"STOPPING": "1"}:
        pass
    wait_fed(d, 2)
    gate.open()
    equal(held.result().body, b"a")
    equal(d.wait_exit(), 0)
    d.check_gone()
    d.destroy()


@test
def watchdog_over_an_upgrade():
    """the image that takes the master's place goes on giving signs of life,
    says when it is ready, and tells of every reload"""
    d = watched(Daemon(workers=ONE), 400000)
    d.wait_note("READY=1")
    d.kill(signal.SIGUSR2)
    d.wait_log(" upgraded from ")
    d.wait_note("READY=1")
    wait_fed(d, 3)
    d.reload()
    wait_fed(d, 2)
    equal(d.fetch().body, b"hello")
    d.kill(signal.SIGTERM)
    equal(d.wait_exit(), 0)
    d.check_gone()
    d.destroy()


@test
def watchdog_of_another():
    """with the pid of somebody else there are no signs of life"""
    d = watched(Daemon(workers=ONE), 100000, other=1)
    while "READY" not in (said := told(d)[0]):
        assert "WATCHDOG" not in said
    assert not select.select([d.notify], [], [], 0.5)[0]
    equal(d.fetch().status, 200)
    d.stop()


def unit_lines(key):
    with open(UNIT) as f:
        return re.findall(r"(?m)^%s=(.*)$" % key, f.read())


def exec_reload(d):
    """The ExecReload= lines as systemd runs them, on this daemon: one after
    the other until one fails; exit code and output."""
    lines = unit_lines("ExecReload")
    assert len(lines) >= 2 and " -t " in lines[0], lines
    out = ""
    for line in lines:
        line = re.sub(r"\S*/lua-fpm(?= )", LUA_FPM, line)
        line = re.sub(r"\S*/lua-fpm\.conf", d.file, line)
        line = re.sub(r"\$MAINPID|\${MAINPID}", str(d.pid), line)
        done = subprocess.run(shlex.split(line), text=True, timeout=PATIENCE,
                              capture_output=True)
        out += done.stdout + done.stderr
        if done.returncode != 0:
            return done.returncode, out
    return 0, out


@test
def result_of_systemctl_reload():
    """systemctl reload fails, says why and signals nobody if the
    configuration is bad or an application does not load; else it reloads"""
    if not os.path.exists(UNIT):
        raise Skip("the service is not built")
    with Daemon(workers=ONE) as d:
        old, good = d.wait_workers(1), d.configuration()
        d.write_conf(good + "nonsense = 1;\n")
        code, out = exec_reload(d)
        equal(code, 78)
        matches(r"lua-fpm\.conf:\d+: .*nonsense", out)
        d.write_conf(good)
        d.write_app("return {\n\nnot lua")
        code, out = exec_reload(d)
        equal(code, 78)
        matches(r"app\.lua:3: ", out)
        assert silent(d), "it was signalled"
        equal((d.workers(), d.fetch().status), (old, 200))
        d.write_app(app_source("eval.lua") + "-- new")
        code, out = exec_reload(d)
        equal(code, 0, out)
        d.wait_note("RELOADING=1")
        d.wait_note("READY=1")
        until(lambda: len(d.workers()) == 1 and d.workers() != old,
              "the new application is there")


@test
def systemctl_reload_without_pid_file():
    """systemctl reload of a daemon without a pid file, as the configuration
    that is installed has it, also when the control socket gets another path"""
    if not os.path.exists(UNIT):
        raise Skip("the service is not built")
    d = Daemon(workers=ONE)
    d.top["pid_file"] = ""
    for control in ("/a.sock", "/b.sock"):
        d.top["control"] = d.dir + control
        d.write_conf()
        if d.process is None:
            d.start()
        code, out = exec_reload(d)
        equal(code, 0, out)
        d.wait_note("RELOADING=1")
        d.wait_note("READY=1")
        assert os.path.exists(d.top["control"])
    d.stop()


@test
def what_the_service_asks_for():
    """the service is told of readiness and of life, and a stop has the time
    that it needs"""
    if not os.path.exists(UNIT):
        raise Skip("the service is not built")
    equal(unit_lines("Type"), ["notify"])
    equal(unit_lines("RuntimeDirectoryPreserve"), ["yes"])
    equal(unit_lines("NotifyAccess"), ["main"])
    assert int(unit_lines("WatchdogSec")[0]) >= 10
    assert int(unit_lines("TimeoutStopSec")[0]) > 30 + 10 + 5, \
        "timeouts.stop, websocket.drain, and clients that do not answer"


@test
def what_the_service_lives_with():
    """nothing stands before the start that one bad application could fail,
    no fault of the configuration is tried again, no worker that the kernel
    kills stops the service, and systemd's own measure calls it confined"""
    if not os.path.exists(UNIT):
        raise Skip("the service is not built")
    equal(unit_lines("ExecStartPre"), [])
    assert {"64", "78"} <= set(unit_lines("RestartPreventExitStatus")[0]
                               .split())
    equal(unit_lines("OOMPolicy"), ["continue"])
    if shutil.which("systemd-analyze") is None:
        raise Skip("systemd is not installed")
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=yes",
         "--threshold=33", UNIT], text=True, timeout=PATIENCE,
        capture_output=True)
    equal(done.returncode, 0, done.stdout[-300:] + done.stderr)


run(120)
