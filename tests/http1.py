"""HTTP/1.1 as the tests speak it: a request from what a FastCGI client says by
parameters, and a reader of responses that takes only what is well-formed (RFC
9110, 9112).  Knows bytes, no sockets."""

import re

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ([\t -~\x80-\xff]*)")
FIELD = re.compile(rb"(" + TOKEN + rb"): ?([\t -~\x80-\xff]*)")
TARGET = re.compile(rb"[!-~\x80-\xff]+")
DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|"
    r"Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT")


class Unsayable(Exception):
    """A parameter that no HTTP request can bring."""


class Malformed(AssertionError):
    """A response that is not HTTP/1.1, or not what we promise of it."""


def check(good, what, seen):
    if not good:
        raise Malformed("%s: %r" % (what, seen[:500]))


# ---- requests ---------------------------------------------------------------


def field(name, value):
    """The header that becomes HTTP_NAME or CONTENT_NAME."""
    plain = name[5:] if name.startswith("HTTP_") else name
    line = plain.replace("_", "-").title().encode() + b": " + value
    if not FIELD.fullmatch(line):
        raise Unsayable("%s = %r" % (name, value))
    return line + b"\r\n"


def head(params, keep, chunked=False):
    """The head of the request that has these parameters, [(name, bytes)]:
    those of a server's own (REMOTE_ADDR, ...) are what they are."""
    start = {"REQUEST_METHOD": b"GET", "SERVER_PROTOCOL": b"HTTP/1.1"}
    fields, path, query = b"", None, None
    for name, value in params:
        name = name if isinstance(name, str) else name.decode("latin-1")
        if name in ("REQUEST_METHOD", "REQUEST_URI", "SERVER_PROTOCOL"):
            start[name] = value
        elif name == "SCRIPT_NAME":
            path = value
        elif name == "QUERY_STRING":
            query = value
        elif name == "LUA":  # a line of Lua is as good as several
            fields += field("X_LUA", value.replace(b"\n", b" "))
        elif name == "CONTENT_LENGTH":
            fields += field(name, value) if value and not chunked else b""
        elif re.fullmatch("CONTENT_TYPE|HTTP_[A-Z0-9_]+", name):
            fields += field(name, value)
        else:
            raise Unsayable("%s = %r" % (name, value))
    target = start.get("REQUEST_URI", path)
    if b"?" not in target and query:
        target += b"?" + query
    if query not in (None, target.partition(b"?")[2]) or \
            path not in (None, target.partition(b"?")[0]) or \
            not TARGET.fullmatch(target):
        raise Unsayable("%r of %r and %r" % (target, path, query))
    return b"%s %s %s\r\n" % (start["REQUEST_METHOD"], target,
                              start["SERVER_PROTOCOL"]) + fields + \
        (b"Transfer-Encoding: chunked\r\n" if chunked else b"") + \
        (b"" if keep else b"Connection: close\r\n") + b"\r\n"


def part(data, end, chunked):
    """Some of the body."""
    if not chunked:
        return data
    return (b"%x\r\n%s\r\n" % (len(data), data) if data else b"") + \
        (b"0\r\n\r\n" if end else b"")


# ---- responses --------------------------------------------------------------


class Reader:
    """Responses, one after the other, out of bytes that more() returns: b""
    at the end."""

    def __init__(self, more):
        self.more = more
        self.buffer = b""
        self.interim = []  # statuses 1xx that came before the head
        self.left = 0  # of the body: "chunked", "close", or so many bytes
        self.chunk = 0  # bytes of the present chunk that are still to come
        self.closes = False  # the response was the connection's last
        self.ours = True  # no other server stands before lua-fpm

    def fill(self):
        """Take what comes next; False at the end."""
        data = self.more()
        self.buffer += data
        return bool(data)

    def _line(self):
        """The next line; None if the stream ends in it."""
        while b"\r\n" not in self.buffer:
            check(len(self.buffer) < 1 << 24, "a line without end",
                  self.buffer)
            if not self.fill():
                return None
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        check(not re.search(rb"[\r\n\0]", line), "a bare CR, LF or NUL", line)
        return line

    def head(self, head_only=False):
        """The head of the next response as bytes, interim ones left out; None
        if the stream ends before it is whole."""
        while True:
            lines = []
            while not lines or lines[-1]:
                line = self._line()
                if line is None:
                    return None
                lines.append(line)
            status = STATUS_LINE.fullmatch(lines[0])
            check(status, "status line", lines[0])
            fields = {}
            for line in lines[1:-1]:
                got = FIELD.fullmatch(line)
                check(got and got[2] == got[2].strip(b" \t"), "field", line)
                fields.setdefault(got[1].decode().lower(), []).append(
                    got[2].decode("latin-1"))
            whole = b"\r\n".join(lines) + b"\r\n"
            if status[1][:1] != b"1" or status[1] == b"101":
                self._framing(int(status[1]), fields, head_only, whole)
                return whole
            check(not fields, "fields of an interim response", whole)
            self.interim.append(int(status[1]))

    def _framing(self, status, fields, head_only, whole):
        """How the body ends (RFC 9112, 6.3), and whether the connection
        does."""
        if self.ours:
            dates = fields.get("date", [])
            check(len(dates) == 1 and DATE.fullmatch(dates[0]), "Date", whole)
            check("server" not in fields, "Server", whole)
        options = ",".join(fields.get("connection", [])).lower()
        self.closes = "close" in re.split(r"[\s,]+", options)
        length = fields.get("content-length", [])
        coding = fields.get("transfer-encoding", [])
        check(len(length) + len(coding) <= 1, "two lengths", whole)
        check(not length or re.fullmatch(r"\d+", length[0]), "length", whole)
        check(not coding or coding == ["chunked"], "coding", whole)
        if status < 200 or status == 204:
            check(not length and not coding, "a length with %d" % status,
                  whole)
        if head_only or status < 200 or status in (204, 304):
            self.left = 0
        elif coding:
            self.left = "chunked"
        elif length:
            self.left = int(length[0])
        else:
            check(self.closes, "a body without length or end", whole)
            self.left = "close"

    def piece(self):
        """The next bytes of the body: b"" where it ends, None if the stream
        ends before."""
        if self.left == 0:
            return b""
        if self.left == "chunked" and self.chunk == 0:
            return self._next_chunk()
        if not self.buffer and not self.fill():
            if self.left != "close":
                return None
            self.left = 0
            return b""
        most = len(self.buffer) if self.left == "close" else \
            self.chunk or self.left
        data, self.buffer = self.buffer[:most], self.buffer[most:]
        if self.left == "chunked":
            self.chunk -= len(data)
            if self.chunk == 0 and self._end_of_chunk() is None:
                return None
        elif self.left != "close":
            self.left -= len(data)
        return data

    def _next_chunk(self):
        line = self._line()
        if line is None:
            return None
        check(re.fullmatch(rb"[0-9A-Fa-f]{1,15}", line), "chunk size", line)
        self.chunk = int(line, 16)
        if self.chunk:
            return self.piece()
        self.left = 0  # and no trailers
        return self._end_of_chunk()

    def _end_of_chunk(self):
        line = self._line()
        check(line in (None, b""), "end of a chunk", line or b"")
        return line
