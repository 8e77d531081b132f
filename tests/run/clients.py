#!/usr/bin/env python3
"""Who may connect: allowed_clients by address and by range, on IPv4, IPv6 and
IPv4 over IPv6."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
GOOD = "return { accept = function() return {}, 'good' end }"


def daemon(listen, *allowed):
    return Daemon(app=GOOD, workers=ONE, listen=listen,
                  allowed_clients=allowed)


def connect(port, source, host="127.0.0.1"):
    """A connection of a client with that address."""
    return Conn("[%s]:%d" % (host, port), source=source)


def is_served(c):
    """The request is answered, or the connection closed without a byte."""
    with c:
        try:
            c.send(request())
            return c.response().body == b"good"
        except (ConnectionError, EOFError, AssertionError):
            equal(c.buffer, b"")
            return False


@test
def by_address_and_range():
    """those in the list are served, all others closed and named in the log"""
    port = free_port()
    with daemon("127.0.0.1:%d" % port, "127.0.0.2", "127.8.0.0/13") as d:
        for source, wanted in (("127.0.0.2", True), ("127.8.0.0", True),
                               ("127.15.255.254", True), ("127.0.0.1", False),
                               ("127.0.0.3", False), ("127.16.0.1", False),
                               ("127.0.0.2", True)):
            equal(is_served(connect(port, source)), wanted, source)
        d.wait_log(r"notice \[pool www\] .*client 127\.0\.0\.1 refused: not in"
                   r" allowed_clients \(and 0 more")


@test
def without_a_request():
    """closed at once, before anything was sent"""
    port = free_port()
    with daemon("127.0.0.1:%d" % port, "127.0.0.2"):
        with connect(port, "127.0.0.1") as c:
            equal(c.sock.recv(1), b"")


@test
def logged_once_a_second():
    """a flood of others does not fill the log, and harms nobody"""
    port = free_port()
    with daemon("127.0.0.1:%d" % port, "127.0.0.2") as d:
        began = time.monotonic()
        for _ in range(300):
            with connect(port, "127.0.0.1") as c:
                with contextlib.suppress(ConnectionError):
                    equal(c.sock.recv(1), b"")
        took = time.monotonic() - began
        lines = re.findall("refused", d.read_log())
        assert 1 <= len(lines) <= took + 1, (len(lines), took)
        assert is_served(connect(port, "127.0.0.2"))


@test
def over_ipv6():
    """ranges of IPv6 on a socket of IPv6"""
    if not has_ipv6():
        raise Skip("no IPv6")
    for allowed, wanted in (("::1", True), ("::/64", True), ("::2", False),
                            ("127.0.0.1", False), ("0.0.0.0/0", False)):
        port = free_port(socket.AF_INET6)
        with daemon("[::1]:%d" % port, allowed):
            equal(is_served(connect(port, None, "::1")), wanted, allowed)


@test
def mapped():
    """a client of IPv4 over a socket of IPv6 is judged as one of IPv4"""
    if not has_ipv6():
        raise Skip("no IPv6")
    for allowed, wanted in (("127.0.0.0/8", True), ("::/0", False),
                            ("::ffff:127.0.0.1", True), ("10.0.0.0/8", False)):
        with socket.socket(socket.AF_INET6) as s:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            s.bind(("::", 0))
            s.listen(16)
            port = s.getsockname()[1]
            d = daemon("fd:%d" % s.fileno(), allowed)
            d.start(pass_fds=(s.fileno(),))
        with d:
            equal(is_served(connect(port, None)), wanted, allowed)


@test
def unix_sockets():
    """clients of a unix socket are not concerned"""
    port = free_port()
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    with daemon([dir + "/s", "127.0.0.1:%d" % port], "192.0.2.0/24") as d:
        equal(d.fetch().body, b"good")
        equal(is_served(connect(port, None)), False)


@test
def over_a_reload():
    """a reload lets others in, and refuses who was let in before"""
    port = free_port()
    with daemon("127.0.0.1:%d" % port, "127.0.0.2") as d:
        equal(is_served(connect(port, "127.0.0.3")), False)
        d.pools["www"]["allowed_clients"] = ["127.0.0.3"]
        d.write_conf()
        d.reload()
        until(lambda: len(d.workers()) == 1, "the old worker is gone")
        equal(is_served(connect(port, "127.0.0.3")), True)
        equal(is_served(connect(port, "127.0.0.2")), False)


@test
def no_addresses():
    """what is no address is a fault of the configuration"""
    d = daemon("127.0.0.1:%d" % free_port(), "127.0.0.1/8", "localhost")
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    equal(code, 78)
    for said in (r'"127\.0\.0\.1/8" has bits', '"localhost" is no address'):
        matches(r"lua-fpm\.conf:\d+: pool www: allowed_clients: " + said,
                out + err)
    d.destroy()


run(120, over=BOTH)
