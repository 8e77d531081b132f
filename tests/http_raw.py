"""HTTP byte by byte: a daemon that listens for it, and a client that sends
what a test likes and sees how a connection ends (http1.py reads)."""

import http1
from harness import *


class HttpDaemon(Daemon):
    """A daemon with HTTP on a TCP port (d.tcp) and on a socket file (d.file),
    of one worker unless `workers` says how many."""

    def __init__(self, app=None, workers=1, top=None, **pool):
        super().__init__(app, top=top)
        self.tcp = "127.0.0.1:%d" % free_port()
        self.unix = self.dir + "/http.sock"
        self.sockets.add(self.unix)
        self.set_pool("www", **{
            "listen": ["http:" + self.tcp, "http:" + self.unix],
            "workers": {"mode": "static", "max": workers}, **pool})

    @property
    def port(self):
        return int(self.tcp.rpartition(":")[2])

    def talk(self, address=None, **how):
        return Talk(address or self.tcp, **how)

    def ask(self, lua=None, method="GET", **how):
        """One request over a connection of its own: a whole response."""
        with self.talk() as c:
            c.ask(lua, method=method, **how)
            return c.whole(method)

    def requests(self):
        """How many requests the application of eval.lua has seen before
        this one, in its only worker."""
        return int(self.ask("return text(tostring(requests - 1))").body)


class Reply:
    """One response.  whole: its end has been seen; chunked, closes: how that
    was to come."""

    def __init__(self, head, reader):
        status, *lines = head.decode("latin-1").split("\r\n")[:-1]
        self.status, self.reason = int(status[9:12]), status[13:]
        self.headers = [tuple(x.strip() for x in line.split(":", 1))
                        for line in lines if line]
        self.chunked = reader.left == "chunked"
        self.closes = reader.left == "close"
        length = self.one("Content-Length")
        self.length = int(length) if length is not None else None
        self.body, self.whole = b"", False

    def header(self, name):
        """Every value of a header."""
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def one(self, name):
        """The value of a header that is there once, or None."""
        values = self.header(name)
        assert len(values) < 2, "%s: %r" % (name, values)
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode()

    def says(self):
        """What it says of its connection: "close", "keep-alive" or None."""
        return (self.one("Connection") or "").lower() or None

    def __repr__(self):
        return "<Reply %d %r %r%s>" % (self.status, self.headers,
                                       self.body[:200],
                                       "" if self.whole else " cut")


def get(lua=None, target="/", method="GET", version="1.1", head="",
        body=None, host="localhost", chunked=None):
    """The bytes of a request.  head: more lines, each with its end; body: sent
    with a length; chunked: a list of pieces instead."""
    lines = ["%s %s HTTP/%s\r\n" % (method, target, version)]
    if host is not None:
        lines.append("Host: %s\r\n" % host)
    if lua is not None:
        lines.append("X-Lua: %s\r\n" % lua.replace("\n", " "))
    lines.append(head)
    if chunked is not None:
        lines.append("Transfer-Encoding: chunked\r\n")
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in chunked) + \
            b"0\r\n\r\n"
    elif body is not None:
        body = as_bytes(body)
        lines.append("Content-Length: %d\r\n" % len(body))
    lines.append("\r\n")
    return "".join(lines).encode("latin-1") + (body or b"")


class Talk(Conn):
    """A connection to an HTTP server."""

    def __new__(cls, *_, **__):
        return object.__new__(cls)

    def __init__(self, address, timeout=None, options=()):
        super().__init__(address, timeout, options)
        if self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.over = False  # end of file has been read
        self.reader = http1.Reader(self._receive)

    def _receive(self):
        data = b"" if self.over else self.sock.recv(65536)
        self.over = not data
        return data

    def ask(self, lua=None, **how):
        self.send(get(lua, **how))

    def drip(self, data, size):
        """Send it in pieces."""
        for at in range(0, len(data), size):
            self.send(data[at:at + size])

    def bytewise(self, data, size=1):
        """Send it in pieces, until the other side has said something."""
        for at in range(0, len(data), size):
            if self.has():
                return
            try:
                self.send(data[at:at + size])
            except (BrokenPipeError, ConnectionResetError):
                return

    def has(self, timeout=0):
        """Has it sent something, or closed?"""
        return bool(self.reader.buffer or self.over or
                    select.select([self.sock], [], [], timeout)[0])

    def some(self, most):
        """Receive a little."""
        self.reader.buffer += self.sock.recv(most)

    def interim(self):
        """A 100 that has come or comes, before anything else."""
        while b"\r\n\r\n" not in self.reader.buffer:
            assert self.reader.fill(), "the end instead of a 100"
        got, _, self.reader.buffer = self.reader.buffer.partition(
            b"\r\n\r\n")
        matches(rb"^HTTP/1\.1 100 [ -~]*$", got)

    def reply(self, method="GET"):
        """The next final response; what came before the end if it is cut."""
        self.reader.interim = []
        head = self.reader.head(method == "HEAD")
        assert head is not None, "no answer, but %r and the end" % \
            self.reader.buffer
        r = Reply(head, self.reader)
        while data := self.reader.piece():
            r.body += data
        r.whole = data is not None
        if r.whole and r.says() == "close":
            equal(self.reader.buffer, b"", "behind the last response")
        return r

    def whole(self, method="GET"):
        """The next response, which is complete and of good form."""
        r = self.reply(method)
        assert r.whole, r
        return r

    def fetch(self, lua=None, method="GET", **how):
        self.ask(lua, method=method, **how)
        return self.whole(method)

    def end(self):
        """Wait for the other side to close: what came before, or "reset" if
        that was how."""
        try:
            while self.reader.fill():
                pass
        except ConnectionResetError:
            return "reset"
        return self.reader.buffer


def closed(c, what=""):
    """End of file follows, and nothing else."""
    equal(c.end(), b"", "what follows %s" % what)


def refused(c, status, what=""):
    """An answer of the server itself, then the end of the connection."""
    r = c.whole()
    equal(r.status, status, what)
    equal(r.says(), "close", what)
    closed(c, what)
    return r

