#!/usr/bin/env python3
"""What the status says of WebSockets is true, whatever becomes of their
hub, or of a hub that lies."""

import ctypes
import json
import os
import signal
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *
from control_client import *

COUNTERS = ("opened", "refused", "messages in", "messages out",
            "slow clients", "silent clients", "faulty clients", "lost")
NOW = ("open", "limit", "messages waiting", "bytes waiting", "channels")


def daemon(**how):
    d = WsDaemon(status_path="/s", **how)
    d.control = d.top["control"] = d.dir + "/control.sock"
    d.sockets.add(d.control)
    return d


def pool_of(d, name="www"):
    return json.loads(ask(d, "status " + name)[1])["pools"][0]


def sockets(d):
    return pool_of(d)["websockets"]


def wait(d, **wanted):
    """Until the fields are so; _ stands for a blank."""
    wanted = {name.replace("_", " "): n for name, n in wanted.items()}

    def look():
        got = sockets(d)
        return {name: got[name] for name in wanted} == wanted and got
    return until(look, "websockets: %r" % wanted)


def metric(d, name):
    status, _, body, sock = d.get(b"GET /s?openmetrics HTTP/1.1\r\n"
                                  b"Host: a\r\nConnection: close\r\n\r\n")
    sock.close()
    equal(status, 200)
    return {labels: float(n) for labels, n in re.findall(
        r'(?m)^%s\{pool="www",?([^}]*)\} (\S+)$' % name, body.decode())}


@test
def numbers():
    """each is what has happened, in JSON and for Prometheus"""
    with daemon(websocket={"connections": 3, "max_message": 100,
                           "send_buffer": "4K"}) as d:
        wait(d, state="Running", open=0, limit=3, opened=0, refused=0)
        with d.ws(headers={"X-Lua": "ws:subscribe('a') ws:subscribe('b')"}) \
                as one, d.ws(headers={"X-Lua": "ws:subscribe('a')"}) as two:
            for ws in one, two:
                equal(ws.ask("x"), "x")
            one.send("lua require 'fpm'.publish('a', 'to both')")
            equal((one.receive(), two.receive()), ("to both", "to both"))
            wait(d, open=2, opened=2, messages_in=3, messages_out=4,
                 channels=2, messages_waiting=0)
            with d.ws() as third:
                equal(third.ask("x"), "x")
                equal(d.refusal()[0], 503)
                equal(d.refusal()[0], 503)
                wait(d, open=3, opened=3, refused=2)
                third.send("y" * 200)
                equal(third.event()[:2], ("close", 1009))
            wait(d, open=2, faulty_clients=1)
            one.send("lua for i = 1, 400 do ws:send(('z'):rep(50000)) end")
            wait(d, open=1, slow_clients=1)
        got = wait(d, open=0, channels=0, bytes_waiting=0)
        for name, field in (
                ("websocket_connections", "open"),
                ("websocket_limit_connections", "limit"),
                ("websocket_opened_total", "opened"),
                ("websocket_refused_total", "refused"),
                ("websocket_received_messages_total", "messages in"),
                ("websocket_sent_messages_total", "messages out")):
            equal(metric(d, "lua_fpm_" + name), {"": got[field]}, name)
        equal(metric(d, "lua_fpm_websocket_cut_total"),
              {'cause="slow"': 1, 'cause="silent"': 0, 'cause="faulty"': 1,
               'cause="lost"': 0})
        equal(metric(d, "lua_fpm_websocket_process_up"), {"": 1})


@test
def ready():
    """whoever is told that the daemon is ready, that a reload is done, or that a
    pool is in service again, can open a WebSocket at once"""
    with daemon() as d:
        equal(sockets(d)["state"], "Running")
        d.ws().close()
        equal(ask(d, "drain www")[0], True)
        equal(ask(d, "resume www")[0], True)
        equal(sockets(d)["state"], "Running")
        d.ws().close()
    with daemon(app=PLAIN) as d:
        d.write_app(APP)
        equal(ask(d, "reload")[0], True)
        equal(sockets(d)["state"], "Running")
        d.fds_before = d.count_fds()
        d.ws().close()


@test
def silent_and_lost():
    """who does not answer a ping, and whose worker died in a message"""
    with daemon(websocket={"ping": "1s", "silence": "1s"}) as d:
        with d.ws() as lost:
            d.expect("killed by signal 9")
            gate = d.gate()
            lost.send("lua gate('%s')" % gate.path)
            gate.wait()
            kill(int(lost_worker(d)), signal.SIGKILL)
            equal(lost.event()[:2], ("close", 1011))
        wait(d, open=0, lost=1)
        dead = d.ws()
        wait(d, open=1)
        wait(d, open=0, silent_clients=1)
        dead.sock.close()


def lost_worker(d):
    worker, = [w for w in pool_of(d)["processes"] if w["state"] == "Running"]
    return worker["pid"]


@test
def runs_on():
    """over a reload, an upgrade and the death of the hub counters never fall,
    and what is open now is 0 while there is no hub"""
    with daemon() as d:
        with d.ws() as ws:
            equal(ws.ask("x"), "x")
            for n, command in enumerate(("reload", "upgrade")):
                equal(ask(d, command)[0], True)
                equal(ws.ask("x"), "x")
                wait(d, open=1, opened=1, messages_in=2 + n,
                     messages_out=2 + n)
            before = sockets(d)
            d.expect("the process of WebSockets was killed")
            os.kill(before["pid"], signal.SIGSTOP)
            kill(before["pid"], signal.SIGKILL)

            def fell():
                now = sockets(d)
                for name in COUNTERS:
                    assert now[name] >= before[name], (name, now)
                return now["pid"] != before["pid"] and now
            now = until(fell, "the hub is gone")
            equal(now["open"], 0)
            if now["pid"] == 0:
                equal((now["state"], now["limit"]), ("Waiting", 0))
        wait(d, state="Running", opened=1, messages_in=3, open=0,
             limit=10000)
        with d.ws() as ws:
            equal(ws.ask("x"), "x")
            wait(d, open=1, opened=2, messages_in=4, messages_out=4)
        d.write_app(PLAIN)
        equal(ask(d, "reload")[0], True)
        until(lambda: "websockets" not in pool_of(d), "they are gone")
        equal(metric(d, "lua_fpm_websocket_opened_total"), {})


@test
def in_a_table():
    """lua-fpmctl status has a line for them, if there are some"""
    with daemon() as d, d.ws() as ws:
        equal(ws.ask("x"), "x")
        wait(d, open=1)
        for command in "status", "top":
            code, out, err = tool("-s", d.control, command, "www",
                                  program=LUA_FPMCTL)
            equal((code, err), (0, ""))
            titles, line = out.split("\n\n")[1].splitlines()
            equal(titles.split(), ["POOL", "HUB", "SOCKETS", "LIMIT", "IN/S",
                                   "OUT/S", "WAITING", "CHANNELS", "REFUSED",
                                   "CUT"])
            equal(line.split()[:4], ["www", "Running", "1", "10000"])
    with daemon(app=PLAIN) as d:
        out = tool("-s", d.control, "status", program=LUA_FPMCTL)[1]
        assert "SOCKETS" not in out, out


# ---- a hub that lies ------------------------------------------------------------


def descriptors_of(pid):
    """Those of a process, taken from it (pidfd_getfd(2)): {number: ours}."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    found = {}
    for number in os.listdir("/proc/%d/fd" % pid):
        fd = libc.syscall(438, pidfd, int(number), 0)
        if fd != -1:
            found[int(number)] = fd
    os.close(pidfd)
    return found


@test
def hostile_hub():
    """what a hub writes to its page, to the master and to workers is about its
    own pool: another one and the master do not notice"""
    if os.geteuid() != 0:
        raise Skip("only root may take descriptors of a process")
    d, other_web = daemon(), "127.0.0.1:%d" % free_port()
    d.pools["other"] = {**d.pools["www"], "listen": "http:" + other_web}
    with d:
        with WebSocket(other_web, timeout=PATIENCE) as ws:
            equal(ws.ask("x"), "x")
            clean = {"open": 1, "opened": 1, "messages in": 1,
                     "messages out": 1, "refused": 0, "lost": 0}

            def others():
                got = pool_of(d, "other")["websockets"]
                return {name: got[name] for name in clean}
            until(lambda: others() == clean, "the other pool's numbers")
            hub = sockets(d)["pid"]
            os.kill(hub, signal.SIGSTOP)
            d.expect("the process of WebSockets", "no record", "no word")
            for fd in descriptors_of(hub).values():
                spoil(fd)
            got = sockets(d)
            equal((got["opened"], got["open"]), (1 << 53, 1 << 53))
            equal(others(), clean)
            equal(metric(d, "lua_fpm_websocket_connections"),
                  {"": float(1 << 53)})
            equal(tool("-s", d.control, "ping", program=LUA_FPMCTL)[0], 0)
            equal(ws.ask("y"), "y")
            kill(hub, signal.SIGKILL)
            wait(d, state="Running", open=0)
            until(lambda: opens(d), "workers have found the new hub")
            equal(ws.ask("z"), "z")
            equal(pool_of(d, "other")["websockets"]["open"], 1)


def opens(d):
    with contextlib.suppress(Refused), d.ws() as ws:
        return ws.ask("x") == "x"


def spoil(fd):
    """Write rubbish to it, and close it."""
    with contextlib.suppress(OSError):
        os.pwrite(fd, b"\xff" * 512, 0)
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        os.close(fd)
        return
    with socket.socket(fileno=fd) as sock:
        for junk in (b"", b"\xff" * 64, b"Rkrc" * 16, bytes(range(256)),
                     b"k", b"\0" * 5000):
            with contextlib.suppress(OSError):
                sock.send(junk, socket.MSG_DONTWAIT)


run(120, over=FCGI)
