#!/usr/bin/env python3
"""How long lua-fpmctl waits for a daemon that hangs, or for one that is none."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from control_client import *

ONE = {"mode": "static", "max": 1}
COMMANDS = (("ping",), ("status",), ("status", "--json"), ("workers",),
            ("top",), ("pools",), ("reopen",), ("scale", "www", "1"),
            ("reload",), ("upgrade",), ("drain", "www"), ("resume", "www"),
            ("stop",))
LATE = "lua-fpmctl: no answer from lua-fpm at %s in "


def ctl(path, *words):
    """(exit code, stdout, stderr, seconds)"""
    began = time.monotonic()
    done = subprocess.run([LUA_FPMCTL, "-s", path, *words],
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    return (done.returncode, done.stdout, done.stderr,
            time.monotonic() - began)


def late(path, *words):
    code, out, err, took = ctl(path, *words)
    equal((code, out), (75, ""), words)
    assert err.startswith(LATE % path), err
    return took


@contextlib.contextmanager
def hung(**how):
    """A daemon whose master is stopped."""
    with controlled(workers=ONE, **how) as d:
        d.kill(signal.SIGSTOP)
        until(lambda: process_stat(d.pid)[0] == "T", "stopped")
        try:
            yield d
        finally:
            d.kill(signal.SIGCONT)


@test
def limit():
    """-t and --timeout: no command waits longer, and the daemon that goes on
    has lost nothing"""
    with hung() as d:
        for words in COMMANDS[:-1]:
            took = late(d.control, "-t", "200ms", *words)
            assert took >= 0.2, (words, took)
        late(d.control, "--timeout", "100ms", "ping")
        late(d.control, "--timeout=100ms", "ping")
        d.kill(signal.SIGCONT)
        equal(ctl(d.control, "ping")[0], 0)
        until(lambda: "running" in ctl(d.control, "ping")[1], "it is done")
        # what they asked for is done nevertheless
        until(lambda: ctl(d.control, "resume", "www")[0] == 0, "in service")
        equal(d.fetch().status, 200)


@test
def usage():
    """what is no time is refused; 0 is no limit"""
    for value in ("", "x", "-1", "1.5"):
        code, _, err, _ = ctl("/none", "-t", value, "ping")
        equal(code, 64, value)
        matches("not a time", err)
    gate = threading.Event()
    with Fake(lambda line: [gate.wait() and b"ok\nthere\n"]) as f:
        waits = Background(ctl, f.path, "-t", "0", "ping")
        until(lambda: f.asked, "asked")
        gate.set()
        equal(waits.result()[:2], (0, "there\n"))


@test
def usual():
    """without -t: 5 seconds for what is answered at once, and for an outcome
    as long as the daemon answers a ping meanwhile"""
    with hung() as d, controlled(workers=ONE) as slow:
        fifo = slow.dir + "/fifo"
        os.mkfifo(fifo)
        slow.write_app("io.open('%s'):read()\n%s" % (
            fifo, app_source("eval.lua")))
        patient = Background(ctl, slow.control, "reload")
        waiting = {words: Background(late, d.control, *words)
                   for words in COMMANDS[:-1]}
        took = {words: w.result() for words, w in waiting.items()}
        for words, seconds in took.items():
            assert 5 <= seconds < 20, (words, seconds)
        # 5 for it, 5 for a ping, and a last look
        assert took[("reload",)] >= 10, took
        assert took[("ping",)] < 9 or SANITIZED, took
        open(fifo, "w").close()
        code, out, err, seconds = patient.result()
        equal((code, out), (0, "reloaded: 1 of 1 pools serve\n"), err)
        assert seconds >= 10, seconds
        d.kill(signal.SIGCONT)
        until(lambda: ctl(d.control, "resume", "www")[0] == 0, "in service")


@test
def silent():
    """one that takes the connection and says nothing, or half of something"""
    for said in (b"", b"o", b"ok\nhalf an answer", b"failed"):
        done = threading.Event()

        def talk(line):
            yield said
            done.wait()
        with Fake(talk) as f:
            for words in (("ping",), ("reload",), ("status", "--json")):
                took = late(f.path, "-t", "200ms", *words)
                assert took >= 0.2, took
                done.set()
                done = threading.Event()
            done.set()


@test
def half_an_outcome():
    """an answer that has begun is to end: no ping excuses the rest"""
    done = threading.Event()

    def talk(line):
        yield b"ok\nreloa"
        done.wait()
    with Fake(talk) as f:
        took = late(f.path, "reload")
        done.set()
        assert 5 <= took < 10, took


@test
def endless():
    """one that never stops talking: in time, or when it is too much"""
    def flood(line):
        while True:
            yield b"ok\n" + b"x" * 65536

    def drip(line):
        while True:
            yield b"x"
            time.sleep(0.01)
    with Fake(flood) as f:
        code, out, err, _ = ctl(f.path, "ping")
        equal((code, out), (69, ""))
        matches("no answer from lua-fpm: Message too long", err)
    with Fake(drip) as f:
        late(f.path, "-t", "200ms", "ping")


@test
def full_queue():
    """one that takes no connection, and whose queue is full"""
    dir = scratch()
    path = dir + "/control.sock"
    with socket.socket(socket.AF_UNIX) as listener, \
            contextlib.ExitStack() as held:
        listener.bind(path)
        listener.listen(0)
        for _ in range(2):
            s = held.enter_context(socket.socket(socket.AF_UNIX))
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.connect(path)
        for words in (("ping",), ("reload",)):
            assert late(path, "-t", "200ms", *words) >= 0.2
    shutil.rmtree(dir)


@test
def it_ends_meanwhile():
    """a stop that takes longer than a ping, and the daemon is gone then"""
    with controlled(workers=ONE) as d:
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('whole')")
        gate.wait()
        stop = Background(ctl, d.control, "stop")
        until(lambda: "stopping" in ctl(d.control, "ping")[1], "it stops")
        gate.open()
        equal(busy.result().body, b"whole")
        equal(stop.result()[:3], (0, "stopped\n", ""))
        d.ended(0)
        d.destroy()


if __name__ == "__main__":
    run(limit=180)
