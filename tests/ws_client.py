"""A WebSocket client that can say anything and believes nothing: frames made
of bytes, right or wrong, and a reader that lets a server get away with
nothing (RFC 6455).  Python's standard library only."""

import base64
import contextlib
import hashlib
import os
import select
import socket
import struct
import time

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NAMES = {TEXT: "text", BINARY: "binary", PING: "ping", PONG: "pong"}
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = b"\x37\xfa\x21\x3d"


def masked(data, key):
    n = len(data)
    if not n:
        return b""
    pattern = (key * (n // 4 + 1))[:n]
    return (int.from_bytes(data, "big") ^
            int.from_bytes(pattern, "big")).to_bytes(n, "big")


def frame(opcode, payload=b"", fin=True, rsv=0, key=KEY, length=None,
          form=None):
    """One frame as bytes.  rsv: 4 is RSV1, 1 is RSV3.  key: None leaves it
    unmasked.  length: announced, if it is not that of payload.  form: how
    many bits say the length, if not the fewest."""
    n = len(payload) if length is None else length
    form = form or (7 if n < 126 else 16 if n < 65536 else 64)
    out = bytes([fin << 7 | rsv << 4 | opcode,
                 (key is not None) << 7 |
                 (n if form == 7 else 126 if form == 16 else 127)])
    if form > 7:
        out += struct.pack(">H" if form == 16 else ">Q", n)
    return out + (payload if key is None else key + masked(payload, key))


def fragments(opcode, pieces, key=KEY):
    """A message in as many frames."""
    last = len(pieces) - 1
    return [frame(opcode if i == 0 else CONTINUATION, piece, i == last,
                  key=key) for i, piece in enumerate(pieces)]


def closing(code=1000, reason=b""):
    """The payload of a close frame."""
    return struct.pack(">H", code) + reason


class Violation(Exception):
    """The server sent what no server may."""


class Reader:
    """What a server sends, frame by frame: feed() it, and next() gives
    (kind, payload) with kind "text", "binary", "ping" or "pong", ("close",
    code, reason) with code None if there was none, or None until more has
    come."""

    def __init__(self):
        self.buffer = bytearray()
        self.message = None  # (opcode, pieces) of an unfinished one
        self.closed = False
        self.frames = 0

    def feed(self, data):
        self.buffer += data

    def next(self):
        while True:
            got = self._frame()
            if got is None:
                return None
            event = self._event(*got)
            if event is not None:
                return event

    def _frame(self):
        b = self.buffer
        if len(b) < 2:
            return None
        if b[0] & 0x70:
            raise Violation("reserved bits: %02x" % b[0])
        if b[1] & 0x80:
            raise Violation("masked by the server")
        n, at = b[1], 2
        if n > 125:
            size = 2 if n == 126 else 8
            if len(b) < 2 + size:
                return None
            at = 2 + size
            n = int.from_bytes(b[2:at], "big")
            if n < (126 if size == 2 else 65536) or n >> 63:
                raise Violation("length %d in %d bytes" % (n, size))
        if len(b) < at + n:
            return None
        payload = bytes(memoryview(b)[at:at + n])
        fin, opcode = bool(b[0] & 0x80), b[0] & 15
        del b[:at + n]
        self.frames += 1
        return fin, opcode, payload

    def _event(self, fin, opcode, payload):
        if self.closed:
            raise Violation("a frame behind the close frame")
        if opcode >= CLOSE:
            if opcode not in (CLOSE, PING, PONG):
                raise Violation("opcode %d" % opcode)
            if not fin or len(payload) > 125:
                raise Violation("control frame: %s, %d bytes" %
                                (fin, len(payload)))
            if opcode == CLOSE:
                self.closed = True
                return self._close(payload)
            return NAMES[opcode], payload
        if opcode == CONTINUATION:
            if self.message is None:
                raise Violation("nothing to continue")
        elif opcode not in NAMES:
            raise Violation("opcode %d" % opcode)
        elif self.message is not None:
            raise Violation("a message within another")
        else:
            self.message = (opcode, [])
        self.message[1].append(payload)
        if not fin:
            return None
        kind, pieces = self.message
        self.message = None
        data = b"".join(pieces)
        if kind == TEXT:
            self._utf8(data)
        return NAMES[kind], data

    def _close(self, payload):
        if not payload:
            return "close", None, b""
        if len(payload) == 1:
            raise Violation("half a close code")
        code = struct.unpack_from(">H", payload)[0]
        if not (3000 <= code < 5000 or 1000 <= code <= 1014 and
                code not in (1004, 1005, 1006)):
            raise Violation("close code %d" % code)
        self._utf8(payload[2:])
        return "close", code, payload[2:]

    @staticmethod
    def _utf8(data):
        try:
            data.decode()
        except UnicodeDecodeError as e:
            raise Violation("text that is not UTF-8: %s" % e) from None


class Refused(Exception):
    """The server answered the upgrade with another status."""

    def __init__(self, status, headers, body):
        super().__init__("%d %r %r" % (status, headers, body[:200]))
        self.status, self.headers, self.body = status, headers, body


def upgrade_request(path="/", host="localhost", key=None, method="GET",
                    version="1.1", headers=(), without=()):
    """The head of an upgrade as bytes; headers: more of them, or another
    value for one that it has (None: left out)."""
    key = key or base64.b64encode(os.urandom(16)).decode()
    fields = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade",
              "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
    lines = []
    given = list(headers.items() if isinstance(headers, dict) else headers)
    names = {name.lower() for name, _ in given}
    lines = [(k, v) for k, v in fields.items()
             if k.lower() not in names] + [g for g in given if g[1] is not None]
    return ("%s %s HTTP/%s\r\n" % (method, path, version) +
            "".join("%s: %s\r\n" % line for line in lines) +
            "\r\n").encode("latin-1"), key


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key.strip().encode() + GUID)
                            .digest()).decode()


def dial(address, timeout=20, options=()):
    """A connected socket: unix path, or HOST:PORT with or without "http:"."""
    where = address[5:] if address.startswith("http:") else address
    if where.startswith("/"):
        s = socket.socket(socket.AF_UNIX)
    else:
        host, _, port = where.rpartition(":")
        host = {"*": "127.0.0.1"}.get(host, host).strip("[]")
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        where = (host, int(port))
    try:
        for option in options:
            s.setsockopt(*option)
        s.settimeout(timeout)
        s.connect(where)
    except BaseException:
        s.close()
        raise
    return s


def read_head(sock, buffer=b""):
    """(status, headers with lower-case names, what came behind the head)."""
    while b"\r\n\r\n" not in buffer:
        data = sock.recv(65536)
        if not data:
            raise EOFError("ended within the head: %r" % bytes(buffer))
        buffer += data
    head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.lower()
        value = value.strip()
        headers[name] = (headers[name] + ", " if name in headers else "") + \
            value
    return int(first.split(" ")[1]), headers, rest


def read_body(sock, headers, rest):
    """What belongs to a refusal."""
    n = int(headers.get("content-length", -1))
    chunked = headers.get("transfer-encoding", "").lower() == "chunked"
    while (n < 0 and not (chunked and rest.endswith(b"0\r\n\r\n"))) or \
            len(rest) < n:
        data = sock.recv(65536)
        if not data:
            break
        rest += data
    return rest


class WebSocket:
    """An open one; Refused if the server would not.  early: bytes sent
    together with the request.  timeout (s) holds for every wait."""

    def __init__(self, address, path="/", early=b"", timeout=20, options=(),
                 **request):
        self.reader = Reader()
        self.timeout = timeout
        self.sock = dial(address, timeout, options)
        try:
            head, key = upgrade_request(path, **request)
            self.sock.sendall(head + early)
            status, self.headers, rest = read_head(self.sock)
            if status != 101:
                raise Refused(status, self.headers,
                              read_body(self.sock, self.headers, rest))
            self._judge(key)
            self.reader.feed(rest)
        except BaseException:
            self.sock.close()
            raise

    def _judge(self, key):
        """RFC 6455, 4.1: what a client has to check."""
        h = self.headers
        if h.get("upgrade", "").lower() != "websocket":
            raise Violation("Upgrade: %r" % h.get("upgrade"))
        if "upgrade" not in h.get("connection", "").lower():
            raise Violation("Connection: %r" % h.get("connection"))
        if h.get("sec-websocket-accept") != accept_of(key):
            raise Violation("Sec-WebSocket-Accept: %r" %
                            h.get("sec-websocket-accept"))
        if "sec-websocket-extensions" in h:
            raise Violation("an extension that nobody offered")
        if "content-length" in h or "transfer-encoding" in h:
            raise Violation("a 101 with a body")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def close(self):
        self.sock.close()

    # -- sending

    def raw(self, data):
        self.sock.sendall(data)

    def send(self, payload, opcode=None):
        """A message: str as text, bytes as binary."""
        if isinstance(payload, str):
            payload, opcode = payload.encode(), opcode or TEXT
        self.raw(frame(opcode or BINARY, payload, key=os.urandom(4)))

    def ping(self, payload=b""):
        self.raw(frame(PING, payload))

    def send_close(self, code=1000, reason=b""):
        self.raw(frame(CLOSE, b"" if code is None else closing(code, reason)))

    # -- receiving

    def event(self, timeout=None):
        """The next event; ("end",) if the server ended TCP, ("reset",) if it
        did so the hard way; TimeoutError."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while True:
            event = self.reader.next()
            if event is not None:
                return event
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("no frame within %s s" %
                                   (timeout or self.timeout))
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(1 << 18)
            except (ConnectionResetError, BrokenPipeError):
                return ("reset",)
            if not data:
                if self.reader.buffer:
                    raise Violation("ended within a frame")
                return ("end",)
            self.reader.feed(data)

    def receive(self, timeout=None):
        """The payload of the next message: str or bytes; pings in between are
        answered."""
        while True:
            event = self.event(timeout)
            if event[0] == "text":
                return event[1].decode()
            if event[0] == "binary":
                return event[1]
            if event[0] == "ping":
                self.raw(frame(PONG, event[1]))
            elif event[0] != "pong":
                raise EOFError("not a message: %r" % (event,))

    def ask(self, payload):
        self.send(payload)
        return self.receive()

    def finish(self, code=1000, reason=b""):
        """The close handshake from our side; the server's code."""
        self.send_close(code, reason)
        got = self.until_close()
        if self.event() != ("end",):
            raise Violation("bytes behind the close frame")
        self.close()
        return got

    def until_close(self, timeout=None):
        """Read on to the server's close frame; its code."""
        while True:
            event = self.event(timeout)
            if event[0] == "close":
                return event[1]
            if event[0] in ("end", "reset"):
                raise EOFError("no close frame but " + event[0])

    def failed(self, timeout=None):
        """The server ends it by itself: what it says, (code, "end").  Its close
        frame is answered, and the connection closed."""
        code = self.until_close(timeout)
        with contextlib.suppress(OSError):
            self.send_close(code)
        end = self.event(timeout)[0]
        self.close()
        return code, end


def exchange(ws, writes, done, timeout, closes=False, once=False):
    """Send writes one by one while reading.  When done(events) says so, close
    from our side (once: leave it open, end is "open"); a close of the server's
    is answered, unless ours is among writes (closes).  (events, close, end): close is the server's code, None if
    its frame had none, "none" if there was no frame; end is "end", "reset" or
    "silence"."""
    events, close, closed_by_us = [], "none", closes
    deadline = time.monotonic() + timeout
    queue = [memoryview(w) for w in writes if len(w)]
    ws.sock.setblocking(False)
    poll = select.poll()
    while True:
        while (event := ws.reader.next()) is not None:
            if event[0] == "close":
                close = event[1]
                if not closed_by_us:
                    queue[:] = [memoryview(frame(CLOSE, closing(close) if close
                                                 else b""))]
                    closed_by_us = True
            else:
                events.append(event)
        if not closed_by_us and not queue and done(events):
            if once:
                return events, close, "open"
            closed_by_us = True
            queue.append(memoryview(frame(CLOSE, closing())))
        poll.register(ws.sock, select.POLLIN |
                      (select.POLLOUT if queue else 0))
        left = deadline - time.monotonic()
        ready = left > 0 and poll.poll(left * 1000)
        if not ready:
            return events, close, "silence"
        if queue and ready[0][1] & select.POLLOUT:
            try:
                n = ws.sock.send(queue[0])
                queue[0] = queue[0][n:]
                if not queue[0]:
                    del queue[0]
            except BlockingIOError:
                pass
            except OSError:
                queue.clear()  # what has come can still be read
        if ready[0][1] & (select.POLLIN | select.POLLHUP | select.POLLERR):
            try:
                data = ws.sock.recv(1 << 18)
            except BlockingIOError:
                continue
            except OSError:
                return events, close, "reset"
            if not data:
                return events, close, "end"
            ws.reader.feed(data)
