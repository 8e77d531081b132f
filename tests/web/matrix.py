"""What a web server makes of us: the rows of the table in lua-fpm-servers(7).

Each row is a function that looks at one thing and returns what it saw as a
word of the table; what must hold behind every server, it asserts.  A script
for a server says what the server is (a Front) and where its words are others
than those of most.  As a program, this prints the table that the scripts have
recorded in the build directory (make matrix)."""

import json
import os
import selectors
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p)
                for p in ("..", "../full")]
from front import *
from full import Storm

SEEN = os.path.join(BUILD, "matrix")  # what the scripts have recorded
LABEL, COLUMN = 24, 7
MB = 1 << 20
PIECE = 64 * 1024
AT_ONCE = 200 if SANITIZED else 1000
REQUESTS = 400 if SANITIZED else 2000
UPLOAD = 5 * MB if SANITIZED else 50 * MB
DOWNLOAD = 10 * MB if SANITIZED else 100 * MB
HANG = "string.find(string.rep('a', 60), string.rep('a?', 60) .. "\
    "string.rep('a', 60))"
# What ends a body whose first piece has been sent.
ENDS = {
    "error in the body": "error('the body broke')",
    "timeouts.request": "while true do end",
    "timeouts.request in C": HANG,
    "limits.memory": "local t = {} while true do t[#t + 1] = "
                     "('x'):rep(100000) .. #t end",
    "short": "",
}
# Those that let a worker without a master go on.
ALONE = {"error in the body", "timeouts.request", "short"}
# 18: the end is missing; 52, 56: no answer at all, a reset.
CURL = {0: "unseen", 18: "seen", 52: "seen", 56: "seen", 28: "hangs"}


# ---- the rows ---------------------------------------------------------------

ROWS = {}  # title -> function


def row(title, word="ok", quick=True, master=False):
    """word: what most servers come to; quick: it takes next to no time;
    master: it is about what a master does."""
    def add(fn):
        assert len(title) < LABEL, title
        ROWS[title] = fn
        fn.word, fn.quick, fn.master = word, quick, master
        return fn
    return add


PATH = "env.SCRIPT_NAME .. (env.PATH_INFO or '')"


@row("paths")
def paths(b, word):
    """SCRIPT_NAME .. (PATH_INFO or "") is what was asked for, decoded"""
    from urllib.parse import unquote
    for path in ("/", "/a", "/a/", "/a/b.c/d", "/index.html", "/a.php",
                 "/a%20b", "/%C3%A4", "/.a", "/a~", "/a;b=c", "/a:b", "/a+b",
                 "/a&b", "/a%3Fb?c"):
        status, _, body = b.get("return text(%s)" % PATH, path=path)
        if (status, body.decode()) != (200, unquote(path.partition("?")[0])):
            return path
    return "ok"


def seen_as(b, path):
    """The path that the application sees, `as is` if it is that."""
    status, _, body = b.get("return text(%s)" % PATH, path=path)
    if status != 200:
        return str(status)
    return "as is" if body.decode() == path else body.decode()


@row("/a%2Fb", "/a/b")
def encoded_slash(b, word):
    """an encoded slash in the path"""
    return seen_as(b, "/a%2Fb")


@row("/a/b: SCRIPT_NAME", "/a/b")
def script_name(b, word):
    """SCRIPT_NAME of /a/b"""
    return b.text("env.SCRIPT_NAME", path="/a/b") or '""'


@row("/a/b: PATH_INFO", "nil")
def path_info(b, word):
    """PATH_INFO of /a/b"""
    return b.text("tostring(env.PATH_INFO)", path="/a/b")


@row("/a/../b", "/b")
def dot_segments(b, word):
    """dot segments in the path"""
    return seen_as(b, "/a/../b")


@row("//a//b", "/a/b")
def double_slashes(b, word):
    """double slashes in the path"""
    return seen_as(b, "//a//b")


@row("QUERY_STRING without ?", '""')
def query_string(b, word):
    """QUERY_STRING of a path without question mark"""
    equal(b.text("env.QUERY_STRING", path="/?a=b%20c"), "a=b%20c")
    return b.text("env.QUERY_STRING and '\"\"' or 'nil'")


@row("REQUEST_URI", "raw")
def request_uri(b, word):
    """REQUEST_URI is what was asked for, as it was asked"""
    path = "/a%20b/%41?c=d%20e"
    seen = b.text("env.REQUEST_URI", path=path)
    return "raw" if seen == path else seen


@row("Authorization", "seen")
def authorization(b, word):
    """the header Authorization reaches the application"""
    got = b.text("tostring(env.HTTP_AUTHORIZATION)",
                 headers={"Authorization": "Bearer abc"})
    return "seen" if got == "Bearer abc" else got


@row("status_path", master=True)
def status_page(b, word):
    """status_path is found"""
    status, _, body = b.get(path="/fpm-status?json&full")
    equal(status, 200)
    assert b'"request uri":"/fpm-status?json&full"' in body, body
    return "ok"


@row("GET, HEAD, POST, PUT")
def methods(b, word):
    """methods, and bodies of 0 and 1 byte and of 64 KB"""
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        equal(b.text("env.REQUEST_METHOD", method=method), method)
    status, headers, body = b.get("return text('abc')", method="HEAD")
    equal((status, body), (200, b""))
    for size in (0, 1, PIECE):
        equal(b.text("env.CONTENT_LENGTH .. ' ' .. env.input:read('a')",
                     method="POST", body=b"x" * size),
              "%d %s" % (size, "x" * size), size)
    return "ok"


COUNT = "local n, e = 0 repeat local s = env.input:read(65536) n = n + "\
    "#(s or '') until not s or s == '' return text(%s)"


@row("POST of 50 MB", quick=False)
def large_post(b, word):
    """a body of 50 MB arrives whole, and one of 3 MB goes there and back"""
    data = random.Random(1).randbytes(3 * MB)
    status, _, body = b.get("return text(env.input:read('a'))", method="POST",
                            body=data)
    if status != 200:
        return str(status)
    assert body == data, len(body)
    status, _, body = b.get(COUNT % "tostring(n)", method="POST",
                            body=b"x" * UPLOAD)
    return "ok" if body == b"%d" % UPLOAD else str(status)


@row("POST that is not read")
def unread_post(b, word):
    """bodies of 1 byte to 3 MB that the application does not read: its answer
    arrives, and the connection is closed as the client asked for"""
    for size in (1, 1000, 100000, 3 * MB):
        with Talk(b.site("two").port) as c:
            c.ask("return text('unread')", "Content-Length: %d\r\n"
                  "Connection: close\r\n" % size, "POST")
            Background(c.sock.sendall, b"x" * size)
            c.until(b"unread")
            if word != "ok":
                settle(b)
                c.has(b"")
                if not c.over:
                    return "stalls"
            with contextlib.suppress(ConnectionResetError):
                c.rest()
    return "ok"


def upload(b, lua, head, pieces):
    """Status and answer; a server that refuses the body does not wait for its
    end."""
    with Talk(b.site().port) as c:
        c.ask(lua, head + "Connection: close\r\n", "POST")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                c.sock.sendall(piece)
        with contextlib.suppress(ConnectionResetError):
            c.rest()
        return int(c.got.split()[1]), c.got


@row("POST of 80 MB", quick=False)
def larger_post(b, word):
    """a body of 80 MB, where the block has a limit of 64 MB"""
    status, got = upload(b, COUNT % "n .. ' bytes'", "Content-Length: %d\r\n" %
                         (80 * MB), [b"x" * MB] * 80)
    if status == 200:
        assert b"%d bytes" % (80 * MB) in got, got
    return "ok" if status == 200 else str(status)


def chunked(b):
    return upload(b, COUNT % "n .. ' ' .. tostring(env.CONTENT_LENGTH) .. '.'",
                  "Transfer-Encoding: chunked\r\n",
                  [b"3e8\r\n%s\r\n" % (b"x" * 1000)] * 1000 +
                  [b"0\r\n\r\n"])


@row("chunked POST of 1 MB")
def chunked_post(b, word):
    """a chunked body of 1 MB arrives whole"""
    status, got = chunked(b)
    assert status != 200 or b"1000000 " in got, got
    return "ok" if status == 200 else str(status)


@row("  its CONTENT_LENGTH", "set")
def chunked_length(b, word):
    """CONTENT_LENGTH of a chunked body"""
    status, got = chunked(b)
    if status != 200:
        return "-"
    length = matches(rb"1000000 (-?\w+)\.", got)[1].decode()
    return "set" if length == "1000000" else length


def peak(pid):
    """The most memory that a process had, in bytes."""
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(r"VmHWM:\s+(\d+) kB", f.read())[1]) * 1024


@row("100 MB in pieces", quick=False)
def large_response(b, word):
    """a response of 100 MB in pieces arrives whole, and its worker needs no
    memory for it"""
    import http.client
    c = http.client.HTTPConnection("127.0.0.1", b.site().port,
                                   timeout=PATIENCE)
    with contextlib.closing(c):
        c.request("GET", "/", headers={
            "X-Lua": "local n, s = 0, ('x'):rep(65536) return { ['X-Pid'] = "
            "pid() }, function() n = n + 1 return n <= %d and s or nil end" %
            (DOWNLOAD // PIECE)})
        r = c.getresponse()
        left = DOWNLOAD
        while got := r.read(MB):
            left -= len(got)
        equal((r.status, left), (200, 0))
    memory = peak(int(r.headers["X-Pid"]))
    diag("%.1f MB at most" % (memory / MB))
    assert SANITIZED or memory < 16 * MB, memory
    return "ok"


@row("pieces come as made")
def pieces(b, word):
    """each piece of a response arrives before the next is made; it asks for
    that with X-Accel-Buffering: no"""
    gates = [b.gate() for _ in range(3)]
    with Talk(b.site("two").port) as c:
        c.ask("local n = 0 return { ['X-Accel-Buffering'] = 'no' }, "
              "function() n = n + 1 if n > 4 then return end if n > 1 then "
              "gate(({%s})[n - 1]) end return 'piece' .. n end" %
              ", ".join('"%s"' % g.path for g in gates))
        for i, gate in enumerate(gates, 1):
            gate.wait()
            if word != "ok":
                settle(b)
                if not c.has(b"piece%d" % i):
                    for g in gates[i - 1:]:
                        g.open()
                    c.until(b"piece4")
                    return "late"
            c.until(b"piece%d" % i)
            gate.open()
        c.until(b"piece4")
    return "ok"


def settle(b):
    """The web server has had its turns, while one of two workers waits."""
    for _ in range(20):
        equal(b.get(pool="two")[0], 200)


@row("204, 304")
def bodiless(b, word):
    """204 and 304 have neither a body nor a type, and the connection goes
    on"""
    for status in (204, 304):
        with Talk(b.site().port) as c:
            c.ask("return { Status = %d, ETag = 'e' }, 'abc'" % status)
            c.until(b"\r\n\r\n")
            matches(rb"^HTTP/1.1 %d [^\0]*\r\n\r\n$" % status, c.got)
            assert b"content-type" not in c.got.lower(), c.got
            if b"connection: close" in c.got.lower():
                return "closes"
            c.got = b""
            c.ask("return text('next')")
            c.until(b"next")
            assert c.got.startswith(b"HTTP/1.1 200 "), c.got
    return "ok"


@row("302, with Status or not")
def redirects(b, word):
    """a redirect, with and without Status"""
    for status in ("Status = 302, ", ""):
        got = b.get("return { %sLocation = 'http://example.org/x' }" % status)
        equal((got[0], got[1]["Location"]), (302, "http://example.org/x"))
    return "ok"


@row("Set-Cookie twice")
def cookies(b, word):
    """two headers Set-Cookie"""
    got = b.get("return { ['Set-Cookie'] = {'a=1', 'b=2'} }, ''")
    equal(got[1].get_all("Set-Cookie"), ["a=1", "b=2"])
    return "ok"


@row("request header of 7 KB")
def request_header(b, word):
    """a header of 7 KB in the request"""
    status, _, body = b.get("return text(tostring(#env.HTTP_X_LONG))",
                            headers={"X-Long": "x" * 7000})
    return "ok" if (status, body) == (200, b"7000") else str(status)


def header_of(b, size, pool="www"):
    """What becomes of a response header of that size."""
    import http.client
    try:
        got = b.get("return { ['X-Long'] = ('x'):rep(%d) }, 'abc'" % size,
                    pool=pool)
    except (OSError, http.client.HTTPException):
        return "none"
    if got[0] == 200:
        equal((len(got[1]["X-Long"]), got[2]), (size, b"abc"))
    return "ok" if got[0] == 200 else str(got[0])


@row("response header of 7 KB")
def header_7(b, word):
    """a response header of 7 KB"""
    return header_of(b, 7000)


@row("                  14 KB")
def header_14(b, word):
    """a response header of 14 KB"""
    return header_of(b, 14000)


@row("                  40 KB", "500")
def header_40(b, word):
    """a response header of 40 KB, which limits.response_head answers with
    500"""
    seen = header_of(b, 40000)
    equal(b.get()[2], b"hello")
    return seen


@row("  40 KB, no limit", master=True)
def header_unlimited(b, word):
    """a response header of 40 KB with limits.response_head = 0"""
    return header_of(b, 40000, "wide")


def curl(b, pool, end, length, later):
    """Its exit status for a body that ends so; later: when curl has the first
    piece."""
    gate = b.gate() if later else None
    lua = "return { ['Content-Length'] = %s, ['X-Accel-Buffering'] = %s }, "\
        "coroutine.wrap(function() coroutine.yield('piece') %s %s end)" % (
            length or "nil", "'no'" if later else "nil",
            gate.lua if later else "", end)
    with subprocess.Popen(
            ["curl", "-sN", "-m", str(PATIENCE), "-H", "X-Lua: " + lua,
             "http://127.0.0.1:%d/" % b.site(pool).port],
            stdout=subprocess.PIPE) as client:
        if later:
            equal(client.stdout.read(5), b"piece", end)
            gate.open()
        client.stdout.read()
    return client.returncode


def cut(b, pool, length, later):
    """What curl thinks of each of ENDS."""
    seen = set()
    for name, end in ENDS.items():
        if b.alone and name not in ALONE or length is None and not end:
            continue
        status = curl(b, pool, end, length, later)
        assert status in CURL, (name, status)
        seen.add(CURL[status])
    equal(b.get(pool=pool)[2], b"hello")
    return "/".join(sorted(seen))


@row("cut, no length known", "seen", quick=False)
def cut_at_once(b, word):
    """a cut response without Content-Length, as curl sees it"""
    seen = cut(b, "short", None, False)
    return word if word == "varies" else seen


@row("  later", "seen", quick=False)
def cut_later(b, word):
    """a response without Content-Length that is cut when its client has a
    part, as curl sees it"""
    return cut(b, "short" if b.alone else "short_errors", None, True)


@row("cut, Content-Length", "seen", quick=False)
def cut_length(b, word):
    """a cut response with a Content-Length, as curl sees it"""
    return cut(b, "short" if b.alone else "short_errors", 4096, False)


@row("  later, with a length", "seen", quick=False)
def cut_length_later(b, word):
    """the same if it is cut when its client has a part"""
    return cut(b, "short", 4096, True)


@row("error in accept", "500")
def error(b, word):
    """an error that is answered"""
    return str(b.get("error('on purpose')")[0])


@row("timeouts.request", "408")
def timeout(b, word):
    """a request that takes too long"""
    return str(b.get("while true do end", pool="short")[0])


WRITES = """local n = 0 return {}, function()
    n = n + 1
    if n > 1 then gate("%(gate)s") end
    if n > %(most)d then io.open("%(over)s", "w"):close() return end
    return ("x"):rep(%(size)d)
end"""


def leaves(b, word, size):
    """The client leaves, and the gate is opened again and again until the
    worker serves another request."""
    gate = b.gate()
    over = gate.path + ".over"
    with Talk(b.site().port) as c:
        c.ask(" ".join(WRITES.split()) % {
            "gate": gate.path, "over": over, "size": size,
            "most": 60 if word == "never" else 1 << 30})
        gate.wait()
    probe = Background(b.text, "pid()")

    def served():
        gate.open_if_held()
        return not probe.is_alive()
    until(served, "the worker is free")
    probe.result()
    return "never" if os.path.exists(over) else "seen"


@row("client leaves: 20 B", "seen")
def leaves_small(b, word):
    """the client leaves while pieces of 20 bytes are written"""
    return leaves(b, word, 20)


@row("               20 KB", "seen")
def leaves_large(b, word):
    """the client leaves while pieces of 20 KB are written"""
    return leaves(b, word, 20000)


COMPUTES = """gate("%(gate)s") local f
repeat f = io.open("%(gate)s.stop") until f or env.aborted
io.open("%(gate)s." .. (f and "over" or "seen"), "w"):close()
return text("done")"""


@row("               computes", "never")
def leaves_computing(b, word):
    """the client leaves while the application computes, and env.aborted
    says so"""
    gate = b.gate()
    with Talk(b.site("two").port) as c:
        c.ask(" ".join(COMPUTES.split()) % {"gate": gate.path})
        gate.wait()
    gate.open()
    if word == "never":
        settle(b)
        write(gate.path + ".stop", "")
    return until(lambda: [w for w, end in (("seen", ".seen"),
                                           ("never", ".over"))
                          if os.path.exists(gate.path + end)],
                 "env.aborted")[0]


def storm(b):
    return Storm([sys.executable, "-B",
                  os.path.join(SRC, "tests", "web", "kept_clients.py"),
                  str(b.site("load").port), "250"])


@row("kept-alive clients", quick=False)
def kept(b, word):
    """2,000 requests over 8 connections that are kept, none fails"""
    s = storm(b)
    s.reach(REQUESTS)
    done, failed = s.stop()
    equal(failed, 0, "failed of %d: %s" % (done, s.failures[:3]))
    return "ok"


@row("3 HUP, 2 USR2 in load", quick=False, master=True)
def changes(b, word):
    """three reloads with deployments and two upgrades under load, no request
    fails"""
    s = storm(b)
    d = b.loaded()
    for i in range(5):
        s.reach(s.done + 250)
        if i % 2:
            d.usr2()
        else:
            d.write_app(app_source("eval.lua") + "-- %d\n" % i)
            d.reload()
    s.reach(s.done + 250)
    done, failed = s.stop()
    equal(failed, 0, "failed of %d: %s" % (done, s.failures[:3]))
    diag("%d requests" % done)
    return "ok"


def at_once(port, n, turn):
    """What n clients see that come at once: the first line of each answer.
    turn(lines) is called whenever nothing moves."""
    sel, lines = selectors.DefaultSelector(), []
    for _ in range(n):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", port))
        sel.register(s, selectors.EVENT_WRITE, bytearray())
    deadline = time.monotonic() + 2 * PATIENCE
    while sel.get_map():
        assert time.monotonic() < deadline, "%d are answered" % len(lines)
        moved = sel.select(0.01)
        if not moved:
            turn(lines)
        for key, event in moved:
            try:
                if event == selectors.EVENT_WRITE:
                    key.fileobj.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n"
                                     b"Connection: close\r\n\r\n")
                    sel.modify(key.fileobj, selectors.EVENT_READ, key.data)
                    continue
                more = key.fileobj.recv(65536)
            except OSError as e:
                more, key.data[:] = b"", repr(e).encode()
            key.data.extend(more)
            if not more:
                lines.append(bytes(key.data).partition(b"\r\n")[0].decode())
                sel.unregister(key.fileobj)
                key.fileobj.close()
    return lines


@row("1,000 clients at once", quick=False)
def crowd(b, word):
    """1,000 clients wait at once for workers that are all busy, none fails"""
    site, held, gates = b.site("load"), [], []
    if not b.alone:
        d = b.loaded()
        gates = [d.gate() for _ in range(4)]
        held = [Background(d.lua, g.lua + "return text('')") for g in gates]
        for g in gates:
            g.wait()

    def turn(lines):
        """Let the workers go on when all wait for them, or one has failed."""
        if gates and (lines or unix_connections(d.address()) >= min(
                AT_ONCE, site.waiting)):
            while gates:
                gates.pop().open()
    lines = at_once(site.port, AT_ONCE, turn)
    for h in held:
        equal(h.result().status, 200)
    bad = [line for line in lines if line != "HTTP/1.1 200 OK"]
    equal(len(lines), AT_ONCE)
    diag(bad[:3])
    return "ok" if not bad else "%d bad" % len(bad)


def slow_upload(b, word, size, part):
    """As many clients as there are workers send no more than a part of their
    body: is another one served?"""
    port = b.site("two").port
    with contextlib.ExitStack() as stack:
        gates = [b.gate() for _ in range(b.front.workers)]
        talks = [stack.enter_context(Talk(port)) for _ in gates]
        for c, gate in zip(talks, gates):
            c.ask("io.open('%s.in', 'w'):close() return text(#env.input:"
                  "read('a') .. ' bytes')" % gate.path,
                  "Content-Length: %d\r\n" % size, "POST", b"x" * part)

        def both():
            return all(g.is_held() for g in gates)
        if word == "held":
            until(both, "the workers wait for the bodies")
        hello = Background(b.text, "'hello'", pool="two")
        until(lambda: both() or not hello.is_alive(), "an answer")
        seen = "held" if both() else "free"
        for c in talks:
            c.sock.sendall(b"x" * (size - part))
        for c in talks:
            c.until(b"%d bytes" % size)
        equal(hello.result(), "hello")
    return seen


@row("slow upload: 1 KB", "free")
def slow_small(b, word):
    """a slow body of 1 KB holds no worker"""
    return slow_upload(b, word, 1000, 100)


@row("             1 MB", "free")
def slow_large(b, word):
    """a slow body of 1 MB holds no worker"""
    return slow_upload(b, word, MB, 300000)


# ---- the table --------------------------------------------------------------

COLUMNS = ("nginx", "Apache", "fcgid", "lighty", "bin", "Caddy", "HAProxy")


def line(label, cells):
    return (label.ljust(LABEL) + "".join(
        c.ljust(COLUMN) for c in cells)).rstrip()


def table(columns):
    """The table, from {title: {"version": version, row: word}}."""
    missing = [c for c in COLUMNS if c not in columns]
    assert not missing, "nothing is known of " + ", ".join(missing)
    return "".join(line(*row) + "\n" for row in [
        ("", COLUMNS),
        *((name, [columns[c].get(name, "?") for c in COLUMNS])
          for name in ("version", *ROWS))])


def column_of(text, title):
    """One column of a table."""
    head, *rows = text.splitlines()
    at = LABEL + COLUMN * COLUMNS.index(title)
    equal(head[at:at + COLUMN].strip(), title)
    return {r[:LABEL].rstrip(): r[at:at + COLUMN].strip() for r in rows}


def number(version):
    return [int(n) for n in version.split(".")]


def expected(front, differs, version):
    """{row: (word, why)} for a server of that version."""
    words = {}
    for title, fn in ROWS.items():
        word, why, since = (*differs.get(title, (fn.word, "")), "0")[:3]
        if fn.master and front.alone:
            word, why = "-", "no master"
        elif number(version) < number(since):
            word, why = fn.word, ""
        words[title] = word, why
    return words


def check(front, differs, some=None, more=(), needs=()):
    """Tests: every row for that server, where differs has {row: (word, why)}
    for those that are not as with most; a third says since which version.
    some: what is quick and these rows alone, of which the page says nothing.
    more: tests of that server, which are given its Bench.  needs: (part of the
    block, row, word without it)."""
    assert not set(differs) - set(ROWS), set(differs) - set(ROWS)
    if not shutil.which(front.program[0]):
        return  # as run() will say
    b, seen = Bench(front), {}
    for title, (word, why) in expected(front, differs,
                                       front.version()).items():
        fn = ROWS[title]
        if some is not None and not (fn.quick or title in some):
            continue
        if fn.master and front.alone:
            seen[title] = word
            continue

        def look(fn=fn, title=title, word=word):
            seen[title] = fn(b, word)
            equal(seen[title], word, title)
        point(look, fn.__name__, "%s: %s: %s%s" % (
            front.title, fn.__doc__, word, why and " (%s)" % why))
    for fn in more:
        point(lambda fn=fn: fn(b), fn.__name__,
              "%s: %s" % (front.title, fn.__doc__))
    for line, title, word in needs:
        point(lambda line=line, title=title, word=word:
              lacking(b, line, title, word), "lacking",
              "%s: without %s, %s: %s" % (front.title, line.strip(),
                                          ROWS[title].__doc__, word))
    if some is None:
        point(lambda: in_page(front, differs, seen), "in_page",
              "%s: lua-fpm-servers(7) has this column" % front.title)
    point(lambda: b.stop(), "stop", "%s: it stops" % front.title)


def point(fn, name, what):
    fn.__name__, fn.__doc__ = name, what
    test(fn)


def lacking(b, line, title, word):
    with b.without(line) as other:
        equal(ROWS[title](other, word), word, title)


def in_page(front, differs, seen):
    """The page has what was seen, or where it names another version, what is
    expected of that one."""
    version = front.version()
    os.makedirs(SEEN, exist_ok=True)
    with open("%s/%s.json" % (SEEN, front.title), "w") as f:
        json.dump({"version": version, **seen}, f)
    shown = column_of(page.matrix(), front.title)
    named = shown.pop("version")
    if named != version:
        seen = {title: word for title, (word, _) in
                expected(front, differs, named).items()}
    equal([(r, shown.get(r), seen.get(r)) for r in {**shown, **seen}
           if shown.get(r) != seen.get(r)], [], "row, page, seen")


def wants(*files):
    """Skip the script where one of them is missing."""
    missing = [f for f in files if not os.path.exists(f)]
    if missing:
        print("1..0 # SKIP not found:", " ".join(missing))
        sys.exit()


def recorded():
    columns = {}
    for title in COLUMNS:
        with contextlib.suppress(FileNotFoundError):
            with open("%s/%s.json" % (SEEN, title)) as f:
                columns[title] = json.load(f)
    return columns


if __name__ == "__main__":
    sys.stdout.write(table(recorded()))
