#!/usr/bin/env python3
"""What an application and its children write to stdout and stderr: in the
error log, line by line, whole, and with nothing lost."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
SAID = r"^\S+ notice \[pool www\] \[pid %d\] (?:\[request \S+\] )?%s$"
LIMIT = 1 << 20


def said(d, what, since=0, pid=None):
    return d.wait_log(SAID % (pid or d.workers()[0], what), since)


@test
def whole_lines():
    """lines of 5, 100,000 and 1,048,576 bytes are whole, from print, io.write
    and io.stderr, in their order"""
    with Daemon(workers=ONE) as d:
        for n in (5, 100000, LIMIT):
            mark = d.log_mark()
            d.lua("local x = ('%d '):rep(%d):sub(1, %d) print(x) "
                  "io.write(x, '\\n') io.stderr:write(x, '\\n') "
                  "print('done') return {}" % (n, n, n))
            said(d, "done", mark)
            lines = [line.partition("] [request")[2].partition("] ")[2]
                     for line in d.read_log(mark).splitlines()]
            line = (("%d " % n) * n)[:n]
            equal([len(x) for x in lines], [n, len(
                "last message repeated 2 times"), 4])
            assert lines[0] == line


@test
def endless_line():
    """a line without end comes in parts that say so"""
    with Daemon(workers=ONE) as d:
        d.lua("for i = 1, 5 << 20 >> 13 do "
              "io.stderr:write(('%08d'):format(i):rep(1024)) end "
              "print() print('done') return {}")
        said(d, "done")
        text = "".join(
            line.rpartition("] [request")[2].partition("] ")[2]
            for line in d.read_log().splitlines()
            if "line goes on" in line)
        parts = text.split(" [line goes on][line goes on] ")
        assert len(parts) > 3, len(parts)
        equal("".join(parts), "".join(
            ("%08d" % i) * 1024 for i in range(1, (5 << 20 >> 13) + 1)))


@test
def binary():
    """bytes that are no text are shown, and forge neither lines nor the
    request's id"""
    with Daemon(workers=ONE) as d:
        d.lua("io.write('a\\0b\\27[0m\\255\\r\\n') "
              "io.write('\\30forged\\31text\\n') print('done') return {}")
        said(d, r"a\\x00b\\x1b\[0m\\xff\\r")
        said(d, "done")
        said(d, r"\\x1eforged\\x1ftext")


@test
def request_ids():
    """a line carries the id of the request during which it was begun; what
    children print has none"""
    with Daemon(workers=ONE, request_id="HTTP_X_ID") as d:
        def ask(id, code):
            d.lua(code + " return {}", params={"HTTP_X_ID": id})
        ask("one", "print('from print') io.stdout:write('un', 'finished')")
        ask("two", "io.stderr:write('from stderr\\n') "
            "os.execute('printf child') print('after a child') "
            "os.execute('echo another')")
        worker = d.workers()[0]
        os.kill(worker, signal.SIGHUP)
        d.wait_log("restart called")
        lines = [line.partition(" notice ")[2]
                 for line in d.read_log().splitlines() if "[pool" in line]
        head = "[pool www] [pid %d] " % worker
        equal(lines, [head + x for x in (
            "[request one] from print", "[request one] unfinished",
            "[request two] from stderr", "child",
            "[request two] after a child", "another", "restart called")])


@test
def last_words():
    """what was written is logged however the worker ends, an unfinished line
    too"""
    with Daemon(workers=ONE, lua={"binary_chunks": True}) as d:
        for end in ("os.exit(3)", "os.exit(3, true)",
                    "os.execute('kill -KILL $PPID')",
                    "os.execute('kill -SEGV $PPID')"):
            pid = d.wait_workers(1)[0]
            mark = d.log_mark()
            with contextlib.suppress(OSError, AssertionError):
                d.lua("for i = 1, 3000 do print('line ' .. i) end "
                      "io.write('almost') " + end)
            said(d, "almost", mark, pid)
            equal(len(re.findall(r"\] line \d+$", d.read_log(mark), re.M)),
                  3000, end)
            until(lambda: d.workers() and d.workers() != [pid])


@test
def children_that_stay():
    """a child with a session of its own is heard although the worker that
    started it has gone, and while others take its place"""
    with Daemon(workers=ONE) as d:
        fifo = d.dir + "/rw/fifo"
        os.mkfifo(fifo)
        os.chmod(fifo, 0o666)
        pid = d.wait_workers(1)[0]
        d.lua("os.execute('setsid sh -c \"echo early; read x <%s; echo late; "
              "printf rest\" </dev/null &') return {}" % fifo)
        said(d, "early", pid=pid)
        before = len(fds(d.pid))
        os.kill(pid, signal.SIGTERM)
        until(lambda: d.workers() and pid not in d.workers())
        d.lua("print('meanwhile') return {}")
        said(d, "meanwhile")
        equal(len(fds(d.pid)), before + 1, "one more pipe is read")
        with open(fifo, "w") as f:
            f.write("go\n")
        said(d, "late", pid=pid)
        said(d, "rest", pid=pid)
        until(lambda: len(fds(d.pid)) == before, "the pipe is closed")


@test
def faster_than_the_log():
    """100,000 lines at once from four workers: every one is there"""
    with Daemon(workers={"mode": "static", "max": 4}) as d:
        asked = [Background(d.connect().ask, lua=(
            "for i = 1, 25000 do print('w%d', i) end return {}" % w))
            for w in range(4)]
        for a in asked:
            equal(a.result().status, 200)

        def lines():
            found = re.findall(r"w(\d)\\t(\d+)$", d.read_log(), re.M)
            return len(found) >= 100000 and found
        found = until(lines, "all lines")
        for w in range(4):
            equal([int(i) for v, i in found if int(v) == w],
                  list(range(1, 25001)), "order")


MODULE = """
#include <fcntl.h>
#include <unistd.h>
static int do_close(lua_State *L) {
    close((int)luaL_checkinteger(L, 1)); return 0;
}
static int from(lua_State *L) {
    for (int fd = (int)luaL_checkinteger(L, 1); fd < 1024; fd++) close(fd);
    return 0;
}
static int nonblock(lua_State *L) {
    lua_pushinteger(L, fcntl(1, F_SETFL, fcntl(1, F_GETFL) | O_NONBLOCK));
    return 1;
}
int luaopen_descriptors(lua_State *L) {
    lua_register(L, "close_fd", do_close);
    lua_register(L, "close_from", from);
    lua_register(L, "nonblock", nonblock);
    return 0;
}
"""


def with_module(**pool):
    d = Daemon(workers=ONE, **pool)
    path = c_module(d.dir, MODULE)
    d.write_app("package.loadlib('%s', 'luaopen_descriptors')()\n" % path +
                app_source("eval.lua"))
    return d


@test
def a_pipe_that_does_not_block():
    """the application makes its stdout non-blocking: 40,000 lines at once, and
    every one is there"""
    with with_module() as d:
        d.lua("nonblock() for i = 1, 40000 do print('n', i) end "
              "print('done') return {}")
        said(d, "done")
        equal([int(i) for i in re.findall(r"] n\\t(\d+)$", d.read_log(), re.M)],
              list(range(1, 40001)), "lines")


@test
def closed_descriptors():
    """an application that closes 0 to 2 and opens files there, as programs do
    that become daemons: what it prints, its errors, its access and slow log are
    in the log, and its files have what it wrote to them"""
    with with_module(logs={"access": "error_log", "access_format": "access %r"},
                     request_id="HTTP_X_ID") as d:
        d.expect("complaint", "boom")
        mark, files = d.log_mark(), d.dir + "/rw/"
        def ask(code):
            return d.lua(code, params={"HTTP_X_ID": "id"}, uri="/u").status
        equal(ask("for fd = 0, 2 do close_fd(fd) end open = {} for i = 1, 3 do "
                  "open[i] = io.open('%s' .. i, 'w') end print('printed') "
                  "io.stderr:write('to stderr\\n') io.write('written\\n') "
                  "env.errors:write('complaint\\n') return {}" % files), 200)
        equal(ask("error('boom')"), 500)
        equal(ask("for i = 1, 3 do open[i]:write('file ', i) open[i]:close() end "
                  "print('after') return {}"), 200)
        head = r"(?m)^\S+ %s \[pool www\] \[pid %d\] (\[request id\] )?%s"
        for level, text in (
                ("notice", "printed$"), ("notice", "to stderr$"),
                ("notice", "written$"), ("error", "GET /u: complaint$"),
                ("error", "GET /u: request:1: boom"), ("notice", "after$"),
                ("notice", "access /u$")):
            d.wait_log(head % (level, d.workers()[0], text), mark)
        for i in range(1, 4):
            with open(files + str(i)) as f:
                equal(f.read(), "file %d" % i)


@test
def closed_from_three():
    """an application that closes every descriptor from 3 on (closefrom): the
    worker says that it leaves, and why"""
    with with_module() as d:
        d.expect("has lost its")
        pid = d.wait_workers(1)[0]
        with contextlib.suppress(OSError, AssertionError):
            d.lua("close_from(3) print('last words') return {}")
        said(d, "last words", pid=pid)
        d.wait_log(r"error \[pool www\] \[pid %d\] .*has lost its" % pid)
        until(lambda: d.workers() and d.workers() != [pid], "a new worker")


@test
def without_a_master():
    """alone, a worker writes to stderr as it is, without marks"""
    d = Daemon()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(d.dir + "/alone.sock")
        s.listen(8)
        d.spawn(args=(d.dir + "/app.lua",), stdin=s)
        equal(fetch("fcgi:%s/alone.sock" % d.dir, lua="print('one', 1) "
                    "io.write('two\\n') return text('hello')").body, b"hello")
        d.wait_log(r"^one\t1\ntwo$")
    d.kill(signal.SIGTERM)
    equal(d.wait_exit(), 0)
    d.destroy()


@test
def closed_without_a_master():
    """alone, it writes to what stderr was when it began, though the application
    has closed 0 to 2 and opened files there"""
    d = with_module()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(d.dir + "/alone.sock")
        s.listen(8)
        d.spawn(args=(d.dir + "/app.lua",), stdin=s)

        def ask(code):
            return fetch("fcgi:%s/alone.sock" % d.dir, lua=code).status
        equal(ask("for fd = 0, 2 do close_fd(fd) end open = {} for i = 1, 3 do "
                  "open[i] = io.open('%s/rw/' .. i, 'w') end print('printed') "
                  "io.stderr:write('to stderr\\n') return {}" % d.dir), 200)
        equal(ask("error('boom')"), 500)
        equal(ask("for i = 1, 3 do open[i]:write('file') open[i]:close() end "
                  "return {}"), 200)
        d.wait_log("(?m)^printed\nto stderr\n")
        d.wait_log("GET /: request:1: boom")
        for i in range(1, 4):
            with open("%s/rw/%d" % (d.dir, i)) as f:
                equal(f.read(), "file")
    d.kill(signal.SIGTERM)
    equal(d.wait_exit(), 0)
    d.destroy()


run(120)
