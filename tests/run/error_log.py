#!/usr/bin/env python3
"""The error log: text and JSON, repeats, levels, syslog and journald."""

import array
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
REPEATED = re.compile(r"last message repeated (\d+) times?")
# Complaints outside of requests: what they would be folded by is the same.
TALK = """local app = {}
function app.accept(env)
    local n, what = (env.QUERY_STRING or ""):match("(%d+),?(.*)")
    saying = { n = tonumber(n) or 0, what = what }
    return {}, "hello"
end
function app.restart()
    for i = 1, saying.n do io.stderr:write(saying.what, "\\n") end
end
return app"""


def objects(text):
    """Each line of a log in JSON; any that is none fails."""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def count(text, what):
    return len(re.findall(what, text, re.M))


def told(text):
    """How many repeats were counted."""
    return sum(int(n) for n in REPEATED.findall(text))


@contextlib.contextmanager
def inside(target, *mounts, log_level="notice", stderr=None, **pool):
    """A daemon with that error_log in a mount namespace of its own, where
    `mounts` (shell text) were done; stderr is a file that is said to lead to
    the journal."""
    if not ROOT:
        raise Skip("needs root")
    d = Daemon(top={"error_log": target, "log_level": log_level}, **pool)
    if "chroot" in pool:
        root = d.pools["www"]["chroot"] = d.dir + "/root"
        d.pools["www"]["app"] = "/app.lua"
        os.makedirs(root)
        shutil.copy(d.dir + "/app.lua", root)
    d.write_conf()
    d.spawn(program="unshare", args=(
        "-m", "/bin/sh", "-c", "set -e; %s; %s exec \"$0\" \"$@\" %s" % (
            "; ".join(mounts) or ":",
            "JOURNAL_STREAM=$(stat -L -c %%d:%%i %s)" % stderr if stderr
            else "", "2>>" + stderr if stderr else ""),
        LUA_FPM, "-c", d.file))
    d.wait_note("READY=1")
    try:
        yield d
        d.stop(leaks=False)
    except BaseException:
        diag(d.tail())
        raise
    finally:
        d.destroy()


class Receiver:
    """A datagram socket, and what has come to it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.socket.setblocking(False)
        self.got = []

    def take(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                data, ancillary, _, _ = self.socket.recvmsg(
                    1 << 20, socket.CMSG_SPACE(4))
                for _, _, fd in ancillary:
                    data += self.file(array.array("i", fd)[0])
                self.got.append(data)
        return self.got

    @staticmethod
    def file(fd):
        """A large entry: a sealed file."""
        import fcntl
        equal(fcntl.fcntl(fd, 1034) & 0xf, 0xf, "F_GET_SEALS")
        with os.fdopen(fd, "rb") as f:
            f.seek(0)
            return f.read()

    def wait(self, fits):
        return until(lambda: [m for m in map(self.parse, self.take())
                              if fits(m)], "an entry among %r" %
                     self.got[-5:])[0]


class Journal(Receiver):
    """As journald reads its datagrams."""

    @staticmethod
    def parse(data):
        fields = {}
        while data:
            line, _, rest = data.partition(b"\n")
            name, equals, value = line.partition(b"=")
            if not equals:
                size = struct.unpack_from("<Q", rest)[0]
                value, rest = rest[8:8 + size], rest[8 + size:]
                equal(rest[:1], b"\n", "the end of a field")
                rest = rest[1:]
            assert re.fullmatch(b"[A-Z][A-Z0-9_]*", name), name
            assert name not in fields, name
            fields[name.decode()] = value
            data = rest
        return fields


class Syslog(Receiver):
    @staticmethod
    def parse(data):
        found = re.fullmatch(rb"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
                             rb"lua-fpm\[(\d+)\]: (.*)", data, re.S)
        assert found, data
        return int(found[1]), int(found[2]), found[3]


# ---- lines ------------------------------------------------------------------


@test
def json_lines():
    """log_format = "json": an object a line, whatever bytes were said, with
    the request's id, method and URI in fields of their own"""
    uri = "/x?\x01\"'\\" if PROTOCOL == FCGI else "/x?%22'"
    with Daemon(top={"log_format": "json"}, workers=ONE,
                request_id="HTTP_X_ID") as d:
        d.lua("env.errors:write('a \"quote\" \\\\ \\27[0m \\0 \\255 \\xc3\\xa4"
              " \\u{2028}\\n') print('said') error('boom')",
              uri=uri, params={"HTTP_X_ID": "id-1"})
        until(lambda: "said" in d.read_log() and "boom" in d.read_log())
        d.reload()
        lines = objects(d.read_log())
        for line in lines:
            matches(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$",
                    line["time"])
            assert line["level"] in ("notice", "error"), line
            assert isinstance(line["pid"], int)
        worker = {"pool": "www", "pid": d.workers()[0], "request_id": "id-1"}
        about = {**worker, "level": "error", "method": "GET", "uri": uri}
        said = [{k: v for k, v in line.items() if k != "time"}
                for line in lines if "request_id" in line]
        assert {**about, "message": "a \"quote\" \\ \x1b[0m \0 \\xff ä "
                "\u2028"} in said, said
        assert {**worker, "level": "notice", "message": "said"} in said, said
        matches(r"^request:1: boom\nstack traceback:\n\t", [
            s["message"] for s in said if "boom" in s["message"]][0])
        master = [x for x in lines if x["message"] == "reloading"][0]
        equal(set(master), {"time", "level", "pid", "message"})


@test
def another_form():
    """a reload to another log_format: master and workers follow, and none of
    the latter is restarted"""
    with Daemon(workers=ONE) as d:
        old = d.wait_workers(1)
        d.top["log_format"] = "json"
        d.write_conf()
        d.reload()
        d.expect("boom")
        mark = d.log_mark()
        until(lambda: [d.lua("error('boom')"), any(
            line.startswith("{") and "boom" in line
            for line in d.read_log(mark).splitlines())][1])
        equal(d.workers(), old)


@test
def levels():
    """log_level holds for master, workers and what is printed"""
    for level, seen in (("debug", (1, 1, 1, 1)), ("info", (0, 1, 1, 1)),
                        ("notice", (0, 1, 1, 1)), ("warning", (0, 0, 0, 1)),
                        ("error", (0, 0, 0, 1)), ("alert", (0, 0, 0, 0))):
        d = Daemon(top={"log_level": level}, workers=ONE).start()
        d.lua("print('said') env.errors:write('complaint')")
        d.kill(signal.SIGTERM)
        d.ended(0)
        text = d.read_log()
        d.destroy()
        equal(tuple(int(what in text) for what in (
            "is ready", "stopping", "] said\n", "complaint")), seen, level)


@test
def a_flood():
    """10,000 complaints alike are a line and counts that make up the rest;
    what differs is written"""
    d = Daemon(app=TALK, workers=ONE)
    d.program = QUICK  # in which they are repeats for one second
    began = time.monotonic()
    with d.start():
        d.fetch(uri="/?10000,no_such_thing")
        mark = d.log_mark()
        for pid in d.workers():
            os.kill(pid, signal.SIGHUP)
        until(lambda: count(d.read_log(mark), "] no_such_thing$") +
              told(d.read_log(mark)) == 10000, "all are accounted for", 30)
        text = d.read_log(mark)
        assert count(text, "no_such_thing$") <= \
            2 + time.monotonic() - began, text
        head = r"notice \[pool www\] \[pid %d\] " % d.workers()[0]
        matches(head + "no_such_thing\n", text)
        matches(head + r"last message repeated \d+ times\n", text)


@test
def another_line():
    """the count of repeats comes before the next line"""
    with Daemon(workers=ONE) as d:
        mark = d.log_mark()
        d.lua("for i = 1, 7 do print('again') end print('now this') return {}")
        d.wait_log("now this$", mark)
        lines = [line.partition("] ")[2].rpartition("] ")[2]
                 for line in d.read_log(mark).splitlines()]
        equal(lines, ["again", "last message repeated 6 times", "now this"])


@test
def not_folded():
    """each request's complaint has a line of its own"""
    with Daemon(workers=ONE) as d:
        d.expect("boom")
        mark = d.log_mark()
        for _ in range(20):
            equal(d.lua("error('boom')").status, 500)
        until(lambda: count(d.read_log(mark), "request:1: boom") == 20,
              "20 lines")
        equal(told(d.read_log(mark)), 0)


@test
def killed():
    """what a worker had counted when it was killed is told by the master"""
    with Daemon(workers=ONE) as d:
        d.expect("complaint", "repeated 49 times")
        old = d.wait_workers(1)[0]
        gate = d.gate()
        held = Background(d.connect().ask, lua="for i = 1, 50 do "
                          "env.errors:write('complaint\\n') end " + gate.lua)
        gate.wait()
        mark = d.log_mark()
        kill(old, signal.SIGKILL)
        d.wait_log(r"error \[pool www\] \[pid %d\] last message repeated 49 "
                   r"times$" % old, mark)
        d.wait_log(r"warning \[pool www\] \[pid %d\] \[request \S+\] GET /: "
                   r"the worker was killed by signal 9 \(Killed\) while it "
                   r"served this$" % old, mark)
        held.join(5)
        d.wait_workers(1)


# ---- syslog and journald ----------------------------------------------------


def chrooted():
    """A pool whose worker sees nothing but its application."""
    return {"chroot": "", "directory": "/"}


LOUD = "env.errors:write('complaint\\n') print('said') return text('hello')"


@test
def syslog():
    """error_log = "syslog": priorities, the pid of who speaks, long lines in
    one piece; a worker in a chroot reaches it, also after USR1"""
    with scratch_socket(Syslog, "log") as (log, dir):
        os.mknod(dir + "/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.chmod(dir + "/null", 0o666)
        with inside("syslog", "mount --bind %s /dev" % dir, workers=ONE,
                    **chrooted()) as d:
            worker = d.wait_workers(1)[0]
            d.lua(LOUD)
            got = log.wait(lambda m: b"GET /: complaint" in m[2])
            equal(got[:2], (3 << 3 | 3, worker), "daemon.err")
            matches(r"^\[pool www\] \[request \S+\] GET /: complaint$",
                    got[2].decode())
            equal(log.wait(lambda m: m[2].endswith(b"] said"))[:2],
                  (3 << 3 | 5, worker), "daemon.notice")
            equal(log.wait(lambda m: m[2].startswith(b"ready: "))[1], d.pid)
            d.kill(signal.SIGUSR1)
            until(lambda: [d.lua(LOUD), len([
                m for m in log.take() if m.endswith(b"complaint")]) > 2][1])


@test
def syslog_levels():
    """a filtered level does not reach syslog"""
    with scratch_socket(Syslog, "log") as (log, dir):
        os.mknod(dir + "/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.chmod(dir + "/null", 0o666)
        with inside("syslog", "mount --bind %s /dev" % dir, workers=ONE,
                    log_level="error") as d:
            d.lua(LOUD)
            log.wait(lambda m: b"complaint" in m[2])
            equal({m[0] for m in map(log.parse, log.got)}, {3 << 3 | 3})


JOURNAL = ["mkdir -p /run/systemd/journal",
           "mount -t tmpfs none /run/systemd/journal",
           "touch /run/systemd/journal/socket",
           "mount --bind %s/socket /run/systemd/journal/socket"]


def to_journal(dir):
    return ["mount -t tmpfs none /run", *JOURNAL[:-1], JOURNAL[-1] % dir]


def check_journal(log, d):
    """What a worker in a chroot and the master say there."""
    worker = d.wait_workers(1)[0]
    d.lua(LOUD, uri="/x?y", params={"HTTP_X_ID": "id-1"})
    got = log.wait(lambda m: m["MESSAGE"] == b"complaint")
    equal(got, {
        "PRIORITY": b"3", "SYSLOG_IDENTIFIER": b"lua-fpm",
        "SYSLOG_PID": b"%d" % worker, "LUA_FPM_PID": b"%d" % worker,
        "LUA_FPM_POOL": b"www", "LUA_FPM_REQUEST_ID": b"id-1",
        "LUA_FPM_METHOD": b"GET", "LUA_FPM_URI": b"/x?y",
        "MESSAGE": b"complaint"})
    got = log.wait(lambda m: m["MESSAGE"] == b"said")
    equal((got["PRIORITY"], got["LUA_FPM_POOL"], got["LUA_FPM_PID"],
           got["LUA_FPM_REQUEST_ID"]),
          (b"5", b"www", b"%d" % worker, b"id-1"))
    got = log.wait(lambda m: m["MESSAGE"].startswith(b"ready: "))
    equal(got["LUA_FPM_PID"], b"%d" % d.pid)
    assert "LUA_FPM_POOL" not in got


@test
def journal():
    """error_log = "journal": fields; a traceback keeps its newlines, an entry
    too large for a datagram arrives as a file; a worker in a chroot too"""
    with scratch_socket(Journal, "socket") as (log, dir):
        with inside("journal", *to_journal(dir), workers=ONE,
                    request_id="HTTP_X_ID", **chrooted()) as d:
            check_journal(log, d)
            d.lua("error('boom')")
            got = log.wait(lambda m: b"boom" in m["MESSAGE"])
            matches(b"^request:1: boom\nstack traceback:\n\t",
                    got["MESSAGE"])
            d.lua("env.errors:write(('x'):rep(300000), '\\n') "
                  "print(('y'):rep(300000)) return {}")
            for letter in (b"x", b"y"):
                log.wait(lambda m: m["MESSAGE"] == letter * 300000)


@test
def journal_by_stderr():
    """error_log = "stderr" is the journal if systemd says so"""
    with scratch_socket(Journal, "socket") as (log, dir):
        with inside("stderr", *to_journal(dir), stderr=dir + "/stream",
                    workers=ONE, request_id="HTTP_X_ID", **chrooted()) as d:
            check_journal(log, d)
            with open(dir + "/stream") as f:
                equal(f.read(), "", "what went to the stream")


@test
def journal_stream():
    """where its socket is not to be had, the journal's stream gets lines with
    their level before them"""
    with scratch_socket(Journal, "socket") as (log, dir):
        with inside("stderr", "mount -t tmpfs none /run",
                    stderr=dir + "/stream", workers=ONE) as d:
            d.lua(LOUD)

            def said():
                with open(dir + "/stream") as f:
                    text = f.read()
                return "said" in text and text
            text = until(said)
            head = r"\[pool www\] \[pid %d\] \[request \S+\] " % (
                d.workers()[0])
            matches(r"(?m)^<3>" + head + r"GET /: complaint$", text)
            matches(r"(?m)^<5>" + head + "said$", text)
            matches(r"(?m)^<5>\[pid %d\] ready: " % d.pid, text)
            equal(log.take(), [])


@test
def another_stderr():
    """a stderr that is not the stream of which systemd spoke is just that"""
    d = Daemon(workers=ONE)
    d.start(env={"JOURNAL_STREAM": "8:1"})
    d.wait_log(r"^20\S+ notice \[pid %d\] ready: " % d.pid)
    d.stop()


@test
def no_journal():
    """error_log = "journal" where there is none: it says so and does not
    start"""
    if not ROOT:
        raise Skip("needs root")
    d = Daemon(top={"error_log": "journal"})
    d.write_conf()
    d.spawn(program="unshare", args=(
        "-m", "/bin/sh", "-c", 'mount -t tmpfs none /run; exec "$0" "$@"',
        LUA_FPM, "-c", d.file))
    equal(d.wait_exit(), 71)
    d.wait_log("cannot open the log journal: No such file or directory")
    d.destroy()


@contextlib.contextmanager
def scratch_socket(kind, name):
    """A receiver and the directory that its socket is in."""
    if not ROOT:
        raise Skip("needs root")
    dir = tempfile.mkdtemp(prefix="lua-fpm-log-", dir="/tmp")
    os.chmod(dir, 0o755)
    log = None
    try:
        log = kind(dir + "/" + name)
        yield log, dir
    finally:
        if log is not None:
            log.socket.close()
        shutil.rmtree(dir)


run(120)
