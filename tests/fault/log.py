#!/usr/bin/env python3
"""A log that takes no lines: a pipe that nobody reads or that is closed, a
full disk.  Nobody waits for it, and what is lost is said."""

import fcntl

from faults import *

TWO = {"mode": "static", "max": 2}
LOST = r"the log took no lines for a while, (\d+) from this process are lost"
TALK = """return { restart = function() end, accept = function(env)
    if env.REQUEST_URI == "/talk" then
        for i = 1, 1000 do print(("x"):rep(100) .. i) end
    end
    return {}, "hello"
end }"""


class Piped(Daemon):
    """Its stderr is a pipe that the test reads, or not."""

    def __init__(self, **how):
        super().__init__(**how)
        self.end, self.given = os.pipe()
        fcntl.fcntl(self.end, fcntl.F_SETPIPE_SZ, 4096)

    def start(self):
        self.write_conf()
        self.spawn(program="/bin/sh", pass_fds=(self.given,), args=(
            "-c", 'exec "$0" "$@" 2>&%d' % self.given, LUA_FPM, "-c",
            self.file))
        os.close(self.given)
        self.wait_note("READY=1")
        return self

    def read_all(self):
        os.set_blocking(self.end, False)
        text = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                piece = os.read(self.end, 65536)
                if not piece:
                    break
                text += piece
        return text.decode(errors="replace")


def goes_on(d):
    """The master does its work: a reload, and a worker that dies."""
    d.reload()
    victim = d.wait_ready(2)[0]
    kill(victim, signal.SIGKILL)
    until(lambda: len(d.workers()) == 2 and victim not in d.workers(),
          "a new worker")
    serves(d)


def lost_in(text):
    found = re.search(LOST, text)
    return found and int(found[1])


@test
def unread():
    """stderr is a pipe that nobody reads: everything goes on; when it is
    read again, the log says how many lines are lost, once"""
    d = Piped(app=TALK, workers=TWO).start()
    for _ in range(3):
        equal(d.fetch(uri="/talk").body, b"hello")
    # The first that finds no room waits half a second: once, not for each.
    with Quiet(d):
        serves(d, 20)
        lasts(0.6)
    goes_on(d)
    text = d.read_all()
    assert len(text) <= 4096 and lost_in(text) is None, text[-1000:]
    d.reload()
    n = until(lambda: lost_in(d.read_all()), "the loss is told")
    assert n > 1000, n
    goes_on(d)
    equal(lost_in(d.read_all()), None, "it is told once")
    d.stop()
    os.close(d.end)


@test
def closed():
    """stderr is a pipe whose reader has gone: everything goes on"""
    d = Piped(app=TALK, workers=TWO).start()
    os.close(d.end)
    with Quiet(d):
        for _ in range(3):
            equal(d.fetch(uri="/talk").body, b"hello")
        goes_on(d)
        lasts(0.5)
    d.stop()


@test
def closed_before():
    """started without descriptors 0, 1 and 2, it serves, and none of its
    sockets becomes one of them"""
    d = Daemon(app=TALK, workers=TWO)
    d.write_conf()
    d.spawn(program="/bin/sh", args=(
        "-c", 'exec "$0" "$@" <&- >&- 2>&-', LUA_FPM, "-c", d.file))
    d.wait_note("READY=1")
    for pid in (d.pid, *d.workers()):
        equal([link for fd, link in fds(pid) if fd == 0], ["/dev/null"])
    equal([link for fd, link in fds(d.pid) if fd < 3], ["/dev/null"] * 3)
    equal(d.fetch(uri="/talk").body, b"hello")
    goes_on(d)
    d.stop()


class FullDisk:
    """A few kilobytes of tmpfs, seen by the daemon alone, and full or not at
    will."""

    def __init__(self, d):
        self.d, self.at = d, d.dir + "/small"
        os.mkdir(self.at)
        os.chmod(self.at, 0o777)

    def start(self):
        self.d.write_conf()
        self.d.spawn(program="unshare", args=(
            "-m", "/bin/sh", "-c", "mount -t tmpfs -o size=32k,mode=777 none "
            + self.at + ' && exec "$0" "$@"', LUA_FPM, "-c", self.d.file))
        self.d.wait_note("READY=1")
        self.inside = "/proc/%d/root%s" % (self.d.pid, self.at)

    def fill(self):
        with open(self.inside + "/ballast", "wb", buffering=0) as f:
            with contextlib.suppress(OSError):
                while True:
                    f.write(b"x" * 512)

    def free(self):
        os.unlink(self.inside + "/ballast")

    def read(self, name):
        with open(self.inside + "/" + name, errors="replace") as f:
            return f.read()


@test
def full_disk():
    """the disk below error_log is full: everything goes on; when there is
    room, the log says what is lost, and its lines are whole"""
    if not ROOT:
        raise Skip("needs root")
    d = Daemon(app=TALK, workers=TWO)
    disk = FullDisk(d)
    d.top["error_log"] = disk.at + "/error.log"
    disk.start()
    disk.fill()
    with Quiet(d, extra=0.5):
        for _ in range(3):
            equal(d.fetch(uri="/talk").body, b"hello")
        goes_on(d)
        serves(d, 20)
    disk.free()
    d.reload()
    text = disk.read("error.log")
    found = re.search(LOST + ": No space left on device", text)
    assert found and int(found[1]) > 1000, text[-3000:]
    for line in filter(str.strip, text.splitlines()):
        matches(r"^\d{4}-\d\d-\d\dT\S+ [a-z]+ (\[pool www\] )?\[pid \d+\] "
                r"(\[request \S+\] )?(x{100}\d+|[^x[].*)$", line)
    d.stop()


@test
def full_disk_access():
    """the disk below an access log is full: requests are served, the error
    log says so once, not for each; lines come again when there is room, and
    every one is there or counted as lost"""
    if not ROOT:
        raise Skip("needs root")
    d = Daemon(app=HELLO, workers={"mode": "static", "max": 1})
    d.expect("logs.access takes no lines, they are lost: No space left",
             "logs.access takes lines again")
    disk = FullDisk(d)
    d.set_pool("www", workers={"mode": "static", "max": 1},
               logs={"access": disk.at + "/access.log"})
    disk.start()
    serves(d, 3)
    until(lambda: disk.read("access.log").count("\n") == 3)
    disk.fill()
    mark = d.log_mark()
    with Quiet(d, extra=0.5):
        serves(d, 500)
    said = d.read_log(mark)
    assert len(said.splitlines()) <= 2, said
    matches("No space left on device", said)
    disk.free()
    before = disk.read("access.log").count("\n")
    serves(d, 3)
    until(lambda: disk.read("access.log").count("\n") >= before + 3)
    for line in filter(str.strip, disk.read("access.log").splitlines()):
        matches(r'"GET /" 200$', line)
    lost = d.wait_log(r"logs.access takes lines again, (\d+) are lost", mark)

    def told():
        return len(re.findall(r"\S.*\n", disk.read("access.log"))) + \
            int(lost[1])
    until(lambda: told() >= 506, "every line is there or counted")
    equal(told(), 506)
    d.stop()


run(120)
