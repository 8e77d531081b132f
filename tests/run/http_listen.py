#!/usr/bin/env python3
"""Addresses with a protocol: FastCGI and HTTP in one pool, at sockets of every
kind, and what becomes of connections when a reload or an upgrade changes
that."""

import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from upgraded import *

ONE = {"mode": "static", "max": 1}
TWO = {"mode": "static", "max": 2}
PATIENT = {"read": "5m"}  # half a request may have to wait for a slow machine
SPEAKS = "return text(env.SERVER_SOFTWARE and 'http' or 'fcgi')"


def port(n=1):
    return ["127.0.0.1:%d" % free_port() for _ in range(n)]


def daemon(*listen, **pool):
    d = Daemon()
    d.set_pool("www", **{"workers": TWO, "listen": list(listen),
                         "http": PATIENT, **pool})
    if "status_listen" in pool:
        d.pools["www"]["status_listen"] = spelt(pool["status_listen"])
    d.sockets |= {where(a) for a in listen if where(a).startswith("/")}
    return d


def kind(address):
    """(what the application is told, who answers)"""
    r = fetch(address, lua="return text(tostring(env.SERVER_SOFTWARE) .. ' ' "
              ".. pid())")
    equal(r.status, 200, r)
    return (r.body.split()[0] != b"nil" and "http" or "fcgi",
            int(r.body.split()[1]))


def check(*addresses):
    for a in addresses:
        equal(kind(a)[0], speaks(a), a)


def silent(address, wrong):
    """At this address the other protocol gets no answer of its own: (bytes of
    the answer)."""
    with Conn(address) as c:
        c.send(request(protocol=wrong))
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while (data := c.sock.recv(65536)):
                got += data
        return got


# ---- sockets of every kind ----------------------------------------------------


@test
def both():
    """one pool with both, over TCP and unix sockets: each address speaks its
    own, and refuses the other"""
    dir = scratch()
    one, two = port(2)
    listen = ["fcgi:" + one, "http:" + two, "http:%s/a.sock" % dir,
              "fcgi:%s/b.sock" % dir]
    six = free_port(socket.AF_INET6) if has_ipv6() else None
    if six:
        listen.append("http:[::1]:%d" % six)
    with daemon(*listen) as d:
        check(*listen)
        equal(silent("fcgi:" + one, HTTP), b"")
        d.wait_log("not FastCGI version 1")
        matches(b"^HTTP/1.1 400 ", silent("http:" + two, FCGI))
        check(*listen)
    shutil.rmtree(dir)


@test
def inherited():
    """fd:N in both protocols; a reload from one to the other keeps them"""
    socks = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    places = ["127.0.0.1:%d" % s.getsockname()[1] for s in socks]
    fds = [s.fileno() for s in socks]
    d = daemon("http:fd:%d" % fds[0], "fcgi:fd:%d" % fds[1])
    d.start(pass_fds=fds)
    check("http:" + places[0], "fcgi:" + places[1])
    d.pools["www"]["listen"] = ["fcgi:fd:%d" % fds[0], "http:fd:%d" % fds[1]]
    d.write_conf()
    d.reload()
    check("fcgi:" + places[0], "http:" + places[1])
    d.stop()
    for s in socks:
        s.close()


LAUNCH = """
import os, sys
fd, *command = sys.argv[1:]
os.dup2(os.dup2(int(fd), 100), 3, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1",
                  LISTEN_FDNAMES="www")
os.execv(command[0], command)
"""


@test
def by_name():
    """systemd:NAME, also after an upgrade"""
    with socket.create_server(("127.0.0.1", 0)) as s:
        place = "127.0.0.1:%d" % s.getsockname()[1]
        d = daemon("http:systemd:www")
        d.write_conf()
        d.spawn(program=sys.executable, pass_fds=[s.fileno()],
                args=["-c", LAUNCH, str(s.fileno()), LUA_FPM, "-c", d.file])
        d.wait_note("READY=1")
        check("http:" + place)
        mark = d.log_mark()
        d.kill(signal.SIGUSR2)
        d.wait_log("upgraded from", mark)
        d.wait_log("ready: ", mark)
        check("http:" + place)
        d.stop()


@test
def status():
    """status_listen over HTTP, beside one over FastCGI"""
    one, two = port(2)
    listen = ["http:" + one, "fcgi:" + two]
    with daemon("http:" + port()[0], status_listen=listen) as d:
        for a in listen:
            r = fetch(a, uri="/status?json")
            equal((r.status, json.loads(r.body)["pool"]), (200, "www"), r)
        equal(fetch(listen[0], uri="/elsewhere").status, 404)
        d.pools["www"]["status_listen"] = ["http:" + two]
        d.write_conf()
        d.reload()
        # its process is replaced when the reload is over
        until(lambda: fetch("http:" + two, uri="/status").status == 200,
              "it speaks HTTP")


@test
def rights():
    """owner and mode of the file, and who may connect over TCP"""
    with daemon("http:%s/a.sock" % scratch(), listen_mode="0600") as d:
        path = where(d.address())
        equal(oct(file_mode(path)), "0o600")
        check(d.address())
    shutil.rmtree(os.path.dirname(path))
    with daemon("http:" + port()[0], allowed_clients=["127.0.0.2"]) as d:
        with Conn(d.address()) as c:
            assert c.eof()
        with Conn(d.address(), source="127.0.0.2") as c:
            equal(c.ask().status, 200)


# ---- reloads -------------------------------------------------------------------


def watched(*addresses, keep=True):
    return [Load(a, clients=2, keep=keep) for a in addresses]


def whole(loads):
    for load in loads:
        load.more(20)
        done, failures = load.stop()
        equal(failures, [], "of %d" % done)


def relisten(d, pool="www", **listen):
    for name, addresses in ({pool: None, **listen}).items():
        if addresses:
            d.pools[name]["listen"] = addresses
    d.write_conf()
    d.reload()


@test
def added_and_dropped():
    """a reload adds an address for HTTP and drops it again; requests at the
    others all succeed"""
    first, second, third = ("fcgi:" + port()[0], "http:" + port()[0],
                            "http:" + port()[0])
    with daemon(first, second) as d:
        loads = watched(first, second)
        for _ in range(3):
            relisten(d, www=[first, second, third])
            check(third)
            relisten(d, www=[second, first])
            with contextlib.suppress(ConnectionRefusedError):
                Conn(third).close()
                raise AssertionError("it still listens")
        whole(loads)


@test
def moved():
    """an address for HTTP moves between two pools, and back: every request
    succeeds, and new connections get the pool that has it"""
    a, b, c = port(3)
    d = daemon("http:" + a, "http:" + b)
    d.set_pool("two", workers=TWO, listen=["fcgi:" + c])
    with d:
        loads = watched("http:" + b) + watched("http:" + b, keep=False)
        for _ in range(3):
            relisten(d, www=["http:" + a], two=["fcgi:" + c, "http:" + b])
            assert kind("http:" + b)[1] in d.workers("two")
            check("http:" + a, "fcgi:" + c)
            relisten(d, www=["http:" + a, "http:" + b], two=["fcgi:" + c])
            assert kind("http:" + b)[1] in d.workers("www")
        whole(loads)


@test
def protocol_changes():
    """an address changes its protocol: the socket stays, connections keep
    theirs, new ones get the new one"""
    for place in (port()[0], scratch() + "/a.sock"):
        for one, two in ((FCGI, HTTP), (HTTP, FCGI)):
            d = daemon("%s:%s" % (one, place), workers=ONE)
            with d, Conn("%s:%s" % (one, place)) as idle, \
                    Conn("%s:%s" % (one, place)) as half:
                equal(idle.ask(keep=True).body, b"hello")
                bytes = request(protocol=one, body=b"12345",
                                lua="return text(env.input:read('a'))")
                half.send(bytes[:-9])
                before = inode(place)
                relisten(d, www=["%s:%s" % (two, place)])
                equal(inode(place), before)
                check("%s:%s" % (two, place))
                half.send(bytes[-9:])
                equal(half.response().body, b"12345")
                equal(idle.ask(keep=True).body, b"hello")
                check("%s:%s" % (two, place))
        if place.startswith("/"):
            shutil.rmtree(os.path.dirname(place))


def inode(place):
    """Of the socket that listens there."""
    if place.startswith("/"):
        with open("/proc/net/unix") as f:
            return sorted(line.split()[6] for line in f
                          if line.rstrip().endswith(place) and
                          line.split()[3] == "00010000")
    with open("/proc/net/tcp") as f:
        end = ":%04X" % int(place.rpartition(":")[2])
        return sorted(line.split()[9] for line in f
                      if line.split()[1].endswith(end) and
                      line.split()[3] == "0A")


@test
def waits_in_the_queue():
    """a connection that waits in the queue when its address changes the
    protocol belongs to the new one"""
    place = port()[0]
    with daemon("fcgi:" + place, workers=ONE, timeouts={"stop": "20s"}) as d:
        gate = d.gate()
        held = Background(fetch, "fcgi:" + place, lua=gate.lua +
                          "return text('held')")
        gate.wait()
        # the only worker is busy
        waits = Background(fetch, "http:" + place)
        until(lambda: queued(place) > 0, "it waits")
        relisten(d, www=["http:" + place])
        equal(waits.result().body, b"hello")
        check("http:" + place)
        gate.open()
        equal(held.result().body, b"held")


def queued(place):
    """Connections in the queue of a TCP listener."""
    with open("/proc/net/tcp") as f:
        end = ":%04X" % int(place.rpartition(":")[2])
        return sum(int(line.split()[4].partition(":")[2], 16) for line in f
                   if line.split()[1].endswith(end) and
                   line.split()[3] == "0A")


@test
def protocols_swap():
    """two addresses of one pool swap their protocols, again and again; so do
    two pools"""
    a, b = port(2)
    d = daemon("fcgi:" + a, "http:" + b)
    other = port()[0]
    d.set_pool("two", workers=ONE, listen=["http:" + other])
    with d:
        loads = watched("http:" + other)
        for n in range(4):
            one, two = ("http:", "fcgi:") if n % 2 == 0 else ("fcgi:", "http:")
            relisten(d, www=[one + a, two + b])
            check(one + a, two + b)
        relisten(d, www=["fcgi:" + other], two=["http:" + a, "fcgi:" + b])
        check("fcgi:" + other, "http:" + a, "fcgi:" + b)
        for load in loads:
            load.stop()  # what they ask for is not spoken there any more


@test
def refused():
    """a reload that is refused changes nothing, whatever protocols it
    wanted"""
    a, b = port(2)
    with daemon("http:" + a, "fcgi:" + b) as d:
        d.expect("reload refused", "belongs to pool", "no URL")
        workers = d.workers()
        for listen, said in ((["fcgi:" + a, "http:" + a, "http:" + b],
                              "belongs to pool www already, as .*: an "
                              "address has one protocol"),
                             (["http:" + b, "http://" + a],
                              "no URL; write http:" + a)):
            mark = d.log_mark()
            d.pools["www"]["listen"] = listen
            write(d.file, d.configuration().replace("http:http:", "http:"))
            d.reload()
            d.wait_log(said, mark)
            equal(d.workers(), workers)
            check("http:" + a, "fcgi:" + b)


# ---- upgrades ------------------------------------------------------------------


@test
def upgraded():
    """USR2 with open connections of both protocols, idle ones, half requests
    and many that ask: none fails"""
    a, b = port(2)
    d = Upgraded()
    d.set_pool("www", workers=TWO, listen=["http:" + a, "fcgi:" + b],
               http=PATIENT)
    with d:
        loads = watched("http:" + a, "fcgi:" + b) + \
            watched("http:" + a, keep=False)
        idle = [Conn(x) for x in ("http:" + a, "fcgi:" + b)]
        half = [Conn(x) for x in ("http:" + a, "fcgi:" + b)]
        for c in idle:
            equal(c.ask(keep=True).status, 200)
        for c in half:
            c.send(request(protocol=c.protocol)[:20])
        for program in (NEXT, LUA_FPM):
            if os.path.exists(program):
                install(program, d.program)
            d.usr2()
            check("http:" + a, "fcgi:" + b)
            for c in idle:
                equal(c.ask(keep=True).body, b"hello")
        for c in half:
            c.send(request(protocol=c.protocol)[20:])
            equal(c.response().body, b"hello")
        for c in idle + half:
            c.close()
        whole(loads)


@test
def upgraded_to_another_protocol():
    """USR2 with a changed configuration: the address has the new protocol,
    what was open the old one"""
    place = port()[0]
    d = Upgraded()
    d.set_pool("www", workers=ONE, listen=["fcgi:" + place])
    with d, Conn("fcgi:" + place) as idle:
        equal(idle.ask(keep=True).status, 200)
        d.pools["www"]["listen"] = ["http:" + place]
        d.write_conf()
        d.usr2()
        check("http:" + place)
        equal(idle.ask(keep=True).body, b"hello")


# ---- what the master accepts ---------------------------------------------------


@test
def turned_away():
    """timeouts.queue over HTTP: those that the master takes out of the queue
    get their 503 by HTTP"""
    place = port()[0]
    with daemon("http:" + place, workers=ONE,
                timeouts={"queue": "300ms", "stop": "10s"},
                status_listen=["http:%s/status.sock" % scratch()]) as d:
        at = d.pools["www"]["status_listen"][0]
        gate = d.gate()
        held = Background(fetch, "http:" + place, lua=gate.lua +
                          "return text('held')")
        gate.wait()
        asked = [Background(fetch, "http:" + place) for _ in range(4)]

        def figure(name):
            return json.loads(fetch(at, uri="/status?json").body)[name]
        until(lambda: figure("max listen queue") >= 4, "all wait")
        until(lambda: figure("listen queue") == 0, "they are late")
        gate.open()
        equal(held.result().body, b"held")
        for a in asked:
            r = a.result()
            equal((r.status, r.body), (503, b"Service Unavailable\n"))
        check("http:" + place)
    shutil.rmtree(os.path.dirname(where(at)))


@test
def queue_of_a_dropped_address():
    """connections that wait at an address for HTTP when a reload drops it are
    answered by HTTP"""
    a, b = port(2)
    with daemon("fcgi:" + a, "http:" + b, workers=ONE,
                timeouts={"stop": "20s"}) as d:
        gate = d.gate()
        held = Background(fetch, "fcgi:" + a, lua=gate.lua +
                          "return text('held')")
        gate.wait()
        asked = [Background(fetch, "http:" + b) for _ in range(4)]
        until(lambda: queued(b) == 4, "they wait")
        relisten(d, www=["fcgi:" + a])
        for r in asked:
            equal(r.result().body, b"hello")
        gate.open()
        equal(held.result().body, b"held")


run(120)
