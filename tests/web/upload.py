#!/usr/bin/env python3
"""Uploads through a real nginx, its buffering of requests off and on, and over
HTTP without it, into a worker with little memory.  In full size (FULL=yes)
2 GB each."""

import hashlib
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from harness import *
from browser import NEEDS, Browser

FULL = os.environ.get("FULL") == "yes"
SIZE = 2 << 30 if FULL else 64 << 20
BLOCK = 1 << 20
TICK = 1 / os.sysconf("SC_CLK_TCK")
BOUNDARY = b"----------------4f0a1b2c3d4e5f60"

d = Daemon(workers={"mode": "static", "max": 1}, limits={"memory": "16M"},
           http={"max_body": 0}, timeouts={"stop": "10s"})
PORT = free_port()
d.pools["www"]["listen"] = [d.address(), "http:127.0.0.1:%d" % PORT]
DIRECTORY = d.dir + "/rw"
STORE = """
local fields, files, message = env:form { directory = "%s" }
if not fields then return { Status = files }, message end
local names = {}
for i, file in ipairs(files) do
    names[i] = "%s/" .. file.filename
    assert(file:move(names[i]))
end
return text(("%%d %%d"):format(#files, files[1].size))
""" % (DIRECTORY, DIRECTORY)


def part(name, filename=None, content=b""):
    more = '; filename="%s"' % filename if filename else ""
    return b"--%s\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n%s" \
        % (BOUNDARY, name.encode(), more.encode(), content)


END = b"\r\n--%s--\r\n" % BOUNDARY


class Upload:
    """A request to nginx that is sent piece by piece."""

    def __init__(self, port, length, lua):
        self.sock = socket.create_connection(("127.0.0.1", port),
                                             timeout=10 * PATIENCE)
        self.sock.sendall(
            b"POST /upload HTTP/1.1\r\nHost: localhost\r\n"
            b"Connection: close\r\nContent-Type: multipart/form-data; "
            b"boundary=%s\r\nContent-Length: %d\r\nX-Lua: %s\r\n\r\n"
            % (BOUNDARY, length, lua.replace("\n", " ").encode()))

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        self.sock.close()

    def answer(self):
        data = b""
        while True:
            more = self.sock.recv(65536)
            if not more:
                break
            data += more
        self.close()
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()


class Direct:
    """No web server."""

    port = PORT

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def server(buffering):
    """nginx, whose buffering is "on" or "off", or "none" of them."""
    if d.process is None:
        d.start()
    if buffering == "none":
        return Direct()
    return Nginx(d.address(), location="client_max_body_size 0; "
                 "fastcgi_read_timeout 300s; fastcgi_send_timeout 300s; "
                 "fastcgi_request_buffering %s;" % buffering)


def spent(pid):
    """Seconds of processor time: in the process, and for it in the kernel,
    which has to find memory for what goes to disk."""
    with open("/proc/%d/stat" % pid) as f:
        user, system = f.read().rpartition(")")[2].split()[11:13]
    return int(user) * TICK, int(system) * TICK


def large(buffering):
    """Send a file of SIZE bytes; its sum is that of what was stored."""
    block = os.urandom(BLOCK)
    head = part("file", "large")
    sent = hashlib.sha256()
    with server(buffering) as n:
        worker, sizes = d.workers()[0], []
        before = spent(worker)
        u = Upload(n.port, len(head) + SIZE + len(END), STORE)
        u.send(head)
        for i in range(SIZE // BLOCK):
            piece = i.to_bytes(8, "big") + block[8:]
            sent.update(piece)
            u.send(piece)
            if i % 16 == 15:
                sizes.append(rss(worker))
        u.send(END)
        status, body = u.answer()
        sizes.append(rss(worker))
    equal(status, 200, body)
    equal(body, "1 %d" % SIZE)
    user, system = (b - a for a, b in zip(before, spent(worker)))
    diag("%d MB: processor time %.2f s and %.2f s in the kernel; %.1f to "
         "%.1f MB resident" % (SIZE >> 20, user, system, min(sizes) / 1e6,
                               max(sizes) / 1e6))
    stored = hashlib.sha256()
    with open(DIRECTORY + "/large", "rb") as f:
        while True:
            piece = f.read(BLOCK)
            if not piece:
                break
            stored.update(piece)
    equal(stored.hexdigest(), sent.hexdigest())
    os.unlink(DIRECTORY + "/large")
    equal(d.workers(), [worker])
    if not SANITIZED:
        assert max(sizes) - sizes[0] < 2 << 20, sizes


@test
def streamed():
    """a large file, as it comes (fastcgi_request_buffering off)"""
    large("off")


@test
def buffered():
    """a large file that nginx has kept before (on)"""
    large("on")


@test
def direct():
    """a large file over HTTP"""
    large("none")


@test
def many():
    """twenty files and a thousand fields in one form"""
    many_by("off")
    many_by("none")


def many_by(buffering):
    lua = STORE.replace("return text", 'local n = 0 for k, v in pairs(fields) '
                        'do assert(v == "v" .. k) n = n + 1 end '
                        'assert(n == 1000) return text')
    body = b"\r\n".join(
        [part("f%d" % i, content=b"vf%d" % i) for i in range(1000)] +
        [part("file", "file%d" % i, b"%d" % i * 1000) for i in range(20)])
    with server(buffering) as n:
        u = Upload(n.port, len(body) + len(END), lua)
        u.send(body + END)
        status, answer = u.answer()
    equal((status, answer.split()[0]), (200, "20"), answer)
    for i in range(20):
        with open("%s/file%d" % (DIRECTORY, i), "rb") as f:
            equal(f.read(), b"%d" % i * 1000)
        os.unlink(f.name)


def half(n):
    """One of which half has come."""
    u = Upload(n.port, 1 << 20, STORE)
    u.send(part("file", "half", b"x" * (1 << 19)))
    until(lambda: any(link.startswith(DIRECTORY) for _, link in
                      fds(d.workers()[0])), "the file is open")
    equal(os.listdir(DIRECTORY), [])
    return u


@test
def leaves():
    """a client that leaves in the middle leaves nothing on disk"""
    for buffering in ("off", "none"):
        mark = d.log_mark()
        with server(buffering) as n:
            half(n).close()
            d.wait_log("POST /upload: request body: the client left", mark)
    until(lambda: not any(link.startswith(DIRECTORY) for _, link in
                          fds(d.workers()[0])), "the file is closed")
    equal(os.listdir(DIRECTORY), [])


@test
def killed():
    """a worker that is killed in the middle leaves nothing on disk"""
    d.expect("killed by signal 9")
    with server("off") as n:
        u = half(n)
        kill(d.workers()[0], signal.SIGKILL)
        equal(u.answer()[0], 502)
    equal(os.listdir(DIRECTORY), [])
    d.wait_ready(1)


@test
def raises():
    """an application that raises in the middle leaves nothing on disk"""
    d.expect("on purpose")
    lua = ("env:form { directory = '%s', on_part = function(part) if "
           "part.filename == 'last' then error('on purpose') end end }"
           % DIRECTORY)
    body = part("a", "first", b"x" * 100000) + b"\r\n" + part("b", "last")
    with server("off") as n:
        u = Upload(n.port, len(body) + len(END), lua)
        u.send(body + END)
        equal(u.answer()[0], 500)
    equal(os.listdir(DIRECTORY), [])
    assert not any(link.startswith(DIRECTORY) for _, link in
                   fds(d.workers()[0]))


SHOW = """
local fields, files, message = env:form { directory = "%s" }
if not fields then return { Status = files }, message end
local form, out = require "fpm.form", {}
for name in pairs(fields) do
    for _, value in ipairs(form.all(fields, name)) do
        out[#out + 1] = ("%%s=%%q"):format(name, value)
    end
end
table.sort(out)
for _, file in ipairs(files) do
    out[#out + 1] = ("%%s: %%s (%%s) %%q"):format(file.name, file.filename,
        file.type, file.file:read("a"))
end
return text(table.concat(out, "|"))
""".replace("\n", " ") % DIRECTORY


@test
def curl():
    """what curl sends as a form is read"""
    path = d.dir + '/a "b";c é.txt'
    write(path, "content")
    for buffering in ("on", "none"):
        curl_by(buffering, path)


def curl_by(buffering, path):
    with server(buffering) as n:
        code, out, err = tool(
            "-sS", "-H", "X-Lua: " + SHOW, "-F", "a=1", "--form-string",
            "a=é;=", "-F", 'b c"=', "-F", 'f=@"%s";type=text/x-odd' % path.replace(
                '"', '\\"'), "http://127.0.0.1:%d/" % n.port, program="curl")
    equal((code, err), (0, ""))
    # Old versions protect a quote by a backslash, new ones write %22.
    equal(out.replace('b c"', "b c%22").replace(' "b";', " %22b%22;"),
          'a="1"|a="é;="|b c%22=""|'
          'f: a %22b%22;c é.txt (text/x-odd) "content"')


@test
def browser():
    """what Chromium sends as a form is read"""
    with server("none") as n, Browser() as b:
        b.open("http://127.0.0.1:%d/" % n.port)
        b.until("return document.body.innerText == 'hello'")
        got = b.ask("POST", "/execute/async", {"script": """
            const data = new DataTransfer(), done = arguments[1];
            data.items.add(new File(['one'], 'a "b";c é.txt'));
            data.items.add(new File(['two\\0'], 'x', {type: 'image/png'}));
            document.body.innerHTML = `<form>
                <input name="a" value="1"><input name="a" value="é;=">
                <textarea name='b"c'>two\nlines</textarea>
                <input type="file" name="f" multiple>
                <input type="file" name="none"></form>`;
            document.querySelector("[name=f]").files = data.files;
            fetch("/", {method: "POST", headers: {"X-Lua": arguments[0]},
                body: new FormData(document.querySelector("form"))})
                .then(r => r.text()).then(done);""", "args": [SHOW]})
    equal(got, 'a="1"|a="é;="|b%22c="two\\13\\\nlines"|f: a %22b%22;c é.txt '
          '(application/octet-stream) "one"|f: x (image/png) "two\\0"')


run(limit=900 if FULL else 120, needs=("nginx", "curl", *NEEDS))
