#!/usr/bin/env python3
"""The access log: what stands in it, where it goes, and what is refused."""

import contextlib
import glob
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
STUCK = ("string.find(string.rep('a', 60), string.rep('a?', 60) .. "
         "string.rep('a', 60))")


def content(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode()
    except FileNotFoundError:
        return ""


def lines(path, n):
    """Wait for n whole lines; there must not be more of them."""
    until(lambda: content(path).count("\n") >= n, "%d lines in %s" % (n, path))
    text = content(path)
    equal(text[-1:], "\n")
    equal(text.count("\n"), n, text)
    return text.splitlines()


@contextlib.contextmanager
def logged(format="json", workers=ONE, suppress=None, **pool):
    """A daemon with an access log, and the path of that."""
    d = Daemon(workers=workers, **pool)
    path = d.dir + "/access.log"
    d.pools["www"]["logs"] = {"access": path, "access_format": format}
    if suppress:
        d.pools["www"]["logs"]["access_suppress"] = suppress
    with d:
        yield d, path


def last(path, n):
    return json.loads(lines(path, n)[-1])


@test
def every_specifier():
    """each specifier tells of the request what the manual says"""
    format = "|".join((
        "%%", "%n", "%p", "%P", "%m", "%r", "%Q", "%q", "%R", "%u", "%f", "%l",
        "%s", "%S", "%X", "%{HTTP_HOST}e", "%{NONE}e", "%{Content-Type}o",
        "%{x-two}o", "%{None}o", "%I", "%b", "%L", "%d", "%{milli}d",
        "%{micro}d", "%{micro}F", "%C", "%M", "%{kilo}M",
        "%{%Y-%m-%d}t", "%{%s}T", "%O"))
    own = {"REMOTE_USER": "joe", "SCRIPT_FILENAME": "/srv/x.lua"} \
        if PROTOCOL == FCGI else {}
    with logged(format, request_id="HTTP_X_REQUEST_ID",
                listen="127.0.0.1:%d" % free_port()) as (d, path):
        worker = d.workers()[0]
        got = d.lua("env.input:read('a') local t = os.clock() "
                    "repeat until os.clock() - t > 0.05 "
                    "return { ['Content-Type'] = 'a/b', Status = 201, "
                    "['X-Two'] = { '2', '3' } }, 'hello'",
                    uri="/a%20b?c=d&e", body="12345678",
                    params={"HTTP_X_REQUEST_ID": "the-id", **own})
        line = lines(path, 1)[0].split("|")
        equal(line[:23], [
            "%", "www", str(worker), str(d.pid), "POST", "/a%20b", "?",
            "c=d&e", "127.0.0.1", own.get("REMOTE_USER", "-"),
            own.get("SCRIPT_FILENAME", "-"), "8", "201", "0", "ok",
            "localhost", "-", "a/b", "2", "-", "8", "5", "the-id"])
        seconds, milli, micro, first, cpu = map(float, line[23:28])
        assert 0.04 < seconds < 10, line
        assert abs(milli - seconds * 1000) < 1, line
        assert abs(micro - milli * 1000) < 1, line
        assert 0 < first <= micro, line
        assert 0 < cpu < 120, line
        size, kilo = map(int, line[28:30])
        assert 10000 < size < 10 ** 7 and size // 1024 == kilo, line
        matches(r"^\d{4}-\d\d-\d\d$", line[30])
        assert abs(int(line[31]) - time.time()) < 60, line
        equal(int(line[32]), len(got.out))


@test
def presets():
    """default, common and combined"""
    when = r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
    for format, regex in {
        None: r'127\.0\.0\.1 - - %s "GET /x" 200' % when,
        "common": r'127\.0\.0\.1 - - \[%s\] "GET /x\?y HTTP/1\.1" 200 5' % when,
        "combined": r'127\.0\.0\.1 - - \[%s\] "GET /x\?y HTTP/1\.1" 200 5 '
                    r'"-" "test/1"' % when,
    }.items():
        with logged(format or "default",
                    listen="127.0.0.1:%d" % free_port()) as (d, path):
            d.fetch(uri="/x?y", params={"HTTP_USER_AGENT": "test/1"})
            matches("^%s$" % regex, lines(path, 1)[0])


@test
def hostile_fields():
    """whatever a client sends in a header: one line, and valid JSON"""
    with logged() as (d, path):
        for n, text in enumerate((b'"', b"\\", b"\xff\xfe", b"\xc3\xa9",
                                  b'","status":500,"x":"', b"\xc2\x9b",
                                  bytes(range(0x21, 0x7f))), 1):
            d.fetch(params={"HTTP_REFERER": text, "HTTP_USER_AGENT": text})
            got = last(path, n)
            equal(got["status"], 200)
            for name in "referer", "agent":
                assert got[name].isprintable(), got


@test(over=FCGI, because="no head of HTTP has such bytes")
def hostile():
    """whatever a client sends: one line, and valid JSON"""
    nasty = [b"\n", b"\r\n200", b'"', b"\\", b"\x00", b"\x1b[31m", b"\xff\xfe",
             b"\xc3\xa9", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xe2\x82",
             b'","status":200,"x":"', b"\x7f", b"\xc2\x9b", bytes(range(256))]
    with logged() as (d, path):
        for n, text in enumerate(nasty, 1):
            d.fetch(params={"REQUEST_URI": b"/" + text, "HTTP_HOST": text,
                            "REMOTE_ADDR": text, "REMOTE_USER": text,
                            "REQUEST_METHOD": text, "QUERY_STRING": None,
                            "HTTP_REFERER": text, "HTTP_USER_AGENT": text})
            got = last(path, n)
            equal(got["status"], 200)
            equal(got["host"], text.decode(errors="surrogateescape") if n in
                  (1, 2, 3, 4, 5, 6, 8, 10, 12, 13) else got["host"])
            assert got["uri"].startswith("/"), got
        whole = content(path)
    with logged("%r %{HTTP_HOST}e \"%m\"") as (d, path):
        for n, text in enumerate(nasty, 1):
            d.fetch(params={"REQUEST_URI": b"/" + text, "HTTP_HOST": text,
                            "REQUEST_METHOD": text})
            line = lines(path, n)[-1]
            equal(line.count('"'), 2, line)
            assert all(c.isprintable() for c in line), line
    assert all(c.isprintable() or c == "\n" for c in whole), whole


@test
def long_uris():
    """a line is whole however long it is, also in the error log and a pipe"""
    sizes = (100000, 100001, 5, 150000) if PROTOCOL == FCGI else \
        (7000, 7001, 5, 8000)
    with logged("%r end", limits={"head": "512K"},
                workers={"mode": "static", "max": 4}) as (d, path):
        busy = [Background(d.fetch, uri="/" + c * n)
                for c in "abcd" for n in sizes]
        for b in busy:
            equal(b.result().status, 200)
        equal(sorted(len(line) for line in lines(path, 16)),
              sorted(4 * [5 + n for n in sizes]))
        for line in lines(path, 16):
            equal(line, "/" + line[1] * (len(line) - 5) + " end")


@test
def outcomes():
    """one line for each way to end, with its status and its mark"""
    expected = []
    own = {"REMOTE_USER": "joe"} if PROTOCOL == FCGI else {}
    with logged(timeouts={"request": "400ms", "stop": "10s"},
                listen="127.0.0.1:%d" % free_port(), **STREAMED) as (d, path):
        d.expect("timeouts.request", "boom", "expected", "shorter",
                 "killed by signal", "exited with code", "cut off", "body")

        def ended(status, end, answer=None):
            expected.append((status, end))
            got = last(path, len(expected))
            equal((got["status"], got["end"]), (status, end))
            return got

        d.fetch()
        ended(200, "ok")
        d.fetch(method="HEAD")
        equal(ended(200, "ok")["method"], "HEAD")
        d.lua("error('boom')")
        ended(500, "error")
        d.lua("return 5")
        ended(500, "error")
        d.lua("return { Status = 404, ['Content-Type'] = 'a/b' }, 'no'")
        ended(404, "ok")
        d.lua("return { ['Content-Length'] = 9 }, 'short'")
        ended(200, "cut")
        d.lua("local n = 0 return text(function() n = n + 1 "
              "if n > 2 then error('boom') end return 'x' end)")
        ended(200, "cut")
        equal(d.lua("while true do end").status, 408)
        assert ended(408, "timeout")["duration"] > 300000
        with d.connect() as c:
            gate = d.gate("gone")
            c.send(head(lua=gate.lua +
                        "return text(function() return 'x' end)"))
            gate.wait()
        gate.open()
        ended(200, "aborted")
        with d.connect() as c:
            gate = d.gate("upload")
            c.send(head("POST", body=b"x" * 99, lua=gate.lua +
                        "env.input:read('a') error('never said')"))
            c.send(part(b"abc"))
            gate.wait()
        gate.open()
        equal(ended(499, "aborted")["bytes_in"], 3)
        equal(d.lua(STUCK, uri="/stuck").status, 408)
        equal(ended(408, "stuck")["uri"], "/stuck")
        d.lua("os.exit(3)", uri="/exit?now", params=own)
        got = ended(502, "killed")
        equal((got["uri"], got["user"], got["method"], got["remote"]),
              ("/exit?now", own.get("REMOTE_USER", ""), "GET", "127.0.0.1"))
        gate = d.gate("killed")
        victim = Background(d.lua, gate.lua, uri="/killed")
        gate.wait()
        pid = d.workers()[0]
        kill(pid, signal.SIGKILL)
        got = ended(502, "killed")
        equal((got["uri"], got["pid"]), ("/killed", pid))
        assert got["id"] != "", got
        until(lambda: victim.is_alive() is False)
        gate = d.gate("stopped")
        victim = Background(d.lua, gate.lua, uri="/stopped")
        gate.wait()
        os.kill(d.workers()[0], signal.SIGSTOP)
        got = ended(502, "killed")
        equal(got["uri"], "/stopped")
        assert got["duration"] > 400000, got
        d.fetch()
        ended(200, "ok")
        equal([(g["status"], g["end"]) for g in
               map(json.loads, lines(path, len(expected)))], expected)


@test
def suppressed():
    """paths of which nobody wants to read, as long as all is well"""
    with logged("%m %r %s", suppress=["/ping", "/other"]) as (d, path):
        d.expect("boom")
        for uri in ("/ping", "/other", "/ping", "/pings"):
            d.fetch(uri=uri)
        equal(lines(path, 1), ["GET /pings 200"])
        d.fetch(uri="/ping?x")
        d.fetch(uri="/ping", body="x")
        d.lua("error('boom')", uri="/ping")
        equal(lines(path, 4)[1:], ["GET /ping 200", "POST /ping 200",
                                   "GET /ping 500"])


@test
def targets():
    """stdout, stderr and the error log"""
    for target in "stdout", "stderr", "error_log":
        d = Daemon(workers=ONE)
        d.pools["www"]["logs"] = {"access": target,
                                  "access_format": "<%m %r %s>"}
        with d:
            d.expect("killed by signal 9")
            worker = d.workers()[0]
            d.fetch(uri="/to-" + target)
            d.fetch(uri="/" + "x" * 6000)
            before = (r"notice \[pool www\] \[pid %d\] .*" % worker
                      if target == "error_log" else "(^|\n)")
            d.wait_log(before + r"<GET /to-%s 200>" % target)
            d.wait_log(before + r"<GET /x{6000} 200>")
            gate = d.gate("k")
            Background(d.lua, gate.lua, uri="/killed")
            gate.wait()
            kill(worker, signal.SIGKILL)
            d.wait_log(before + r"<GET /killed 502>")


@test
def chrooted():
    """a worker that can neither reach nor open the file writes to it"""
    if not ROOT:
        raise Skip("only root may chroot")
    d = Daemon(workers=ONE)
    root = d.dir + "/root"
    os.mkdir(root)
    d.write_app("return { accept = function() return {}, 'hello' end }",
                "root/app.lua")
    logs = d.dir + "/logs"
    os.mkdir(logs, 0o700)
    path = logs + "/access.log"
    d.pools["www"].update(chroot=root, app="/app.lua", logs={
        "access": path, "access_format": "%r"})
    d.start(env=NO_LEAK_SEARCH)
    with d:
        d.fetch(uri="/one")
        equal(lines(path, 1), ["/one"])
        equal(file_mode(path), 0o640)
        equal(os.stat(path).st_uid, 0)
        os.rename(path, path + ".1")
        d.kill(signal.SIGUSR1)
        until(lambda: os.path.exists(path))
        until(lambda: [d.fetch(uri="/two"), "/two" in content(path)][1])
        until(lambda: not holders(d, path + ".1"),
              "that nobody holds what was rotated away")


def holders(d, path):
    """Which of master and workers have a file open."""
    found = []
    for pid in [d.pid] + d.workers():
        for fd in glob.glob("/proc/%d/fd/*" % pid):
            with contextlib.suppress(OSError):
                if os.readlink(fd) == path:
                    found.append(fd)
    return found


@test
def reloaded():
    """a reload turns it on, moves it and turns it off, and no worker is
    replaced for that"""
    with Daemon() as d:
        workers = d.wait_workers(2)
        path = d.dir + "/access.log"

        def switch(target):
            d.pools["www"]["logs"] = {"access": target,
                                      "access_format": "default"}
            d.write_conf()
            d.reload()

        d.fetch(uri="/before")
        switch(path)
        until(lambda: [d.fetch(uri="/on"), "/on" in content(path)][1])
        assert "/before" not in content(path)
        switch(path + ".2")
        until(lambda: [d.fetch(uri="/moved"), "/moved" in
                       content(path + ".2")][1])
        switch("")
        until(lambda: [content(path + ".2"), d.fetch(), d.fetch(),
                       content(path + ".2")][::3] == 2 *
              [content(path + ".2")])
        equal(d.workers(), workers)


@test
def faults():
    """a format that is none and a target that cannot be opened are faults of
    -t, with their place, and refuse a reload"""
    with logged("%m %r") as (d, path):
        worker = d.workers()
        for logs, regex in (
                ({"access": path, "access_format": "%m %Z"},
                 r"lua-fpm\.conf:\d+: pool www: logs\.access_format: "
                 r'no specifier at byte 4: "%Z"'),
                ({"access": d.dir + "/none/access.log"},
                 r"lua-fpm\.conf:\d+: pool www: logs\.access: cannot open "
                 r".*/none/access\.log: No such file"),
                ({"access": d.dir},
                 r"logs\.access: cannot open .*: Is a directory"),
                ({"access": "access.log"},
                 r'logs\.access: "access\.log" is neither an absolute path')):
            d.pools["www"]["logs"] = logs
            d.write_conf()
            code, _, errors = tool("-t", "-c", d.file)
            equal(code, 78)
            matches(regex, errors)
            d.expect("logs", "reload refused", "nothing has changed")
            mark = d.log_mark()
            d.kill(signal.SIGHUP)
            d.wait_log(regex, mark)
            d.wait_log("refused", mark)
        d.fetch(uri="/still")
        equal(lines(path, 1), ["GET /still"])
        equal(d.workers(), worker)


@test
def gathered():
    """lines that a worker has gathered do not wait for the request in its
    hands, nor for a worker that is killed with it"""
    with logged("%m %r %X") as (d, path):
        d.expect("killed by signal 9", "the next worker starts")
        for n in (1, 6, 11):
            d.fetch(uri="/quick")
            d.fetch(uri="/quick")
            gate = d.gate()
            held = Background(d.lua, gate.lua + "return text('x')",
                              uri="/held")
            gate.wait()
            equal(lines(path, n + 1)[n - 1:], ["GET /quick ok"] * 2)
            gate.open()
            held.result()
            equal(lines(path, n + 2)[n + 1:], ["GET /held ok"])
            d.fetch(uri="/last")
            d.fetch(uri="/last")
            [worker] = d.workers()
            kill(worker, signal.SIGKILL)
            for line in lines(path, n + 4)[n + 2:]:
                matches("^GET /last (ok|killed)$", line)
            until(lambda: d.workers() not in ([], [worker]), "the next worker")


@test
def unread():
    """a pipe that nobody reads holds up nobody for long, and the error log
    says what was lost"""
    d = Daemon(workers=ONE)
    fifo = d.dir + "/fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    d.pools["www"]["logs"] = {"access": fifo, "access_format": "%r"}
    with d:
        d.expect("takes no lines", "takes lines again")
        for _ in range(40):
            equal(d.fetch(uri="/" + "x" * 3000).status, 200)
        d.wait_log(r"error .*logs\.access takes no lines, they are lost: "
                   r"nobody reads it")
        got = b""

        def arrived(end):
            nonlocal got
            with contextlib.suppress(BlockingIOError):
                while True:
                    got += os.read(reader, 65536)
            return got.endswith(end)

        # whichever line finds room first, that of the last request or this
        arrived(b"")
        d.fetch(uri="/again")
        d.wait_log(r"warning .*logs\.access takes lines again, \d+ are lost")
        until(lambda: arrived(b"/again\n"))
        lost = int(re.search(r"again, (\d+) are", d.read_log())[1])
        text = got.decode().split("\n")
        equal(text[-2:], ["/again", ""])
        equal(sum(len(line) == 3001 for line in text), 40 - lost)
    os.close(reader)


@test
def full():
    """where there is no room requests are served all the same; the error log
    says so once for all workers, and how many lines were lost"""
    d = Daemon(workers={"mode": "static", "max": 4})
    d.pools["www"]["logs"] = {"access": "/dev/full", "access_format": "%r"}
    with d:
        d.expect("takes no lines", "takes lines again")
        for _ in range(40):
            equal(d.fetch().status, 200)
        busy = [d.gate() for _ in range(4)]
        lost = [Background(d.lua, g.lua + "return text('x')") for g in busy]
        for g in busy:
            g.wait()
        for g, b in zip(busy, lost):
            g.open()
            equal(b.result().body, b"x")
        d.wait_log(r"error .*logs\.access takes no lines, they are lost: "
                   r"No space left")
        path = d.dir + "/access.log"
        d.pools["www"]["logs"]["access"] = path
        d.write_conf()
        d.reload()
        until(lambda: [d.fetch(uri="/room"), "/room" in content(path)][1])
        found = d.wait_log(r"warning .*takes lines again, (\d+) are lost")
        assert int(found[1]) >= 44, found[0]
        equal(d.read_log().count("takes no lines"), 1)
        # a file is open once more for each worker, a device is not
        d.stop(leaks=False)


run(limit=180, over=BOTH)
