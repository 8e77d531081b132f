"""Who asks the daemon of soak.py: clients of every protocol and way, WebSockets,
and peers that mean no good.  All are threads; what each does comes from a
generator of its own, made of the seed."""

import hashlib

from harness import *
from ws_client import *

KINDS = {"hello": 40, "count": 25, "row": 10, "upload": 6, "stream": 8,
         "big": 3, "slow": 4, "error": 1, "gone": 3}
STATUS = {"error": 500, "loop": 408}


class Client(threading.Thread):
    """One client of a pool, by an address of its own or of a server before
    it; rate: requests a second if they take no time."""

    def __init__(self, soak, pool, address, rate, more=None):
        super().__init__(daemon=True)
        self.soak, self.pool, self.address, self.rate = \
            soak, pool, address, rate
        self.direct = address in soak.direct
        self.kinds = {**KINDS, **(more or {})}
        if not self.direct:
            del self.kinds["gone"]  # a server before it may wait
        self.random = soak.generator()
        self.conn, self.used = None, False

    def run(self):
        while not self.soak.ending.wait(self.random.expovariate(self.rate)):
            kind = self.random.choices(*zip(*self.kinds.items()))[0]
            self.once(kind, self.soak.next())
        self.close()

    def close(self):
        if self.conn is not None:
            self.conn.close()
        self.conn, self.used = None, False

    def request(self, kind, n, keep):
        how = {"uri": "/%s/%d" % (kind, n), "keep": keep,
               "protocol": speaks(self.address), "method": "GET"}
        if kind == "upload":
            data = self.random.randbytes(self.random.randrange(300000))
            self.sha = hashlib.sha256(data).digest()
            how.update(method="POST", body=(
                b"--XX\r\nContent-Disposition: form-data; name=title\r\n\r\n"
                b"t%d\r\n--XX\r\nContent-Disposition: form-data; name=file; "
                b"filename=f\r\n\r\n%s\r\n--XX--\r\n" % (n, data)),
                params=[("CONTENT_TYPE", "multipart/form-data; boundary=XX")])
            self.size = len(data)
        return request(**how)

    def once(self, kind, n):
        keep = self.random.random() < 0.8
        data = self.request(kind, n, keep)
        began, r, what, again = time.monotonic(), None, "", False
        try:
            if self.conn is None:
                self.conn = Conn(self.address)
                if speaks(self.address) == HTTP:
                    self.conn.reader.ours = self.direct
            try:
                self.conn.send(data)
            except BrokenPipeError:  # it was closed while nothing was asked
                if not self.used:
                    raise
                self.close()
                self.conn = Conn(self.address)
                self.conn.send(data)
            if kind == "gone":
                self.close()
                self.soak.note_gone(n)
                return
            r = self.conn.response()
        except Exception as e:
            what = repr(e)
        again = self.used and (r is None or not r.out)
        if not what and not self.right(kind, n, r):
            what = repr(r)
        self.used = True
        if what or not keep or self.conn.closes:
            self.close()
        self.soak.note(self.pool, n, kind, began, r, what, again)

    def right(self, kind, n, r):
        if not r.complete or r.status != STATUS.get(kind, 200):
            return False
        body = r.body.decode()
        if kind == "count":
            return re.fullmatch(r"count %d \d+" % n, body)
        if kind == "stream":
            return body == "".join("stream %d %d\n" % (n, i)
                                   for i in range(1, 21))
        if kind == "big":
            return body == "big %d " % n + "x" * 300000
        if kind == "upload":
            return self.is_stored(n, body)
        return kind in STATUS or body == "%s %d" % (kind, n)

    def is_stored(self, n, body):
        path = "%s/%d" % (self.soak.uploads, n)
        with open(path, "rb") as f:
            same = hashlib.sha256(f.read()).digest() == self.sha
        os.unlink(path)
        return same and body == "upload %d t%d %d" % (n, n, self.size)


class Socket(threading.Thread):
    """A WebSocket that is opened again whenever it has ended: it has an echo
    now and then, and is told all that is published."""

    def __init__(self, soak, address):
        super().__init__(daemon=True)
        self.soak, self.address = soak, address
        self.random = soak.generator()
        self.echo = None  # (text, when it was sent)

    def run(self):
        while not self.soak.ending.is_set():
            n, began = self.soak.next(), time.monotonic()
            try:
                ws = WebSocket(self.address, "/ws/%d" % n, timeout=PATIENCE)
            except (OSError, EOFError, Refused) as e:
                self.soak.note_socket("open", began, n, repr(e))
                self.soak.ending.wait(0.05)
                continue
            with ws:
                self.soak.note_open(n)
                self.stay(ws, n)

    def stay(self, ws, n):
        opened, told = time.monotonic(), []
        sent = answered = 0
        event = None
        due = opened
        while event is None:
            now = time.monotonic()
            if self.echo is None and now >= due:
                if self.soak.ending.is_set() and self.soak.all_told(
                        opened, told):
                    break
                self.echo = ("echo %d %d" % (n, sent), now)
                with contextlib.suppress(OSError):  # it has ended: see below
                    ws.send(self.echo[0])
                sent += 1
                due = now + self.random.expovariate(4)
            try:
                got = ws.event(0.05)
            except TimeoutError:
                got = None
            if self.echo and time.monotonic() > self.echo[1] + 3 * PATIENCE:
                got = ("silence",)
            if got is None:
                continue
            if got[0] != "text":
                event = got
            elif self.echo and got[1].decode() == self.echo[0]:
                self.echo, answered = None, answered + 1
            elif got[1].startswith(b"all "):
                told.append(int(got[1][4:]))
            elif got[0] != "ping":
                event = ("another message", got)
        self.soak.note_end(n, opened, told, sent, answered, event,
                           self.echo and self.echo[1])
        self.echo = None


# ---- peers that mean no good ------------------------------------------------

UPGRADE = (b"GET /ws/0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
           b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
           b"\r\nSec-WebSocket-Version: 13\r\n\r\n")


def fcgi_nonsense(r, n):
    whole = request(uri="/hello/%d" % n, protocol=FCGI)
    return r.choice((
        r.randbytes(r.randrange(1, 5000)), whole[:r.randrange(1, len(whole))],
        b"\1\1" + r.randbytes(200), begin(role=9), begin() + begin(id=2),
        begin() + record(PARAMS, b"\xff\xff\xff\xff\xff\xff\xff\xffx"),
        begin() + record(PARAMS, b"x" * 65535) * 3, record(77) * 50,
        begin() + record(ABORT), whole + r.randbytes(100),
        record(STDIN, b"x" * 1000), record(BEGIN, b"\0", version=3)))


def http_nonsense(r, n):
    get = b"GET /hello/%d HTTP/1.1\r\nHost: localhost\r\n" % n
    return r.choice((
        r.randbytes(r.randrange(1, 5000)), get[:r.randrange(1, len(get))],
        b"\x16\x03\1\2\0\1\0\1\xfc\3\3" + r.randbytes(500),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + r.randbytes(50),
        get + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        get + b"Content-Length: 50\r\n\r\nhalf", get + b"X: y\n\n",
        get + b"A: " + b"x" * 100000 + b"\r\n\r\n",
        get + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        (get + b"\r\n") * 20, b"\r\n" * 1000,
        b"GET / HTTP/1.1\r\n\r\n", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n"))


def ws_nonsense(r, n):
    return UPGRADE.replace(b"/ws/0", b"/ws/%d" % n) + r.choice((
        r.randbytes(r.randrange(1, 3000)), frame(TEXT, b"\xff\xfe"),
        frame(TEXT, b"x", key=None), frame(3, b"x"), frame(TEXT, b"x", rsv=4),
        frame(BINARY, b"", length=1 << 62), frame(PING, b"x" * 126),
        frame(CLOSE, b"\3"), frame(BINARY, b"half" * 100)[:50],
        frame(CONTINUATION, b"x"), frame(TEXT, b"x", False) * 3,
        frame(BINARY, b"x" * 70000)))


NONSENSE = {"fcgi": fcgi_nonsense, "http": http_nonsense, "ws": ws_nonsense}


def attack(soak, random, address, pool, times):
    """Nonsense over that many connections at once, which end in all ways."""
    conns = []
    for _ in range(times):
        try:
            c = dial(address, 2)
            conns.append(c)
            n = soak.next()
            soak.note_gone(n)
            with contextlib.suppress(OSError):
                c.sendall(NONSENSE[pool](random, n))
        except OSError:
            pass
    for c in conns:
        how = random.random()
        with contextlib.suppress(OSError):
            if how < 0.3:
                c.shutdown(socket.SHUT_WR)
            if how < 0.6:
                c.settimeout(0.2)
                c.recv(65536)
            elif how < 0.7 and c.family != socket.AF_UNIX:
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        c.close()
