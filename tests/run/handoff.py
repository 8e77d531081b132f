#!/usr/bin/env python3
"""Connections change hands: what is parked at a worker that leaves goes on
at another one, of whatever build, and of whatever user."""

import array
import ctypes
import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from upgraded import *

TWO = {"mode": "static", "max": 2}
LONG = {"stop": "20s", "read": "300s", "keepalive": "300s"}
# A head as a web server would never send it: in pieces, with padding, and
# with records that belong to nobody between them.
ODD = request(keep=True, id=7, uri="/odd", params=[
    ("HTTP_X", str(n)) for n in range(50)]) if PROTOCOL == HTTP else \
    begin(keep=True, id=7) + b"".join(
    record(PARAMS, piece, 7, padding=n) + record(STDIN, b"stray", 9, padding=3)
    for n, piece in enumerate(
        [pairs(default_params(uri="/odd"))[i:i + 11] for i in range(
            0, len(pairs(default_params(uri="/odd"))), 11)])) + \
    record(PARAMS, b"", 7) + record(STDIN, b"", 7)
LARGE = request(keep=True, id=2, params={"HTTP_X": "y" * 30000})


def many_files():
    """For more connections than the usual limit, here and in the daemon."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 4096:
        raise Skip("RLIMIT_NOFILE is %d" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, hard))


class Parked:
    """Connections: every second one is idle and kept, the others have sent a
    part of a head, each another part."""

    WHOLE = ((request(keep=True), 1), (ODD, 7), (LARGE, 2))

    def __init__(self, d, n):
        self.idle, self.half = [], []
        for i in range(n):
            c = d.connect()
            if i % 2 == 0:
                equal(c.ask(keep=True).body, b"hello")
                self.idle.append(c)
            else:
                whole, id = self.WHOLE[i // 2 % 3]
                cut = 1 + i * 61 % (len(whole) - 16)
                c.send(whole[:cut])
                self.half.append((c, whole[cut:], id))

    def go_on(self, n):
        """n of them are served, and again when they are kept."""
        lost = []
        for _ in range(n):
            if len(self.idle) > len(self.half):
                c, rest, id = self.idle.pop(), request(keep=True), 1
            else:
                c, rest, id = self.half.pop()
            try:
                c.send(rest)
                equal(c.response(id).body, b"hello")
                equal(c.ask(keep=True).body, b"hello")
            except (AssertionError, OSError) as e:
                lost.append((rest[:20], repr(e)[:200]))
            c.close()
        equal(lost[:5], [], "%d of %d are lost" % (len(lost), n))


@test
def over_an_upgrade():
    """1000 parked connections, half of them idle, half with a part of a head:
    an upgrade to another build and back to the first loses none"""
    many_files()
    with Upgraded(workers=TWO, timeouts=LONG) as d:
        d.wait_ready(2)
        parked = Parked(d, 1000)
        install(NEXT, d.program)
        d.usr2()
        parked.go_on(300)
        install(LUA_FPM, d.program)
        d.usr2()
        parked.go_on(700)


@test
def to_another_form():
    """an upgrade to a build that hands connections over in another form, while
    every old worker is busy and what is parked waits in the exchange: the old
    workers take it back and serve it"""
    with Upgraded(workers=TWO, timeouts=LONG) as d:
        old = d.wait_ready(2)
        parked = Parked(d, 60)
        gates = [d.gate(), d.gate()]
        held = [Background(d.lua, g.lua + "return {}, 'held'") for g in gates]
        for gate in gates:
            gate.wait()
        install(APART, d.program)
        mark = d.log_mark()
        d.kill(signal.SIGUSR2)
        d.wait_log(" ready: ", mark)
        equal(d.fetch().body, b"hello")
        rest = [(c, request(keep=True), 1) for c in parked.idle] + parked.half
        for c, data, _ in rest:
            c.send(data)
        for gate in gates:
            gate.open()
        equal([h.result().body for h in held], [b"held", b"held"])
        lost = 0
        for c, _, id in rest:
            with contextlib.suppress(AssertionError, OSError):
                lost += c.response(id).body != b"hello"
                continue
            lost += 1
        equal(lost, 0, "of %d" % len(rest))
        until(lambda: not set(old) & set(d.workers()), "the old ones leave")
        d.wait_ready(2)
        assert "refused what another" not in d.read_log(mark)
        parked = Parked(d, 60)
        d.usr2()
        parked.go_on(60)


@test
def to_another_user():
    """a reload that changes the user: the workers of the new one go on with
    what is parked at those of the old"""
    if not ROOT:
        raise Skip("needs root")
    with Upgraded(workers=TWO, timeouts=LONG) as d:
        old = set(d.wait_ready(2))
        parked = Parked(d, 60)
        other = {"nobody": "daemon"}.get(pool_user(), "nobody")
        d.set_pool("www", workers=TWO, timeouts=LONG, user=other)
        d.write_conf()
        d.reload()
        until(lambda: not old & set(d.workers()), "the old workers are gone")
        parked.go_on(60)


# ---- a giver that is not to be trusted ----------------------------------------


def exchange(d):
    """The end of the exchange to which the workers of a pool give."""
    if not ROOT:
        raise Skip("needs root")
    pid = d.wait_ready(2)[0]
    _, (_, give, _) = seqpackets(d, pid)
    return socket.socket(fileno=take_fd(pid, give))


def give(sock, message, *connections):
    """As a worker gives them; their ends here are closed."""
    sock.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                              array.array("i", [c.fileno() for c in
                                                connections]))]
                 if connections else [])
    for c in connections:
        c.close()


def parcel(data=b"", version=b"1", protocol=PROTOCOL.encode(), idle=b"0"):
    return b"".join(b"%s %d\n%s\n" % (name, len(value), value)
                    for name, value in ((b"handoff", version),
                                        (b"protocol", protocol),
                                        (b"idle", idle), (b"bytes", data)))


class Given(CONNS[PROTOCOL]):
    """A connection that no listener has seen."""

    def __init__(self, to, data):
        ours, theirs = socket.socketpair()
        self.adopt(ours)
        give(to, parcel(data), theirs)


@test
def good_parcels():
    """what is given in the form that is promised is served"""
    with Daemon(workers=TWO) as d:
        with exchange(d) as to:
            for data in (b"", request()[:40], request()):
                with Given(to, data) as c:
                    if data != request():
                        c.send(request()[len(data):])
                    equal(c.response().body, b"hello")


@test
def malformed():
    """messages of no sense, without, with wrong and with too many
    descriptors: refused, each worker says so once, and all goes on"""
    with Daemon(workers=TWO) as d:
        pids = d.wait_ready(2)
        before = [len(fds(pid)) for pid in pids]
        mark = d.log_mark()
        whole = parcel(request())
        messages = [b"", b"\0", b"\0\0", b"x", os.urandom(128 << 10),
                    whole[:-1], whole + b"x", parcel(version=b"2"),
                    parcel(protocol=b"gopher"), parcel(b"x", idle=b"1"),
                    whole.replace(b"bytes ", b"bytes 9"),
                    parcel(b"x" * (129 << 10)),
                    *(whole[:n] for n in range(0, len(whole), 7))]
        with exchange(d) as to:
            wrong = (lambda: open("/dev/null"), socket.socket,
                     lambda: socket.socket(type=socket.SOCK_DGRAM),
                     lambda: socket.create_server(("127.0.0.1", 0)),
                     lambda: socket.socket(fileno=os.dup(to.fileno())))
            for _ in range(3):
                for message in messages:
                    give(to, message)
                    give(to, message, socket.socketpair()[0])
                    give(to, message, *socket.socketpair())
                for kind in wrong:
                    give(to, whole, kind())
                give(to, whole, *socket.socketpair())
            equal(d.fetch().status, 200)
        until(lambda: [len(fds(pid)) for pid in pids] == before,
              "no descriptor is left over")
        equal(d.workers(), pids)
        lines = re.findall("refused what another", d.read_log(mark))
        assert 1 <= len(lines) <= 2, lines


@test
def full_sockets():
    """connections whose peer has not read for long: the write limit holds
    for the very first response"""
    with Daemon(workers=TWO, timeouts={"write": "500ms"}) as d:
        with exchange(d) as to:
            peers = []
            for _ in range(4):
                ours, theirs = socket.socketpair()
                theirs.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        theirs.send(b"x" * 4096)
                theirs.setblocking(True)
                give(to, parcel(request()), theirs)
                peers.append(ours)
            for _ in range(8):
                equal(d.fetch().status, 200)
            for ours in peers:
                ours.close()


@test
def shut_down():
    """an exchange that somebody has shut down: the workers say so once, wait
    for it no more, and serve on"""
    with Daemon(workers=TWO) as d:
        pids = d.wait_ready(2)
        with exchange(d) as to:
            to.shutdown(socket.SHUT_RDWR)
        for pid in pids:
            d.wait_log(r"pid %d\] .*the exchange has been shut down" % pid)
        for _ in range(10):
            equal(d.fetch().status, 200)
        equal(len(re.findall("has been shut down", d.read_log())), 2)
        equal(d.workers(), pids)


run(240, over=BOTH)
