#!/usr/bin/env python3
"""Listening sockets: owner, group, mode, addresses, backlog, stale files,
inherited descriptors."""

import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}


def refuses(said, code=71, **pool):
    """The daemon does not start and says why."""
    d = Daemon(workers=ONE, **pool)
    d.write_conf()
    d.spawn()
    got = d.wait_exit()
    log = d.read_log()
    d.destroy()
    equal(got, code, log)
    matches(said, log)


@test
def owner_group_mode():
    """owner, group and mode of a unix socket"""
    if not ROOT:
        raise Skip("not root")
    for owner, group, mode in (
            (pool_user(), pool_group(), "0600"), ("nobody", None, "0666"),
            (None, "daemon", "0660"), ("1234", "4321", "0640")):
        with Daemon(workers=ONE, listen_owner=owner, listen_group=group,
                    listen_mode=mode) as d:
            s = os.stat(d.address())
            wanted_uid = (int(owner) if (owner or "").isdigit() else
                          pwd.getpwnam(owner or "root").pw_uid)
            equal(s.st_uid, wanted_uid)
            if group:
                equal(s.st_gid, int(group) if group.isdigit() else
                      grp.getgrnam(group).gr_gid)
            equal(oct(stat.S_IMODE(s.st_mode)), oct(int(mode, 8)))


@test
def default_mode():
    """without listen_mode a socket is 0660, whatever the umask"""
    old = os.umask(0o777)
    os.umask(0o077)
    try:
        with Daemon(workers=ONE, listen_mode=None) as d:
            equal(oct(file_mode(d.address())), "0o660")
            equal(d.fetch().status, 200)
    finally:
        os.umask(old)


@test
def several():
    """several addresses of one pool, IPv4, IPv6 and unix at once"""
    dir = scratch()
    addresses = [dir + "/a.sock", dir + "/b.sock",
                 "127.0.0.1:%d" % free_port()]
    if has_ipv6():
        addresses.append("[::1]:%d" % free_port(socket.AF_INET6))
    with Daemon(dir=dir, workers=ONE, listen=addresses) as d:
        for a in addresses:
            equal(fetch(a).body, b"hello", a)


@test
def ipv6():
    """IPv6 is IPv6 only"""
    if not has_ipv6():
        raise Skip("no IPv6 here")
    port = free_port(socket.AF_INET6)
    with Daemon(workers=ONE, listen="[::1]:%d" % port) as d:
        equal(d.fetch().body, b"hello")
        try:
            Conn("127.0.0.1:%d" % port).close()
            raise AssertionError("IPv4 too")
        except ConnectionRefusedError:
            pass


@test
def loopback_only():
    """an address binds that address and no other"""
    port = free_port()
    with Daemon(workers=ONE, listen="127.0.0.1:%d" % port):
        with open("/proc/net/tcp") as f:
            bound = [line.split()[1] for line in f if
                     line.split()[1].endswith(":%04X" % port) and
                     line.split()[3] == "0A"]
        equal(bound, ["0100007F:%04X" % port])


@test
def backlog():
    """backlog, 4096 by default, on unix sockets and TCP"""
    if shutil.which("ss") is None:
        raise Skip("ss not found")
    for given, expected in ((None, 4096), (37, 37)):
        port = free_port()
        dir = scratch()
        with Daemon(dir=dir, workers=ONE, backlog=given,
                    listen=[dir + "/www.sock", "127.0.0.1:%d" % port]):
            with open("/proc/sys/net/core/somaxconn") as f:
                expected = min(expected, int(f.read()))
            # a unix socket is bound beside its path, and renamed
            for what, args in ((dir + "/", "-lxH"),
                               ("127.0.0.1:%d" % port, "-ltnH")):
                out = tool(args, program="ss")[1]
                line = [x for x in out.splitlines() if what in x and
                        "LISTEN" in x]
                equal(len(line), 1, out)
                equal(int(re.search(r"LISTEN\s+\d+\s+(\d+)", line[0])[1]),
                      expected, what)


@test
def stale_file():
    """a stale socket file is replaced"""
    dir = scratch()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(dir + "/www.sock")
    with Daemon(dir=dir, workers=ONE) as d:
        equal(d.fetch().status, 200)


@test
def live_socket():
    """a socket on which somebody listens is refused and left alone"""
    with Daemon(workers=ONE) as first:
        refuses("www.sock", listen=first.address())
        equal(first.fetch().status, 200, "the first one serves on")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        refuses("127.0.0.1:%d.*[Aa]ddress already in use" % port,
                listen="127.0.0.1:%d" % port)


@test
def other_files():
    """a regular file, a directory, a link at that path are refused and left
    alone"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    write(dir + "/file", "precious")
    os.mkdir(dir + "/directory")
    os.symlink(dir + "/file", dir + "/link")
    for name in ("file", "directory", "link"):
        refuses(name, listen="%s/%s" % (dir, name))
        assert os.path.lexists("%s/%s" % (dir, name))
    with open(dir + "/file") as f:
        equal(f.read(), "precious")
    assert os.path.islink(dir + "/link")


@test
def bad_addresses():
    """addresses that are none"""
    for address, said in (
            ("127.0.0.1:0", "port"), ("127.0.0.1:70000", "port"),
            ("127.0.0.1", r"127\.0\.0\.1"), ("localhost:9000", "localhost"),
            ("127.0.0.1:http", "port.*http"), ("[::1]", "address"),
            ("fd:99", "fd:99"), ("fd:x", "fd:x"), ("/" + "x" * 200, "long"),
            ("/no/such/directory/at/all.sock", "No such file")):
        d = Daemon(workers=ONE, listen=address)
        d.write_conf()
        d.spawn()
        code = d.wait_exit()
        log = d.read_log()
        # a descriptor is passed at the start only, a directory may be made
        passed, missing = said == "fd:99", said == "No such file"
        tested = tool("-t", "-c", d.file)
        equal((code, tested[0]), (71 if passed or missing else 78,
                                  0 if passed else 78), address)
        if not passed:
            matches(r"lua-fpm\.conf:\d+: .*" + said, tested[2])
        d.destroy()
        matches("www.*" + said, log)


@test
def same_address_twice():
    """the same address in two pools, or twice in one"""
    port = free_port()
    for one, two in (("127.0.0.1:%d" % port,) * 2,
                     ("/tmp/lua-fpm-twice.sock", "/tmp/lua-fpm-twice.sock")):
        d = Daemon(pools={"a": {"listen": one}, "b": {"listen": two}})
        d.write_conf()
        code, out, err = tool("-c", d.file)
        assert code in (71, 78), (code, err)
        matches(re.escape(one), err)
        d.destroy()
    assert not os.path.lexists("/tmp/lua-fpm-twice.sock")


def inherited(s, app=None, **how):
    """A daemon that listens on descriptor s, handed down to it."""
    d = Daemon(workers=ONE, listen="fd:%d" % s.fileno(), app=app)
    return d.start(pass_fds=(s.fileno(),), **how)


@test
def inherited_descriptor():
    """fd:N takes an inherited socket over, and leaves it open at the end"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    for family, where in ((socket.AF_UNIX, dir + "/inherited.sock"),
                          (socket.AF_INET, ("127.0.0.1", 0))):
        with socket.socket(family) as s:
            s.bind(where)
            s.listen(5)
            address = (where if family == socket.AF_UNIX else
                       "127.0.0.1:%d" % s.getsockname()[1])
            for _ in range(2):
                d = inherited(s)
                equal(fetch(address).body, b"hello")
                d.reload()
                equal(fetch(address).body, b"hello")
                d.stop()
            if family == socket.AF_UNIX:
                assert os.path.exists(where), "not ours to remove"
            Conn(address).close()


@test
def inherited_is_none():
    """fd:N that is closed, a file, or a socket that does not listen"""
    refuses("fd:77", listen="fd:77")
    with open("/dev/null") as null, socket.socket() as s:
        for f in (null, s):
            n = f.fileno()
            d = Daemon(workers=ONE, listen="fd:%d" % n)
            d.write_conf()
            d.spawn(pass_fds=(n,))
            equal(d.wait_exit(), 71)
            matches("fd:%d" % n, d.read_log())
            d.destroy()


@test
def removed_at_the_end_only_if_ours():
    """a socket file that somebody else put there meanwhile stays"""
    d = Daemon(workers=ONE).start()
    path = d.address()
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        d.sockets = set()
        d.kill(signal.SIGTERM)
        equal(d.wait_exit(), 0)
        assert os.path.exists(path), "it is not ours"
        d.check_log()
        d.destroy()


@test
def many_clients():
    """more clients than backlog, who wait for room: all are served"""
    with Daemon(workers={"mode": "static", "max": 2}, backlog=100) as d:
        conns = [d.connect() for _ in range(500)]
        for c in conns:
            c.send(request())
        for c in conns:
            equal(c.response().body, b"hello")
            c.close()


@test
def crowd():
    """1,000 clients at once find room on a unix socket by default, though
    they do not wait for it (nginx does not) and the worker is busy"""
    with open("/proc/sys/net/core/somaxconn") as f:
        if int(f.read()) < 1000:
            raise Skip("somaxconn is below 1000")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        raise Skip("at most %d descriptors" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    with Daemon(workers=ONE) as d, contextlib.ExitStack() as clients:
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('done')")
        gate.wait()
        socks = []
        for _ in range(1000):
            s = clients.enter_context(socket.socket(socket.AF_UNIX))
            s.setblocking(False)
            s.connect(d.address())
            socks.append(s)
        gate.open()
        equal(busy.result().body, b"done")
        for s in socks:
            s.settimeout(PATIENCE)
            s.sendall(request())
            assert b"hello" in s.recv(65536)
            s.close()


@test
def nodelay():
    """over TCP many small answers on a kept connection come without delay"""
    with Daemon(workers=ONE, listen="127.0.0.1:%d" % free_port()) as d:
        with d.connect() as c:
            began = time.monotonic()
            for _ in range(100):
                equal(c.ask(keep=True).body, b"hello")
            took = time.monotonic() - began
        assert took < (15 if SANITIZED else 3.5), "%.2f s: Nagle" % took


run(120)
