#!/usr/bin/env python3
"""Who the client of a request is that comes over HTTP: the peer, or the one whom
a proxy names that is believed."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

PROXY, OTHER = "127.0.0.2", "127.0.0.9"  # peers of the pools below
SHOWN = ("REMOTE_ADDR", "REMOTE_PORT", "REQUEST_SCHEME", "HTTPS")

DIR = scratch()
ports = {name: free_port() for name in ("fwd", "rfc", "deaf", "few")}


def at(name, unix=False):
    """The addresses of a pool."""
    tcp = "http:127.0.0.1:%d" % ports[name]
    return [tcp, "http:%s/%s.sock" % (DIR, name)] if unix else tcp


d = Daemon(app=app_source("env.lua"), dir=DIR, pools={
    "fwd": {"listen": at("fwd", True),
            "http": {"proxies": [PROXY, "10.0.0.0/8"]},
            "logs": {"access": DIR + "/access", "access_format": "%R %m"}},
    "rfc": {"listen": at("rfc", True),
            "http": {"proxies": [PROXY, "10.0.0.0/8", "unix"],
                     "forwarded": "forwarded"}},
    "deaf": {"listen": at("deaf"),
             "http": {"proxies": [PROXY], "forwarded": "none"}},
    "few": {"listen": at("few"), "allowed_clients": [PROXY],
            "http": {"proxies": [PROXY]}},
})


def ask(pool, *lines, peer=PROXY, unix=False):
    """(REMOTE_ADDR, REMOTE_PORT, REQUEST_SCHEME, HTTPS) of a request with these
    headers from that peer; the port of the peer itself is "own"."""
    address = at(pool, True)[unix]
    with Conn(address, source=None if unix else peer) as c:
        own = "" if unix else str(c.sock.getsockname()[1])
        c.send(("GET / HTTP/1.1\r\nHost: a\r\n%s\r\n" % "".join(
            line + "\r\n" for line in lines)).encode())
        r = c.response()
    equal(r.status, 200, r)
    env = dict(line.split("=", 1) for line in
               r.body.decode().partition("\n\n")[0].split("\n"))
    got = [env.get(name) for name in SHOWN]
    if own and got[1] == own:
        got[1] = "own"
    return tuple(got)


@test
def starts():
    """the daemon starts"""
    d.start()


@test
def proxy_is_believed():
    """X-Forwarded-For from the right, over several headers"""
    http, https = ("http", None), ("https", "on")
    equal(ask("fwd"), (PROXY, "own", *http))
    equal(ask("fwd", "X-Forwarded-For: 192.0.2.7"), ("192.0.2.7", "", *http))
    equal(ask("fwd", "X-Forwarded-For: 192.0.2.7:81",
              "X-Forwarded-Proto: https"), ("192.0.2.7", "81", *https))
    equal(ask("fwd", "x-forwarded-for: 6.6.6.6", "X-FORWARDED-FOR: 7.7.7.7 ,"
              "[2001:db8::7]:5", "X-A: b", "X-Forwarded-For: 10.1.2.3",
              "X-Forwarded-Proto: http, https, http"),
          ("2001:db8::7", "5", *https))
    equal(ask("fwd", "X-Forwarded-For: 10.0.0.1, 10.0.0.2"),
          ("10.0.0.1", "", *http))


@test
def malformed_ends_the_search():
    """what is no address: the client is the last one before it"""
    equal(ask("fwd", "X-Forwarded-For: 192.0.2.7, unknown, 10.0.0.1"),
          ("10.0.0.1", "", "http", None))
    for bad in ("evil", "192.0.2.7.1", "\"192.0.2.7\"", "192.0.2.7:0",
                "::g", "", ",,"):
        equal(ask("fwd", "X-Forwarded-For: " + bad)[:2], (PROXY, "own"), bad)


@test
def others_are_not():
    """another peer is the client, whatever it claims; a unix socket likewise"""
    lines = ["X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https",
             "Forwarded: for=192.0.2.7;proto=https", "X-Real-IP: 192.0.2.7",
             "X-Forwarded-Host: b", "X-Forwarded-Port: 81"]
    equal(ask("fwd", *lines, peer=OTHER), (OTHER, "own", "http", None))
    equal(ask("rfc", *lines, peer=OTHER), (OTHER, "own", "http", None))
    equal(ask("fwd", *lines, unix=True), ("unix:", "", "http", None))
    equal(ask("deaf", *lines), (PROXY, "own", "http", None))


@test
def forwarded():
    """Forwarded, where the pool says so, and "unix" as a proxy"""
    equal(ask("rfc", "Forwarded: for=6.6.6.6, for=\"[2001:db8::7]:5\"; "
              "proto=https", "Forwarded: for=10.0.0.1;proto=http;by=_x"),
          ("2001:db8::7", "5", "https", "on"))
    equal(ask("rfc", "Forwarded: for=\"open, for=192.0.2.7",
              "X-Forwarded-For: 6.6.6.6"), ("192.0.2.7", "", "http", None))
    equal(ask("rfc", "Forwarded: for=_hidden;proto=https"),
          (PROXY, "own", "https", "on"))
    equal(ask("rfc", "Forwarded: for=192.0.2.7", unix=True),
          ("192.0.2.7", "", "http", None))


@test
def logged():
    """the access log has the client"""
    ask("fwd", "X-Forwarded-For: 192.0.2.77")
    until(lambda: "192.0.2.77 GET\n" in open(DIR + "/access").read(),
          "the line is written")


@test
def allowed_clients_judges_the_peer():
    """who may connect is not who is named"""
    equal(ask("few", "X-Forwarded-For: 6.6.6.6")[0], "6.6.6.6")
    d.expect("client 127.0.0.9 refused")
    with Conn(at("few"), source=OTHER) as c:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            c.send(b"GET / HTTP/1.1\r\nHost: a\r\n"
                   b"X-Forwarded-For: 127.0.0.2\r\n\r\n")
        assert c.eof()
    d.wait_log("client 127.0.0.9 refused")


@test
def reloaded():
    """a reload with other proxies"""
    d.pools["deaf"]["http"] = {"proxies": [OTHER]}
    d.write_conf()
    d.reload()
    line = "X-Forwarded-For: 192.0.2.7"
    equal(ask("deaf", line)[0], PROXY)
    equal(ask("deaf", line, peer=OTHER)[0], "192.0.2.7")


@test
def bad_entries():
    """an entry that is no address is refused, and nothing changes"""
    good = d.pools["deaf"]["http"]
    for bad in ("10.0.0.1/8", "localhost", "Unix", "unix:/run/x", "*"):
        d.pools["deaf"]["http"] = {"proxies": [bad]}
        d.write_conf()
        code, _, err = tool("-t", "-c", d.file)
        equal(code, 78, bad)
        matches(r"http\.proxies: \"%s\"" % re.escape(bad), err)
    d.pools["deaf"]["http"] = good
    d.write_conf()


run(60)
