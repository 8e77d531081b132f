#!/usr/bin/env python3
"""interface = "cgi": programs below a directory are run for requests, within
limits, and nothing of one is left when its request is over."""

import os
import re
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import *  # noqa: E402,F403

ROOT_DIR = "site"
HEAD = "printf 'Content-Type: text/plain\\n\\n'\n"


class Site(Daemon):
    """A pool of CGI programs."""

    def __init__(self, **pool):
        dir = scratch()
        self.root = dir + "/" + ROOT_DIR
        os.mkdir(self.root)
        pool = {"app": None, "interface": "cgi", "root": self.root, **pool}
        super().__init__(dir=dir, pools={"www": pool})

    def script(self, name, text, mode=0o755, raw=False):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write(path, text if raw or text.startswith("#!") else
              "#!/bin/sh\n" + text)
        os.chmod(path, mode)
        return path

    def params(self, name, **more):
        if PROTOCOL == HTTP:  # where the file is the listener says
            return {"REQUEST_URI": "/" + name, "SCRIPT_NAME": "/" + name,
                    **more}
        return {"SCRIPT_FILENAME": self.root + "/" + name,
                "SCRIPT_NAME": "/" + name, **more}

    def get(self, name, params=None, **how):
        return self.fetch(params=self.params(name, **(params or {})), **how)

    def run(self, text, name="x.cgi", **how):
        self.script(name, text)
        return self.get(name, **how)

    def rw(self, path):
        return self.dir + "/rw/" + path


def pid_in(path):
    """The number in a file, once it is there."""
    def look():
        with contextlib.suppress(OSError, ValueError):
            with open(path) as f:
                text = f.read()
            return int(text) if text.endswith("\n") else None
    return until(look, "a number in " + path)


def gone(*pids):
    until(lambda: not any(map(alive, pids)), "%s are gone" % (pids,))


site = Site(workers={"mode": "static", "max": 1}, errors_to_server=True,
            environment={"OF_THE_POOL": "yes", "HTTP_POOL": "no"})


@test
def starts():
    """The daemon starts"""
    site.start()


@test(over=FCGI, because="any name can be a parameter")
def environment():
    """The environment is the parameters, PATH and the pool's own variables"""
    site.script("env.cgi", HEAD + "cat /proc/$$/environ")
    r = site.get("env.cgi", {"HTTP_PROXY": "http://evil/", "EMPTY": "",
                             "A=B": "no"})
    got = dict(v.split("=", 1) for v in r.body.decode().split("\0") if v)
    want = dict(default_params(uri="/"), CONTENT_LENGTH="", EMPTY="",
                OF_THE_POOL="yes", **site.params("env.cgi"))
    want["PATH"] = got["PATH"]
    equal(got, want, "environment")


@test(over=FCGI, because="any name can be a parameter")
def repeats():
    """Repeated headers are joined, cookies by "; "; the parameter wins over
    the pool's variable"""
    items = [*site.params("env.cgi").items(), ("HTTP_COOKIE", "a=1"),
             ("HTTP_X", "1"), ("HTTP_COOKIE", "b=2"), ("HTTP_X", "2"),
             ("OF_THE_POOL", "no")]
    r = site.fetch(params=items)
    got = dict(v.split("=", 1) for v in r.body.decode().split("\0") if v)
    equal((got["HTTP_COOKIE"], got["HTTP_X"], got["OF_THE_POOL"]),
          ("a=1; b=2", "1, 2", "no"))


@test
def ten_times():
    """Ten requests over each of two kept connections, unix and TCP, with and
    without a slash in front of SCRIPT_NAME"""
    port = "127.0.0.1:%d" % free_port()
    d = Site()
    d.set_pool("www", app=None, interface="cgi", root=d.root,
               listen=[d.address(), port])
    with d:
        d.script("hello.sh", "echo 'Content-type: text/html'; echo; set")
        for address in d.dir + "/www.sock", port:
            for name in "/hello.sh", "hello.sh":
                with Conn(address) as c:
                    for _ in range(10):
                        c.send(request(keep=True, params={
                            "DOCUMENT_ROOT": d.root, "SCRIPT_NAME": name}))
                        r = c.response()
                        equal((r.status, r.errors, r.app_status),
                              (200, b"", 0))
                        assert b"SERVER_PROTOCOL='HTTP/1.1'" in r.body, r


@test
def rest_of_the_path():
    """What follows the file's name is PATH_INFO"""
    name = {"SCRIPT_NAME": "/env.cgi/x//y", "SCRIPT_FILENAME":
            site.root + "/env.cgi/x//y"}
    for params in (name, {**name, "SCRIPT_FILENAME": None,
                          "DOCUMENT_ROOT": site.root}):
        r = site.fetch(params=params)
        got = dict(v.split("=", 1) for v in r.body.decode().split("\0") if v)
        equal((got["SCRIPT_NAME"], got["PATH_INFO"]), ("/env.cgi", "/x//y"))


@test
def process():
    """A program has its own directory, process group and name, no descriptor
    of the worker, no signal blocked or ignored"""
    site.script("sub/p.cgi", HEAD + 'echo "$0"; pwd; echo $$\n'
                 "cut -d' ' -f5 /proc/$$/stat\n"
                 "grep -E 'Sig(Blk|Ign)' /proc/$$/status | cut -f2\n"
                 "readlink /proc/$$/fd/*")
    lines = site.get("sub/p.cgi").body.decode().splitlines()
    equal(lines[:2], [site.root + "/sub/p.cgi", site.root + "/sub"])
    equal(lines[2], lines[3], "process group")
    for mask in lines[4:6]:  # from 32 on they are those of the C library
        equal(int(mask, 16) & 0x7fffffff, 0, "signals")
    kinds = {re.sub(r":\[\d+\]$", "", link) for link in lines[6:]}
    equal(kinds - {"/dev/null", "pipe", site.root + "/sub/p.cgi"}, set(),
          "descriptors")


@test
def heads():
    """Status and Location are understood; the exit code is the application
    status"""
    for text, status, code in (
            ("Status: 404 Not here\\nX-A: b\\n\\nbody", 404, 0),
            ("Status: 201\\r\\n\\r\\n", 201, 7),
            ("Location: http://x/\\n\\n", 302, 0),
            ("Location: /there\\nStatus: 303\\n\\n", 303, 1)):
        r = site.run("printf '%s'; exit %d" % (text, code))
        equal((r.status, r.complete, r.app_status), (status, True, code), text)
    equal(r.header("Location"), ["/there"])


@test
def bad_heads():
    """What is no valid response is a 500, and the log says why"""
    for text, why in (
            ("", "without a response"),
            ("X: y\\n", "before the empty line"),
            ("\\nbody", "begins with an empty line"),
            ("no header\\n\\n", "malformed header line: no header"),
            (": x\\n\\n", "malformed header line"),
            ("HTTP/1.1 200 OK\\nA: b\\n\\n", "malformed header line"),
            ("Status: 2000\\n\\n", "Status is"),
            ("Status: ok\\n\\n", "Status is"),
            ("Status: 200\\nStatus: 200\\n\\n", "given twice"),
            ("A: b\\n folded\\n\\n", "malformed header line"),
            ("A b: c\\n\\n", "name has a blank"),
            ("A: b\\rc\\n\\n", "value has a carriage return"),
            ("A: b\\0c\\n\\n", "value has a NUL"),
            ("Content-Length: -1\\n\\n", "is no length"),
            ("Content-Type: a\\nContent-Type: b\\n\\n", "given twice")):
        site.expect(why)
        mark = site.log_mark()
        r = site.run("printf '%s'" % text)
        equal((r.status, r.app_status), (500, 500), text)
        site.wait_log(r"error .*GET /: .*" + re.escape(why), mark)
    site.expect("limits.response_head")
    equal(site.run("yes A: b").status, 500, "a head without end")


@test
def lengths():
    """No more bytes than Content-Length; fewer are a cut; none for HEAD"""
    site.expect("longer than its Content-Length", "shorter than its")
    r = site.run("printf 'Content-Length: 3\\n\\nabcdef'")
    equal((r.body, r.complete), (b"abc", True))
    r = site.run("printf 'Content-Length: 9\\n\\nabcdef'")
    equal((r.body, r.complete), (b"abcdef", False))
    for text, method in (("Content-Type: a/b", "HEAD"), ("Status: 204", "GET")):
        r = site.run("printf '%s\\n\\nbody'" % text, method=method)
        equal((r.body, r.complete), (b"", True), text)


@test
def complaints():
    """Its stderr is logged with the request, and sent to the server"""
    mark = site.log_mark()
    site.expect("first.x1b", "second")
    site.script("x.cgi", HEAD + "printf 'first\\033\\nsecond' >&2")
    r = site.get("x.cgi", {"UNIQUE": "1"})
    line = site.wait_log(r"error \[pool www\] .*\[request (\S+)\] GET /[^ ]*: first",
                         mark)
    site.wait_log(r"\[request %s\] GET /[^ ]*: second$" % re.escape(line[1]), mark)
    equal(r.errors, b"first\x1b\nsecond\n")


@test
def body():
    """The body is streamed to the program, and the response from it, but not
    before the body has come"""
    file = site.rw("body")
    site.script("first.cgi", HEAD + "echo early; read x; echo $x >%s; cat >/dev"
                "/null; echo late" % file)
    with site.connect() as c:
        c.send(head("POST", params=site.params("first.cgi"), body="7\n8\n"))
        c.send(part(b"7\n"))
        equal(pid_in(file), 7)
        equal(select.select([c.sock], [], [], 0)[0], [], "an early response")
        c.send(part(b"8\n", end=True))
        equal(c.response().body, b"early\nlate\n")
    site.script("tick.cgi", HEAD + "echo 1; read x <%s; echo 2" % file)
    os.unlink(file)
    os.mkfifo(file)
    os.chmod(file, 0o666)
    with site.connect() as c:
        c.send(request(params=site.params("tick.cgi")))
        got = c.piece()
        while not got.endswith(b"\n\r\n1\n"):
            got += c.piece()
        with open(file, "w") as f:
            f.write("go\n")
        equal(c.response().out, b"2\n")


@test
def echo():
    """A client that sends a long body before it reads anything gets the whole
    response"""
    site.script("echo.cgi", HEAD + "exec cat")
    data = os.urandom(3 << 20)
    for chunk in (65535, 1000):
        with site.connect() as c:
            c.send(head("POST", params=site.params("echo.cgi"), body=data) +
                   (stream(STDIN, data, chunk=chunk) if PROTOCOL == FCGI else
                    data))
            r = c.response()
        assert r.body == data and r.complete, "not what was sent"
    # the program reads all of it, but its output ends before
    r = site.run("cat >%s.all; " % site.rw("x") + HEAD + "wc -c <%s.all" %
                 site.rw("x"), body=data)
    equal(r.body, b"%d\n" % len(data))


@test
def unread_body():
    """A program need not read its input, and the connection goes on"""
    data = b"x" * (1 << 20)
    quick = HEAD + "echo quick"
    slow = quick + "; sed -n q </dev/null"
    for text in (quick, slow, "exec <&-; " + quick):
        equal(site.run(text, body=data).body, b"quick\n")
    with site.connect() as c:
        site.script("x.cgi", quick)
        for n in range(3):
            c.send(request(body="y" * 1000, keep=True,
                           params=site.params("x.cgi")))
            equal(c.response().body, b"quick\n")


@test
def endless_output():
    """A program that writes without end ends with its client"""
    file = site.rw("yes")
    site.script("x.cgi", HEAD + "echo $$ >%s; exec yes" % file)
    with site.connect() as c:
        c.send(request(params=site.params("x.cgi")))
        for _ in range(50):
            c.piece()
        pid = pid_in(file)
        equal(alive(pid), True)
    gone(pid)


@test
def client_leaves():
    """If the client leaves, the program and all it has forked are killed"""
    file = site.rw("leaves")
    site.script("x.cgi", "trap '' TERM HUP\n(trap '' TERM; exec sleep 1000) &"
                 "\necho $! >%s.child\necho $$ >%s\nwait" % (file, file))
    with site.connect() as c:
        c.send(request(params=site.params("x.cgi"), body="x"))
        pids = pid_in(file), pid_in(file + ".child")
    gone(*pids)


@test
def output_ends_first():
    """The response ends with the output; the program may go on, and the
    connection does not wait for it"""
    file = site.rw("fifo")
    os.mkfifo(file)
    os.chmod(file, 0o666)
    site.expect("GET /[^ ]*: later")
    site.script("x.cgi", HEAD + "echo done; exec >&-; read x <%s; "
                "echo later >&2; echo $x >%s.read" % (file, file))
    with site.connect() as c:
        c.send(request(keep=True, params=site.params("x.cgi")))
        r = c.response()
        equal((r.body, r.app_status), (b"done\n", 0))
        c.send(request(params=site.params("env.cgi")))
        mark = site.log_mark()
        with open(file, "w") as f:
            f.write("7\n")
        equal(pid_in(file + ".read"), 7)
        site.wait_log(r"\[request \S+\] GET /: later", mark)
        equal(c.response().status, 200)


@test
def left_behind():
    """What it has forked ends with the request, but not a session of its
    own"""
    file = site.rw("left")
    r = site.run(HEAD + "(exec sleep 1000 >&- 2>&-) & echo $! >%s\n"
                 "(exec setsid sh -c 'echo $$ >%s.own; exec sleep 1000' "
                 ">&- 2>&-) &\nwhile ! test -s %s.own; do :; done\necho ok" %
                 (file, file, file))
    equal(r.body, b"ok\n")
    gone(pid_in(file))
    own = pid_in(file + ".own")
    equal(alive(own), True, "its own session")
    kill(own, signal.SIGKILL)
    gone(own)


@test
def crashes():
    """A program that dies of a signal is a 500, or a cut response"""
    site.expect(r"killed by signal 9 \(Killed\)", r"killed by signal 11")
    equal(site.run("kill -9 $$").status, 500)
    r = site.run(HEAD + "echo begun; kill -SEGV $$")
    equal((r.status, r.body, r.complete), (200, b"begun\n", False))


@test
def cannot_run():
    """What cannot be executed is an error that the log explains"""
    site.expect("the interpreter that its first line names is missing",
                "Exec format error")
    site.script("x.cgi", "#!/no/such/interpreter\n")
    equal(site.get("x.cgi").status, 500)
    site.script("x.cgi", "no program", raw=True)
    equal(site.get("x.cgi").status, 500)
    big = {"HTTP_X0": "x" * 60000}
    site.script("x.cgi", HEAD + "echo ${#HTTP_X0}")
    equal(site.get("x.cgi", big).body, b"60000\n")
    equal(site.get("x.cgi", {"HTTP_X": b"a\0b"}).status, 400)


@test
def replaced():
    """A program may be replaced while it runs"""
    file = site.rw("replaced")
    os.mkfifo(file)
    os.chmod(file, 0o666)
    path = site.script("x.cgi", HEAD + "echo $$ >%s.pid; read x <%s; "
                        "echo old" % (file, file))
    first = Background(site.get, "x.cgi")
    pid_in(file + ".pid")
    site.script("x.cgi", HEAD + "echo new")
    with open(file, "w") as f:
        f.write("go\n")
    equal(first.result().body, b"old\n")
    equal(site.get("x.cgi").body, b"new\n", path)


@test
def names():
    """A request runs nothing outside of the root, in no spelling"""
    site.script("ok.cgi", HEAD + "echo ok")
    site.script("plain", "text", 0o644)
    outside = site.dir + "/outside.cgi"
    write(outside, "#!/bin/sh\n" + HEAD)
    os.chmod(outside, 0o755)
    root = site.root
    os.mkfifo(root + "/fifo")
    os.chmod(root + "/fifo", 0o777)
    os.symlink(outside, root + "/out")
    os.symlink("../outside.cgi", root + "/out2")
    os.symlink("..", root + "/up")
    os.symlink("/proc/self/exe", root + "/magic")
    os.symlink("ok.cgi", root + "/in")
    os.symlink(root + "/ok.cgi", root + "/in2")
    os.symlink("loop", root + "/loop")
    os.symlink(root, site.dir + "/other")
    for name, status in (
            (root + "/ok.cgi", 200), (root + "//./ok.cgi", 200),
            (root + "/in", 200), (root + "/in2", 200),
            ("proxy:fcgi://localhost:9000/" + root + "/ok.cgi", 200),
            (root + "/none", 404), (root + "/none/x", 404),
            (root + "/../outside.cgi", 404), (outside, 404),
            (root + "/sub/../ok.cgi", 404), (root + "/..", 404),
            (root + "/ok.cgi/../../outside.cgi", 404),
            (root + "/out", 404), (root + "/out2", 404),
            (root + "/up/outside.cgi", 404), (root + "/magic", 404),
            (root + "/loop", 404), ("ok.cgi", 404), ("./ok.cgi", 404),
            (root + "2/ok.cgi", 404), (root, 404), ("/", 404),
            (root + "/%2e%2e/outside.cgi", 404),
            (root + "/..\\outside.cgi", 404),
            (root + "/ok.cgi\0.txt", 404), (root + "/" + "x" * 5000, 404),
            (root + "/" + "x/" * 2000, 404), (root + "/\xff", 404),
            (root + "/", 403), (root + "/sub", 403), (root + "/fifo", 403),
            (root + "/plain", 403), (root + "/plain/x", 403)):
        r = site.fetch(params={"SCRIPT_FILENAME": name})
        equal((r.status, r.app_status), (status, 0 if status == 200 else
                                         status), name)
    for params in ({}, {"SCRIPT_FILENAME": ""}, {"DOCUMENT_ROOT": root,
                                                 "SCRIPT_NAME": None}):
        equal(site.fetch(params=params).status, 404, params)
    equal(site.fetch(params={"DOCUMENT_ROOT": root, "SCRIPT_NAME":
                             "/ok.cgi"}).body, b"ok\n")


@test
def many_names():
    """Names that are missing cost no memory"""
    worker = site.workers()[0]
    full = os.environ.get("FULL") == "yes"

    def ask(n):
        with site.connect() as c:
            for i in range(n):
                c.send(request(keep=True, params=site.params("no/%d" % i)))
                equal(c.response().status, 404)
    ask(500)
    before = rss(worker)
    ask(10000 if full else 3000)
    assert rss(worker) < before + (1 << 20), (before, rss(worker))


@test
def set_id():
    """A set-user-id bit has no effect"""
    if not ROOT:
        raise Skip("not root")
    program = shutil.copy(shutil.which("id"), site.root + "/id")
    os.chmod(program, 0o4755)
    site.script("x.cgi", HEAD + "exec ./id -u")
    equal(int(site.get("x.cgi").body), pwd.getpwnam(pool_user()).pw_uid)


@test
def worker_dies():
    """If the worker is killed, its program and all it has forked are too"""
    site.expect("killed by signal 9|SIGKILL")
    file = site.rw("dies")
    site.script("x.cgi", "(exec sleep 1000) & echo $! >%s.child\n"
                 "echo $$ >%s; wait" % (file, file))
    with site.connect() as c:
        c.send(request(params=site.params("x.cgi")))
        pids = pid_in(file), pid_in(file + ".child")
        kill(site.workers()[0], signal.SIGKILL)
        gone(*pids)
    site.wait_ready(1)


@test
def reload():
    """A reload in place and one that replaces keep the pool running"""
    site.script("ok.cgi", HEAD + "echo $MORE")
    equal(site.get("ok.cgi").body, b"\n")
    site.reload()
    site.set_pool("www", app=None, interface="cgi", root=site.root,
                  environment={"MORE": "more"})
    site.write_conf()
    site.reload()
    equal(site.get("ok.cgi").body, b"more\n")
    site.stop()


@test
def time_limit():
    """At timeouts.request the program is killed whole, and the answer is 408,
    as HTTP and as application status; a begun response is cut"""
    with Site(timeouts={"request": "300ms", "stop": "10s"},
              workers={"mode": "static", "max": 1}) as d:
        d.expect("exceeds timeouts.request")
        file = d.rw("late")
        stubborn = ("trap '' TERM INT HUP\n(trap '' TERM; exec sleep 1000) & "
                    "echo $! >%s.child\necho $$ >%s\n" % (file, file))
        for text, want in ((stubborn + "wait", (408, 408, b"")),
                           (HEAD + "echo x; " + stubborn + "wait",
                            (200, None, b"x\n")),
                           ("read x; " + stubborn + "wait", (408, 408, b"")),
                           (stubborn + HEAD + "exec yes",
                            (200, None, None))):
            if want[2] is None:  # a client that does not take it
                d.script("x.cgi", text)
                with d.connect() as c:
                    c.send(request(params=d.params("x.cgi")))
                    pids = pid_in(file), pid_in(file + ".child")
                    gone(*pids)
                continue
            r = d.run(text, body="z")
            equal((r.status, r.app_status), want[:2], text)
            gone(pid_in(file), pid_in(file + ".child"))
            os.unlink(file)
            os.unlink(file + ".child")
        equal(len(d.workers()), 1)
        equal(d.run(HEAD + "echo again").body, b"again\n", "the same worker")


@test
def time_after():
    """A program that goes on after its response ends at timeouts.after"""
    with Site(timeouts={"after": "200ms", "stop": "10s"},
              workers={"mode": "static", "max": 1}) as d:
        d.expect("timeouts.after")
        file = d.rw("after")
        r = d.run(HEAD + "echo $$ >%s; exec >&- 2>&- sleep 1000" % file)
        equal((r.status, r.complete), (200, True))
        gone(pid_in(file))
        d.wait_log("GET /[^ ]*: its program goes on after its response")
        equal(d.run(HEAD + "echo again").body, b"again\n")


@test
def slow_body():
    """A body that does not come is a 408, and its program is killed"""
    with Site(timeouts={"read": "200ms", "stop": "10s"}) as d:
        file = d.rw("slow")
        d.script("x.cgi", "echo $$ >%s; cat" % file)
        with d.connect() as c:
            c.send(head("POST", params=d.params("x.cgi"), body="x" * 10))
            c.send(part(b"abc"))
            pid = pid_in(file)
            r = c.response()
        equal((r.status, r.app_status), (408, 408))
        gone(pid)


@test
def limits():
    """The pool's limits hold for programs"""
    limits = {"files": 77, "core": "0", **({"processes": 20000} if ROOT else {})}
    with Site(limits=limits, umask="0027") as d:
        got = d.run(HEAD + "ulimit -n; ulimit -c; umask; cat /proc/$$/limits")
        equal(got.body.split()[:3], [b"77", b"0", b"0027"])
        if ROOT:
            matches(r"Max processes +20000 +20000", got.body.decode())


@test
def alone():
    """lua-fpm -i cgi DIRECTORY: from the command line, and checked by -t"""
    d = Site()
    path = d.script("ok.cgi", HEAD + "echo ok")
    code, _, err = tool("-t", "-i", "cgi", d.root)
    equal(code, 0, err)
    code, _, err = tool("-t", "-i", "cgi", d.root + "/none")
    equal(code, 78, err)
    matches("none: No such file or directory", err)
    d.write_conf()
    code, out, err = tool("-T", "-c", d.file)
    equal(code, 0, err)
    assert '\troot = "%s";\n' % d.root in out and "\tapp = " not in out, out
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(d.dir + "/fd0.sock")
    listener.listen()
    process = subprocess.Popen(
        [LUA_FPM, "-i", "cgi", "--max-requests", "3", d.root], stdin=listener,
        stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(20):  # it renews itself
            equal(fetch(d.dir + "/fd0.sock",
                        params={"SCRIPT_FILENAME": path}).body, b"ok\n")
        until(lambda: len(zombies(process.pid)) <= 1, "they are reaped")
    finally:
        process.terminate()
        equal(process.wait(PATIENCE), 0)
    until(lambda: not session(process.pid), "nothing is left")
    d.destroy()


@test
def slow():
    """A slow program is in the slow log"""
    with Site(timeouts={"slow": "100ms", "stop": "10s"}) as d:
        file = d.rw("slow")
        os.mkfifo(file)
        os.chmod(file, 0o666)
        d.script("x.cgi", HEAD + "read x <%s; echo $x" % file)
        asked = Background(d.get, "x.cgi")
        d.wait_log(r"script .*/x\.cgi$")
        with open(file, "w") as f:
            f.write("go\n")
        equal(asked.result().body, b"go\n")
        d.wait_log("took 0.*status 200: GET /[^ ]*")


@test(over=FCGI, because="HTTP has no roles")
def roles():
    """A program is a responder"""
    with Site() as d:
        d.script("x.cgi", HEAD)
        for role in AUTHORIZER, FILTER:
            with d.connect() as c:
                c.send(begin(role=role) + stream(PARAMS, pairs(
                    d.params("x.cgi").items())) + stream(STDIN, b""))
                equal(c.response().protocol_status, UNKNOWN_ROLE)


@test
def no_file():
    """Where no file can be made, a long response does not wait for the body"""
    with Site(environment={"TMPDIR": "/none"}) as d:
        d.script("echo.cgi", HEAD + "exec cat")
        data = os.urandom(1 << 20)
        with d.connect() as c:
            sender = Background(c.send, head(
                "POST", params=d.params("echo.cgi"), body=data) +
                part(data, end=True))
            r = c.response()
            sender.result()
        assert r.body == data, (len(r.body), r.complete, r.status)


@test
def transitions():
    """Programs that run are let end by an upgrade, a stop, and if the master
    dies"""
    for how in (signal.SIGUSR2, signal.SIGTERM, signal.SIGKILL):
        d = Site().start()
        file = d.rw("go")
        os.mkfifo(file)
        os.chmod(file, 0o666)
        d.script("x.cgi", HEAD + "echo $$ >%s.pid; read x <%s; echo $x" %
                 (file, file))
        asked = Background(d.get, "x.cgi")
        pid_in(file + ".pid")
        mark = d.log_mark()
        d.kill(how)
        if how == signal.SIGUSR2:
            d.wait_log("the old ones leave", mark)
            equal(d.run(HEAD + "echo new", name="y.cgi").body, b"new\n")
        elif how == signal.SIGTERM:
            d.wait_log("stopping", mark)
        else:
            d.process.wait()
        with open(file, "w") as f:
            f.write("done\n")
        equal(asked.result().body, b"done\n", how)
        if how == signal.SIGUSR2:
            d.kill(signal.SIGTERM)
        if how != signal.SIGKILL:
            equal(d.wait_exit(), 0)
        until(lambda: not session(d.pid), "nothing is left")
        d.destroy()


run(over=FCGI)
