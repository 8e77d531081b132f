#!/usr/bin/env python3
"""A TCP pool that leaves: what waits is served, and whoever comes learns at
once that nobody is there."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}


def refused_at_once(address):
    """connect(2) fails, and does not wait."""
    family, where = parse_address(address)

    def attempt():
        began = time.monotonic()
        with socket.socket(family) as s:
            s.settimeout(5)
            try:
                s.connect(where)
            except (ConnectionRefusedError, FileNotFoundError):
                took = time.monotonic() - began
                # one that came while the queue was emptied tries again
                assert took < 2.5, "it took %.1f s" % took
                return True
            except socket.timeout:
                raise AssertionError("connect hangs")
        return False
    until(attempt, "a client is refused")


def leaves(d, address, leave, clients):
    """While a request is held and others wait, the pool is told to leave."""
    gate = d.gate()
    held = Background(fetch, address, lua=gate.lua + "return text('held')")
    gate.wait()
    waiting = [Conn(address) for _ in range(clients)]
    for c in waiting:
        c.send(request(lua="return text('waited')"))
    leave()
    refused_at_once(address)
    gate.open()
    equal(held.result().body, b"held")
    for c in waiting:
        equal(c.response().body, b"waited")
        c.close()
    refused_at_once(address)


def tcp(family=socket.AF_INET):
    host = "127.0.0.1" if family == socket.AF_INET else "[::1]"
    return "%s:%d" % (host, free_port(family))


def unix():
    return "/tmp/lua-fpm-%d.sock" % os.getpid()


def listens(d, addresses):
    """The pool www is reloaded, and listens there."""
    d.set_pool("www", workers=ONE, listen=addresses)
    d.write_conf()
    d.reload()


@test
def dropped():
    """a pool that a reload drops, IPv4 and IPv6"""
    for family in (socket.AF_INET, socket.AF_INET6):
        if family == socket.AF_INET6 and not has_ipv6():
            continue
        address = tcp(family)
        with Daemon(pools={"www": {"workers": ONE},
                           "old": {"workers": ONE, "listen": address}}) as d:
            def drop():
                d.drop_pool("old")
                d.write_conf()
                d.kill(signal.SIGHUP)
            leaves(d, address, drop, 20)
            d.wait_workers(0, "old")
            d.fds_before = d.count_fds()


@test
def stopped():
    """a daemon that stops, with more who wait than the exchange holds"""
    address = tcp()
    d = Daemon(workers=ONE, listen=address, backlog=2000)
    d.start()
    leaves(d, address, lambda: d.kill(signal.SIGTERM), 800)
    equal(d.wait_exit(), 0)
    d.check_gone()
    d.check_log()
    d.destroy()


@test
def stopped_in_a_reload():
    """a daemon that stops while the next workers come up"""
    address = tcp()
    d = Daemon(workers=ONE, listen=address).start()
    loading = d.gate()
    d.write_app("%s\nfile('%s.in', 'w', '') file('%s', 'r')\n%s" % (
        "function file(n, m, s) local f = io.open(n, m) "
        "return s and f:write(s) and f:close() or f:read('a') end",
        loading.path, loading.path, app_source("eval.lua")))

    d.pools["www"]["umask"] = "0027"
    d.write_conf()

    def stop():
        d.kill(signal.SIGHUP)
        loading.wait()
        d.kill(signal.SIGTERM)
    leaves(d, address, stop, 20)
    loading.open()
    d.ended(0)
    d.check_log()
    d.destroy()


@test
def address_dropped():
    """one address of a pool goes, the other stays"""
    address = tcp()
    with Daemon(workers=ONE) as d:
        first = d.address()
        listens(d, [first, address])
        leaves(d, address, lambda: listens(d, first), 20)
        equal(fetch(first).status, 200)
        d.wait_workers(1)
        d.fds_before = d.count_fds()


@test
def under_load():
    """whoever could connect is answered: not one is cut off"""
    for _ in range(5):
        address = tcp()
        d = Daemon(workers={"mode": "static", "max": 2}, listen=address)
        d.start()
        load = Load(address, clients=8)
        load.more(200)
        d.kill(signal.SIGTERM)
        equal(d.wait_exit(), 0)
        done, failures = load.stop()
        cut = [f for f in failures if "ConnectionRefused" not in f]
        equal(cut[:3], [], "%d of %d requests" % (len(cut), done))
        d.check_log()
        d.destroy()


def last_answer(leave):
    """False if a kept connection was closed before it could ask, which it has
    to do in half a second; or if its end came later than the answer, which the
    kernel holds back for no more than 0.2 s (TCP_CORK)."""
    d = Daemon(workers=ONE, listen=tcp())
    d.start()
    with d.connect() as asks, d.connect() as silent:
        for c in (asks, silent):
            equal(c.ask(keep=True).status, 200)
        d.kill(leave)
        refused_at_once(d.address())
        answered, at_once = False, True
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            asks.send(request(keep=True))
            if PROTOCOL == FCGI:  # where no answer can say that it is the last
                poll = select.poll()
                poll.register(asks.sock, select.POLLIN | select.POLLRDHUP)
                (_, events), = poll.poll(PATIENCE * 1000)
                at_once = bool(events & select.POLLRDHUP)
            answered = asks.response().status == 200
        assert not answered or asks.eof(), "more can be asked"
        assert silent.eof(), "silence is kept up"
    d.wait_exit()
    until(lambda: not session(d.pid), "all have left")
    d.destroy()
    return answered and at_once


@test
def kept():
    """what is asked over a kept connection meanwhile is answered, and that is
    the last answer there; one that stays silent is closed soon"""
    for leave in (signal.SIGTERM, signal.SIGKILL):
        assert any(last_answer(leave) for _ in range(5)), leave


PART = record(STDERR)  # empty, where none is awaited


@test(over=FCGI, because="HTTP says so in its last answer")
def nginx_is_told():
    """nginx is told to close a kept connection; a request that it has sent
    meanwhile is answered, and then it is told again, if its end cannot come
    along"""
    software = {"SERVER_SOFTWARE": "nginx/1.22.1"}
    for address in (None, tcp()):
        d = Daemon(workers=ONE, **({"listen": address} if address else {}))
        d.start()
        with d.connect() as asks, d.connect() as silent, d.connect() as other:
            for c in (asks, silent):
                equal(c.ask(keep=True, params=software).status, 200)
            equal(other.ask(keep=True).status, 200)
            d.kill(signal.SIGTERM)
            equal(silent.sock.recv(100), PART)
            silent.close()
            asks.send(request(keep=True, params=software))
            got = b""
            while more := asks.sock.recv(4096):
                got += more
            assert got.startswith(PART) and b"Status: 200" in got, got
            equal(got.count(PART), 1 if address else 2, got)
            assert other.eof(), "another is told something"
        d.wait_exit()
        d.destroy()


def half_open(address):
    """A connection whose handshake is over for the client, but not for the
    server: its last packet comes up to 200 ms later (TCP_DEFER_ACCEPT at a
    client's side)."""
    return Conn(address, options=[(socket.IPPROTO_TCP,
                                   socket.TCP_DEFER_ACCEPT, 1)])


def half_open_for_good(address):
    """One whose client does not hear the server's answer (IP_MINTTL)."""
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_IP, 21, 255)
    s.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        s.connect(parse_address(address)[1])
    return s


@test
def half_open_stop():
    """a client whose handshake ends after the stop has begun is answered, by
    a worker born for it if need be"""
    for family in (socket.AF_INET, socket.AF_INET6):
        if family == socket.AF_INET6 and not has_ipv6():
            continue
        address = tcp(family)
        for busy in (True, False) * 3:
            d = Daemon(workers=ONE, listen=address)
            d.start()
            gate = d.gate()
            held = Background(fetch, address,
                              lua=gate.lua + "return text('held')")
            gate.wait()
            late = half_open(address)
            if not busy:
                gate.open()
                held.result()
            d.kill(signal.SIGTERM)
            d.wait_log("stopping")
            late.send(request(lua="return text('late')"))
            if busy:
                gate.open()
                equal(held.result().body, b"held")
            equal(late.response().body, b"late")
            late.close()
            equal(d.wait_exit(), 0)
            d.check_log()
            d.destroy()


@test
def half_open_reload():
    """likewise where one address of a pool goes: the next generation has it"""
    address = tcp()
    with Daemon(workers=ONE) as d:
        first = d.address()
        for _ in range(5):
            listens(d, [first, address])
            late = half_open(address)
            listens(d, first)
            refused_at_once(address)
            late.send(request(lua="return text('late')"))
            equal(late.response().body, b"late")
            late.close()
        d.wait_workers(1)
        d.fds_before = d.count_fds()


@test
def comes_back():
    """an address that a reload drops and the next has again, while a worker
    of before is busy: the new pool serves there"""
    for address in (tcp(), unix()):
        with Daemon(pools={"www": {"workers": ONE},
                           "old": {"workers": ONE, "listen": address}}) as d:
            gate = d.gate()
            held = Background(fetch, address,
                              lua=gate.lua + "return text('held')")
            gate.wait()
            old = d.pools["old"]
            d.drop_pool("old")
            d.write_conf()
            d.reload()
            refused_at_once(address)
            d.pools["new"] = old
            d.write_conf()
            d.reload()
            new = d.wait_ready(1, "new")
            for _ in range(20):
                equal(fetch(address, lua="return text('new')").body, b"new")
            gate.open()
            equal(held.result().body, b"held")
            until(lambda: not d.workers("old"), "the old pool is gone")
            equal(fetch(address, lua="return text('new')").body, b"new")
            equal(d.workers("new"), new)
            d.fds_before = d.count_fds()


@test
def comes_back_on_the_way():
    """likewise, but clients of before are still on their way: the reload is
    refused, and says why"""
    address = tcp()
    with Daemon(pools={"www": {"workers": ONE},
                       "old": {"workers": ONE, "listen": address}}) as d:
        old = d.pools["old"]
        lost = half_open_for_good(address)
        d.drop_pool("old")
        d.write_conf()
        d.reload()
        d.pools["old"] = old
        d.write_conf()
        d.expect("still on their way", "reload refused")
        d.reload()
        d.wait_log("still on their way")
        lost.close()
        refused_at_once(address)
        d.reload()
        equal(fetch(address).status, 200)


@test
def two_before():
    """an address goes while two generations of before are busy: nobody waits
    there for their end"""
    for address in (tcp(), unix()):
        with Daemon(workers=ONE) as d:
            first = d.address()
            listens(d, [first, address])
            held = []
            for mask in ("0027", "0022"):
                gate = d.gate()
                asked = Background(fetch, address,
                                   lua=gate.lua + "return text('held')")
                gate.wait()
                held.append((gate, asked))
                d.pools["www"]["umask"] = mask
                d.write_conf()
                d.reload()
            listens(d, first)
            refused_at_once(address)
            for gate, asked in held:
                gate.open()
                equal(asked.result().body, b"held")
            d.wait_workers(1)
            d.fds_before = d.count_fds()


@test
def not_allowed():
    """who waits and may not come is not let in by this way"""
    address = tcp()
    with Daemon(pools={"www": {"workers": ONE},
                       "old": {"workers": ONE,
                               "listen": [address, unix()],
                               "allowed_clients": ["192.0.2.1"]}}) as d:
        gate, other = d.gate(), d.pools["old"]["listen"][1]
        held = Background(fetch, other, lua=gate.lua + "return text('held')")
        gate.wait()
        waits = Conn(address)
        waits.send(request(lua="return text('in')"))
        d.drop_pool("old")
        d.write_conf()
        d.kill(signal.SIGHUP)
        refused_at_once(address)
        gate.open()
        equal(held.result().body, b"held")
        equal(waits.response().out, b"")
        waits.close()
        d.wait_workers(0, "old")


@test
def declines():
    """a worker that declines to leave waits, and does not spin"""
    address = tcp()
    with Daemon(pools={"www": {"workers": ONE},
                       "old": {"workers": ONE, "listen": address,
                               "timeouts": {"stop": "2s"}}}) as d:
        d.write_app("return { accept = function() return {} end, stop = "
                    "function() return 1 end }", "stays.lua")
        d.set_pool("old", workers=ONE, listen=address,
                   app=d.dir + "/stays.lua", timeouts={"stop": "2s"})
        d.write_conf()
        d.reload()
        until(lambda: len(d.workers("old")) == 1, "the first one has left")
        pid = d.wait_ready(1, "old")[0]
        d.expect("does not leave in time")
        d.drop_pool("old")
        d.write_conf()
        d.reload()
        refused_at_once(address)
        d.wait_log("declines to stop")
        before = cpu(pid)
        d.wait_log("does not leave in time", timeout=10)
        assert cpu(pid) - before < 0.5, "it spins"
        d.wait_workers(0, "old")
        d.fds_before = d.count_fds()


@test
def stopped_after_a_reload():
    """two generations stop together; the end of the first takes nothing from
    the second"""
    d = Daemon(workers=ONE, top={"log_level": "debug"}).start()
    gates = d.gate(), d.gate()

    def ask(gate):
        asked = Background(d.lua, gate.lua + "return text('held')")
        gate.wait()
        return asked
    first, old = ask(gates[0]), d.wait_workers(1)[0]
    d.pools["www"]["umask"] = "0027"
    d.write_conf()
    d.reload()
    second, last = ask(gates[1]), d.connect()
    last.send(request(lua="return text('waited')"))
    d.kill(signal.SIGTERM)
    d.wait_log("stopping")
    gates[0].open()
    equal(first.result().body, b"held")
    d.wait_log("a generation is gone")
    assert not alive(old), "the first has left"
    gates[1].open()
    equal(second.result().body, b"held")
    equal(last.response().body, b"waited")
    d.ended(0)
    assert "shut down" not in d.read_log(), "and nobody is blamed"
    d.check_log()
    d.destroy()


run(120, over=BOTH)
