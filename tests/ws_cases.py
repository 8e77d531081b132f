"""What a client may say over a WebSocket and what an echo server answers, case
by case: the cases of sections 1 to 7 and 9 of the Autobahn test suite's list
by their numbers there, one for its sections 12 and 13, and cases of our own
("own.1") for what it leaves out.

A case is bytes.  How many writes they come in is a part of it, but must make
no difference: ways() gives others.  Of several outcomes the first is the best
one ("strict"); the others are what the suite accepts from a server, too
("non-strict"), with the codes that it names, or with the connection dropped
where it does not insist on a close frame."""

import zlib

from ws_client import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Refused,
                       Violation, closing, exchange, frame)

DROP = "none"  # no close frame
MAX = 16 << 20  # the largest message of the list


class Outcome:
    """events: ("text" | "binary" | "pong", payload) in their order.  codes:
    of the server's close frame, the first being ours; None is a frame without
    a code."""

    def __init__(self, events, codes):
        self.events, self.codes = list(events), tuple(codes)

    def __repr__(self):
        return "%s then %s" % (
            [(kind, data if len(data) < 40 else "%d bytes" % len(data))
             for kind, data in self.events],
            " or ".join(map(str, self.codes)))


class Case:
    """id; about: one clause; outcomes.  ours: the client closes with 1000 once
    the first outcome's events have come, else the server is expected to end
    it; closes: the client's close frame is among the bytes.  size and
    fragments: of the largest message, for servers with limits.  rounds: the
    same message as often, each one after the answer to the one before."""

    def __init__(self, id, about, make, *outcomes, ours=False, closes=False,
                 size=0, fragments=1, rounds=1, offers=()):
        self.id, self.about, self.make = id, about, make
        self.outcomes = outcomes
        self.ours, self.closes = ours, closes
        self.size, self.fragments, self.rounds = size, fragments, rounds
        self.offers = offers

    @property
    def section(self):
        return self.id.split(".")[0]

    def writes(self):
        """The client's bytes as the case cuts them."""
        return self.make()

    def ways(self):
        """(name, writes): as given, and for what is small in one write and
        byte by byte."""
        given = self.writes()
        yield "as given", given
        whole = b"".join(given)
        if len(given) > 1 and len(whole) <= 1 << 16:
            yield "at once", [whole]
        if len(given) < len(whole) <= 600:
            yield "byte by byte", chop(whole, 1)

    def strict(self, max_message=MAX, max_fragments=1 << 17):
        """The outcome expected from a server with these limits (http.md: over
        the one 1009, over the other 1008)."""
        if self.fragments > max_fragments:
            return Outcome([], (1008,))
        if self.size > max_message:
            return Outcome([], (1009,))
        return self.outcomes[0]


def chop(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


def key(id):
    """A mask of the case's own."""
    return zlib.crc32(id.encode()).to_bytes(4, "big")


def event(opcode, payload):
    return {TEXT: "text", BINARY: "binary", PING: "pong"}[opcode], payload


cases = []


def case(id, about, frames, *outcomes, size=None, cut=None, **how):
    """frames: (opcode, payload[, how to frame()]) or a function that gives
    them; one write each, or all of them in pieces of cut bytes."""
    def make():
        given = frames() if callable(frames) else frames
        out = []
        for opcode, payload, *rest in given:
            options = {"key": key(id), **(rest[0] if rest else {})}
            out.append(frame(opcode, payload, **options))
        return chop(b"".join(out), cut) if cut else out
    cases.append(Case(id, about, make, *outcomes, size=size or 0, **how))


def echoed(id, about, frames, events, **how):
    """The events come, and both sides close with 1000."""
    case(id, about, frames, Outcome(events, (1000,)), ours=True, **how)


def failed(id, about, frames, code=1002, events=(), lax=(), **how):
    """The server ends it, after the events or, if the suite does not insist,
    before them."""
    outcomes = [Outcome(events, (code,)),
                Outcome(events, (code, *lax, DROP))]
    if events:
        outcomes.append(Outcome((), (code, *lax, DROP)))
    case(id, about, frames, *outcomes, **how)


# ---- 1: messages of each length of a length --------------------------------

for part, opcode, byte in (1, TEXT, b"*"), (2, BINARY, b"\xfe"):
    kind = event(opcode, b"")[0]
    for n, (size, cut) in enumerate((
            (0, None), (125, None), (126, None), (127, None), (128, None),
            (65535, None), (65536, None), (65536, 997)), 1):
        echoed("1.%d.%d" % (part, n), "%s of %d bytes%s" % (
            kind, size, cut and " in writes of %d" % cut or ""),
            [(opcode, byte * size)], [(kind, byte * size)], size=size, cut=cut)

# ---- 2: pings and pongs ----------------------------------------------------

ODD = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
for id, about, payload, cut in (
        ("2.1", "ping without payload", b"", None),
        ("2.2", "ping with a text", b"Hello, world!", None),
        ("2.3", "ping with what is not UTF-8", ODD, None),
        ("2.4", "ping of 125 bytes", b"\xfe" * 125, None),
        ("2.6", "ping of 125 bytes, byte by byte", b"\xfe" * 125, 1)):
    echoed(id, about, [(PING, payload)], [("pong", payload)], cut=cut)
failed("2.5", "ping of 126 bytes", [(PING, b"\xfe" * 126)])
for id, payload in ("2.7", b""), ("2.8", b"nobody asked for this"):
    case(id, "pong of %d bytes that nobody asked for, then a close" %
         len(payload), [(PONG, payload), (CLOSE, closing())],
         Outcome((), (1000,)), closes=True)
echoed("2.9", "pong that nobody asked for, then a ping",
       [(PONG, b"nobody asked for this"), (PING, b"answer me")],
       [("pong", b"answer me")])
TEN = [b"payload-%d" % i for i in range(10)]
for id, about, cut in (("2.10", "ten pings", None),
                       ("2.11", "ten pings, byte by byte", 1)):
    echoed(id, about, [(PING, p) for p in TEN], [("pong", p) for p in TEN],
           cut=cut)

# ---- 3: reserved bits ------------------------------------------------------

HELLO = b"Hello, world!"
failed("3.1", "text with RSV3", [(TEXT, HELLO, {"rsv": 1})])
for id, rsv, cut in ("3.2", 2, None), ("3.3", 3, None), ("3.4", 4, 1):
    failed(id, "text, text with reserved bits %d, ping%s" % (
        rsv, cut and ", byte by byte" or ""),
        [(TEXT, HELLO), (TEXT, HELLO, {"rsv": rsv}), (PING, b"")],
        events=[("text", HELLO)], cut=cut)
failed("3.5", "binary with RSV1 and RSV3", [(BINARY, ODD, {"rsv": 5})])
failed("3.6", "ping with RSV1 and RSV2", [(PING, HELLO, {"rsv": 6})])
failed("3.7", "close with all reserved bits", [(CLOSE, b"", {"rsv": 7})],
       closes=True)

# ---- 4: opcodes without a meaning ------------------------------------------

for part, first in (1, 3), (2, 11):
    for n, (payload, before, cut) in enumerate((
            (b"", False, None), (b"reserved", False, None), (b"", True, None),
            (HELLO, True, None), (HELLO, True, 1)), 1):
        opcode = first + n - 1
        failed("4.%d.%d" % (part, n), "%sopcode %d with %d bytes%s%s" % (
            "text, " if before else "", opcode, len(payload),
            ", ping" if before else "", ", byte by byte" if cut else ""),
            [*[(TEXT, HELLO)] * before, (opcode, payload),
             *[(PING, b"")] * before],
            events=[("text", HELLO)] * before, cut=cut)

# ---- 5: fragments ----------------------------------------------------------

OPEN = {"fin": False}
ONE, TWO = b"fragment1", b"fragment2"
for id, opcode in ("5.1", PING), ("5.2", PONG):
    failed(id, "%s in two fragments" % ("ping" if opcode == PING else "pong"),
           [(opcode, ONE, OPEN), (CONTINUATION, TWO)])
for n, (ways, ping) in enumerate((w, p) for p in (False, True)
                                 for w in ("at once", "", "byte by byte")):
    frames = [(TEXT, ONE, OPEN), *[(PING, b"between")] * ping,
              (CONTINUATION, TWO)]
    echoed("5.%d" % (n + 3), "text in two fragments%s%s" % (
        " with a ping between" if ping else "", ways and ", " + ways),
        frames, [("pong", b"between")] * ping + [("text", ONE + TWO)],
        cut={"at once": 1 << 20, "byte by byte": 1}.get(ways))
for n, (fin, ways) in enumerate((f, w) for f in (True, False)
                                for w in ("at once", "", "byte by byte")):
    failed("5.%d" % (n + 9), "%s continuation of nothing, then text%s" % (
        "final" if fin else "open", ways and ", " + ways),
        [(CONTINUATION, b"of nothing", {"fin": fin}), (TEXT, HELLO)],
        cut={"at once": 1 << 20, "byte by byte": 1}.get(ways))
failed("5.15", "text in two fragments, open continuation of nothing, text",
       [(TEXT, ONE, OPEN), (CONTINUATION, TWO), (CONTINUATION, b"three", OPEN),
        (TEXT, b"four")], events=[("text", ONE + TWO)], cut=1 << 20)
for id, fin in ("5.16", False), ("5.17", True):
    failed(id, "twice %s continuation of nothing, text in two fragments" %
           ("final" if fin else "open"),
           [(CONTINUATION, ONE, {"fin": fin}), (TEXT, TWO, OPEN),
            (CONTINUATION, b"fragment3")] * 2)
failed("5.18", "second fragment says text again",
       [(TEXT, ONE, OPEN), (TEXT, TWO)], cut=1 << 20)
FIVE = [b"fragment%d" % i for i in range(1, 6)]
for id, cut in ("5.19", 1 << 20), ("5.20", None):
    echoed(id, "text in five fragments with a ping behind the second and the "
           "fourth%s" % (", at once" if cut else ""),
           [(TEXT, FIVE[0], OPEN), (CONTINUATION, FIVE[1], OPEN),
            (PING, b"pongme 1!"), (CONTINUATION, FIVE[2], OPEN),
            (CONTINUATION, FIVE[3], OPEN), (PING, b"pongme 2!"),
            (CONTINUATION, FIVE[4])],
           [("pong", b"pongme 1!"), ("pong", b"pongme 2!"),
            ("text", b"".join(FIVE))], cut=cut)

# ---- 6: UTF-8 --------------------------------------------------------------


def pieces(payload, size):
    """Text in frames of so many bytes."""
    parts = chop(payload, size)
    return [(CONTINUATION if i else TEXT, p, {"fin": i == len(parts) - 1})
            for i, p in enumerate(parts)]


echoed("6.1.1", "empty text", [(TEXT, b"")], [("text", b"")])
echoed("6.1.2", "text of three empty fragments",
       [(TEXT, b"", OPEN), (CONTINUATION, b"", OPEN), (CONTINUATION, b"")],
       [("text", b"")])
echoed("6.1.3", "text between two empty fragments",
       [(TEXT, b"", OPEN), (CONTINUATION, b"middle", OPEN),
        (CONTINUATION, b"")], [("text", b"middle")])

LATIN = "Hello-\u00b5@\u00df\u00f6\u00e4", "\u00fc\u00e0\u00e1-UTF-8!!"
LATIN = [part.encode() for part in LATIN]
GREEK = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()
EDITED = b"edited"
echoed("6.2.1", "text with letters of two bytes", [(TEXT, b"".join(LATIN))],
       [("text", b"".join(LATIN))])
echoed("6.2.2", "fragmented between two letters",
       [(TEXT, LATIN[0], OPEN), (CONTINUATION, LATIN[1])],
       [("text", b"".join(LATIN))])
echoed("6.2.3", "fragments of a byte", pieces(b"".join(LATIN), 1),
       [("text", b"".join(LATIN))])
echoed("6.2.4", "fragments of a byte, letters of three", pieces(GREEK, 1),
       [("text", GREEK)])


def bad_text(id, about, frames, **how):
    """1007; and nothing but that (the suite: the server has to see it)."""
    case(id, about, frames, Outcome((), (1007,)), Outcome((), (1007, DROP)),
         **how)


SURROGATE = GREEK + b"\xed\xa0\x80" + EDITED
bad_text("6.3.1", "a surrogate within a text", [(TEXT, SURROGATE)])
bad_text("6.3.2", "the same in fragments of a byte", pieces(SURROGATE, 1))

# Nothing is sent behind the octet with which it goes wrong: a server that
# waits for the end of the message or of the frame, says nothing.
BEYOND = GREEK + b"\xf4\x90\x80\x80" + EDITED
bad_text("6.4.1", "fails with the second fragment of three",
         [(TEXT, GREEK, OPEN), (CONTINUATION, b"\xf4\x90\x80\x80", OPEN)])
bad_text("6.4.2", "fails with the octet that ends the second fragment",
         [(TEXT, BEYOND[:12], OPEN), (CONTINUATION, BEYOND[12:13], OPEN)])
WHOLE = {"length": len(BEYOND), "key": bytes(4)}
for id, about, cuts in (
        ("6.4.3", "fails with the second write of three of a frame", (11, 15)),
        ("6.4.4", "fails with the octet that ends the second write",
         (12, 13))):
    def make(cuts=cuts, key=key(id)):
        data = frame(TEXT, BEYOND, key=key)
        return [data[:6 + cuts[0]], data[6 + cuts[0]:6 + cuts[1]]]
    cases.append(Case(id, about, make, Outcome((), (1007,)),
                      Outcome((), (1007, DROP))))


def long_form(code, length):
    """A number in UTF-8's scheme with so many bytes, which may be too many,
    and as it once reached, up to 31 bits."""
    if length == 1:
        return bytes([code])
    tail = []
    for _ in range(length - 1):
        tail.insert(0, 0x80 | code & 0x3f)
        code >>= 6
    return bytes([0xff00 >> length & 0xff | code, *tail])


def is_text(data):
    try:
        return data.decode("utf-8", "strict") is not None
    except UnicodeDecodeError:
        return False


FIRST = [0, 0x80, 0x800, 0x10000, 0x200000, 0x4000000]  # by length
LAST = [0x7f, 0x7ff, 0xffff, 0x1fffff, 0x3ffffff, 0x7fffffff]
ALTERNATING = b"\x80\xbf" * 3
NO_LAST = [long_form(0, n)[:-1] for n in range(2, 7)] + \
    [long_form(LAST[n - 1], n)[:-1] for n in range(2, 7)]
HIGH, LOW = (0xd800, 0xdb7f, 0xdb80, 0xdbff), (0xdc00, 0xdfff)

for part, (about, sequences) in enumerate((
    ("some text", [b"hello%sworld" % chr(c).encode() for c in
                   (0x24, 0xa2, 0x20ac, 0x24b62)] + [GREEK]),
    ("beginning of a text", [GREEK[:n] for n in range(1, len(GREEK) + 1)]),
    ("first one of a length", [long_form(FIRST[n], n + 1) for n in range(4)]),
    ("first one of a length that is no more",
     [long_form(FIRST[n], n + 1) for n in (4, 5)]),
    ("last one of a length", [chr(c).encode() for c in
                              (0x7f, 0x7ff, 0xffff, 0x10ffff)]),
    ("last one of a length that is no more",
     [long_form(LAST[n], n + 1) for n in (3, 4, 5)]),
    ("beside a border", [long_form(0xd7ff, 3), long_form(0xe000, 3),
                         long_form(0xfffd, 3), long_form(0x10ffff, 4),
                         long_form(0x110000, 4)]),
    ("continuation bytes without a start",
     [b"\x80", b"\xbf", *[ALTERNATING[:n] for n in range(2, 7)],
      bytes(range(0x80, 0xbf))]),
    ("starts without a continuation",
     [b"".join(bytes([b, 0x20]) for b in range(*r)) for r in
      ((0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xf7), (0xf8, 0xfb),
       (0xfc, 0xfd))]),
    ("last byte missing", NO_LAST),
    ("a row of those", [b"".join(NO_LAST)]),
    ("bytes that never occur", [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
    ("a slash too long", [long_form(0x2f, n) for n in range(2, 7)]),
    ("the last one too long", [long_form(LAST[n - 2], n)
                               for n in range(2, 7)]),
    ("NUL too long", [long_form(0, n) for n in range(2, 7)]),
    ("a surrogate", [long_form(c, 3) for c in
                     (*HIGH, 0xdc00, 0xdf80, 0xdfff)]),
    ("a pair of surrogates", [long_form(h, 3) + long_form(l, 3)
                              for h in HIGH for l in LOW]),
    ("no character, but allowed", [chr(plane << 16 | c).encode()
                                   for plane in range(17)
                                   for c in (0xfffe, 0xffff)]),
    ("specials", [chr(c).encode() for c in range(0xfff9, 0x10000)]),
), 5):
    for n, data in enumerate(sequences, 1):
        says = "%s: %s" % (about, data.hex() if len(data) < 20 else
                           "%d bytes" % len(data))
        if is_text(data):
            echoed("6.%d.%d" % (part, n), says, [(TEXT, data)],
                   [("text", data)])
        else:
            bad_text("6.%d.%d" % (part, n), says, [(TEXT, data)])

# ---- 7: closing ------------------------------------------------------------

echoed("7.1.1", "text, then a close", [(TEXT, HELLO)], [("text", HELLO)])
NORMAL = Outcome((), (1000,))
for id, about, frames in (
        ("7.1.2", "two close frames", [(CLOSE, closing()), (CLOSE, b"")]),
        ("7.1.3", "ping behind the close", [(CLOSE, closing()), (PING, b"")]),
        ("7.1.4", "text behind the close",
         [(CLOSE, closing()), (TEXT, HELLO)]),
        ("7.1.5", "close within a message, then its rest",
         [(TEXT, ONE, OPEN), (CLOSE, closing()), (CONTINUATION, TWO)])):
    case(id, about, frames, NORMAL, closes=True)
LARGE = (b"BAsd7&jh23" * 26215)[:1 << 18]
case("7.1.6", "text of 256 KB, text, close and ping at once",
     lambda: [(TEXT, LARGE), (TEXT, HELLO), (CLOSE, closing()), (PING, b"")],
     Outcome([("text", LARGE), ("text", HELLO)], (1000,)),
     Outcome([("text", LARGE)], (1000,)), Outcome((), (1000, DROP)),
     closes=True, size=1 << 18, cut=1 << 20)
case("7.3.1", "close without payload", [(CLOSE, b"")],
     Outcome((), (None, 1000)), closes=True)
for id, payload in (("7.3.3", closing()), ("7.3.4", closing(1000, HELLO)),
                    ("7.3.5", closing(1000, b"*" * 123))):
    case(id, "close of %d bytes" % len(payload), [(CLOSE, payload)], NORMAL,
         closes=True)
for id, payload in (("7.3.2", b"a"), ("7.3.6", closing(1000, b"*" * 124))):
    failed(id, "close of %d bytes" % len(payload), [(CLOSE, payload)],
           closes=True)
case("7.5.1", "close with a reason that is not UTF-8",
     [(CLOSE, closing(1000, SURROGATE))], Outcome((), (1007, 1002)),
     Outcome((), (1007, 1002, DROP)), closes=True)
for n, code in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011,
                          3000, 3999, 4000, 4999), 1):
    case("7.7.%d" % n, "close with code %d" % code, [(CLOSE, closing(code))],
         Outcome((), (code, 1000)), closes=True)
for n, code in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999),
                         1):
    failed("7.9.%d" % n, "close with code %d, which nobody may send" % code,
           [(CLOSE, closing(code))], closes=True)
for n, code in enumerate((5000, 65535), 1):
    case("7.13.%d" % n, "close with code %d, of which nothing is said" % code,
         [(CLOSE, closing(code))], Outcome((), (1002,)),
         Outcome((), (code, 1000, 1002, None, DROP)), closes=True)

# ---- 9: large ones ---------------------------------------------------------

M = 1 << 20
SIZES = 64 << 10, 256 << 10, M, 4 * M, 8 * M, 16 * M


def filled(pattern, size):
    return (pattern * (size // len(pattern) + 1))[:size]


def large(id, about, opcode, pattern, size, fragment=None, cut=None):
    """As echoed(), made when it is needed."""
    def frames():
        payload = filled(pattern, size)
        if fragment is None:
            return [(opcode, payload)]
        parts = chop(payload, fragment)
        return [(CONTINUATION if i else opcode, p,
                 {"fin": i == len(parts) - 1}) for i, p in enumerate(parts)]

    class Later(Outcome):
        @property
        def events(self):
            return [event(opcode, filled(pattern, size))]

        @events.setter
        def events(self, _):
            pass
    case(id, about, frames, Later((), (1000,)), ours=True, size=size, cut=cut,
         fragments=-(-size // fragment) if fragment else 1)


def human(n):
    return "%d MB" % (n >> 20) if n >= M else \
        "%d KB" % (n >> 10) if n >= 1 << 10 else "%d bytes" % n


for n, (opcode, pattern, piece) in enumerate((
        (TEXT, b"BAsd7&jh23", b"*"),
        (BINARY, b"\x00\xfe\x23\xfa\xf0", b"\xfe"))):
    kind = event(opcode, b"")[0]
    for i, size in enumerate(SIZES, 1):
        large("9.%d.%d" % (1 + n, i), "%s of %s" % (kind, human(size)),
              opcode, pattern, size)
    for i in range(9):
        large("9.%d.%d" % (3 + n, i + 1), "%s of 4 MB in fragments of %s" % (
            kind, human(64 << 2 * i)), opcode, piece, 4 * M, 64 << 2 * i)
    for i in range(6):
        large("9.%d.%d" % (5 + n, i + 1), "%s of 1 MB in writes of %s" % (
            kind, human(64 << i)), opcode, pattern, M, cut=64 << i)
    for i, size in enumerate((0, 16, 64, 256, 1024, 4096), 1):
        echoed("9.%d.%d" % (7 + n, i), "1,000 times %s of %d bytes and back" %
               (kind, size), [(opcode, piece * size)],
               [(kind, piece * size)], size=size, rounds=1000)

# ---- 12, 13: compression ---------------------------------------------------

compressor = zlib.compressobj(wbits=-15)
SMALL = (compressor.compress(HELLO) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
failed("12.1.1", "compressed text, though the offer was not taken",
       [(TEXT, SMALL, {"rsv": 4})],
       offers=("permessage-deflate; client_max_window_bits",))

# ---- what the list leaves out ----------------------------------------------

own = 0


def mine():
    global own
    own += 1
    return "own.%d" % own


for opcode, payload, name in (
        (TEXT, HELLO, "text"), (TEXT, b"", "empty text"),
        (PING, b"", "empty ping"), (CLOSE, closing(), "close")):
    failed(mine(), name + " without a mask", [(opcode, payload, {"key": None})],
           closes=opcode == CLOSE)
failed(mine(), "second fragment without a mask",
       [(TEXT, ONE, OPEN), (CONTINUATION, TWO, {"key": None})])
# A mask is data, also one that is zero.
echoed(mine(), "mask of zeros", [(TEXT, HELLO, {"key": bytes(4)})],
       [("text", HELLO)])
echoed(mine(), "each frame with another mask",
       [(BINARY, ONE, {"fin": False, "key": b"\xff" * 4}),
        (PING, b"mask", {"key": b"\0\1\2\3"}),
        (CONTINUATION, TWO, {"key": b"\x80\0\0\1"})],
       [("pong", b"mask"), ("binary", ONE + TWO)])
# RFC 6455, 5.2: the fewest bytes must say a length.
for size, form in ((125, 16), (0, 16), (125, 64), (126, 64), (65535, 64)):
    failed(mine(), "length %d said with %d bits" % (size, form),
           [(BINARY, b"x" * size, {"form": form})])
failed(mine(), "ping of 5 bytes, its length said with 16 bits",
       [(PING, b"12345", {"form": 16})])
failed(mine(), "ping, its length said with 64 bits",
       [(PING, b"12345", {"form": 64})])
# Judged by what is announced: not a byte of the payload comes.
for length in (1 << 63, (1 << 64) - 1):
    case(mine(), "binary of %d bytes announced, of which the top bit must be 0"
         % length, [(BINARY, b"", {"length": length, "form": 64})],
         Outcome((), (1002, 1009)), Outcome((), (1002, 1009, DROP)))
for length in ((1 << 63) - 1, 1 << 62, 1 << 32, MAX + 1):
    failed(mine(), "binary of %d bytes announced" % length,
           [(BINARY, b"", {"length": length, "form": 64})], code=1009)
failed(mine(), "fragments that together are announced as too much",
       [(BINARY, b"x", OPEN), (CONTINUATION, b"x", OPEN),
        (CONTINUATION, b"", {"length": MAX - 1, "form": 64})], code=1009)
failed(mine(), "fragments whose sum leaves 64 bits",
       [(BINARY, b"x" * 16, OPEN),
        (CONTINUATION, b"", {"length": (1 << 63) - 1, "form": 64})], code=1009)
failed(mine(), "close in two fragments",
       [(CLOSE, closing(), OPEN), (CONTINUATION, b"")], closes=True)
failed(mine(), "ping of 126 bytes within a message",
       [(TEXT, ONE, OPEN), (PING, b"x" * 126)])
failed(mine(), "continuation with RSV1 within a message",
       [(TEXT, ONE, OPEN), (CONTINUATION, TWO, {"rsv": 4})])
failed(mine(), "binary within a text",
       [(TEXT, ONE, OPEN), (BINARY, TWO)])
echoed(mine(), "close frame's lookalike as a message",
       [(BINARY, b"\x88\x80\0\0\0\0")], [("binary", b"\x88\x80\0\0\0\0")])
case(mine(), "two messages and a ping at once",
     [(TEXT, HELLO), (PING, b"p"), (BINARY, ODD)],
     *[Outcome([*echoes[:at], ("pong", b"p"), *echoes[at:]], (1000,))
       for echoes in ([("text", HELLO), ("binary", ODD)],)
       for at in (1, 0, 2)], ours=True, cut=1 << 20)
echoed(mine(), "a hundred messages at once",
       [(TEXT, b"%d" % i) for i in range(100)],
       [("text", b"%d" % i) for i in range(100)], cut=1 << 20)
echoed(mine(), "a thousand fragments", pieces(b"x" * 1000, 1),
       [("text", b"x" * 1000)], cut=1 << 20, fragments=1000)
echoed(mine(), "letters cut by a ping", [
    (TEXT, b"\xf0\x9f", OPEN), (PING, b"\xff"), (CONTINUATION, b"", OPEN),
    (CONTINUATION, b"\x98\x80")],
    [("pong", b"\xff"), ("text", b"\xf0\x9f\x98\x80")])
echoed(mine(), "binary after text: what is not UTF-8 is allowed again",
       [(TEXT, HELLO), (BINARY, b"\xff\xfe")],
       [("text", HELLO), ("binary", b"\xff\xfe")])
bad_text(mine(), "text that ends within a letter, its fragments do not tell",
         [(TEXT, b"\xf0\x9f", OPEN), (CONTINUATION, b"\x98")])
bad_text(mine(), "letter left open in one message, its rest in the next",
         [(TEXT, b"\xe2\x82"), (TEXT, b"\xac")], cut=1 << 20)
bad_text(mine(), "fails with the second octet of 64 KB",
         [(TEXT, b"x\xff", {"length": 65536, "form": 64})])
# Registered with IANA after the RFC: 1012, 1013, 1014.
for code in (1012, 1013, 1014):
    case(mine(), "close with code %d" % code, [(CLOSE, closing(code))],
         Outcome((), (code, 1000)), Outcome((), (1002, DROP)), closes=True)
failed(mine(), "close with code 1015, which nobody may send",
       [(CLOSE, closing(1015))], closes=True)
case(mine(), "a ping that is answered, then a close",
     [(PING, b"last"), (CLOSE, closing())],
     Outcome([("pong", b"last")], (1000,)), closes=True, cut=1 << 20)


def listed(full=False):
    """All of them; without what is larger than 1 MB and without a thousand
    round trips, if it is not for the full size."""
    return [c for c in cases if full or
            (c.size <= 1 << 18 and c.rounds == 1)]


# ---- and what nobody thought of --------------------------------------------

_small = []
SNIPPETS = [frame(CLOSE, closing()), frame(PING), frame(TEXT, b"\xe2", False),
            frame(CONTINUATION, b"\x82", False), frame(CONTINUATION, b"\xac"),
            frame(BINARY, b"x" * 126)[:8], frame(BINARY, b"x", form=64)]


def mutated(rnd):
    """One or two small cases with a few bytes of them changed."""
    if not _small:
        _small.extend(data for data in (b"".join(c.writes()) for c in listed()
                                        if c.size < 600) if len(data) < 600)
    data = bytearray(rnd.choice(_small))
    if rnd.random() < 0.4:
        data += rnd.choice(_small)
    for _ in range(rnd.choice((0, 1, 1, 1, 2, 3, 5))):
        at = rnd.randrange(len(data) + 1)
        kind = rnd.randrange(6)
        if kind < 2 and at < len(data):
            data[at] ^= 1 << rnd.randrange(8) if kind else rnd.randrange(256)
        elif kind == 2:
            del data[at:at + rnd.randrange(1, 5)]
        elif kind == 3:
            data[at:at] = rnd.randbytes(rnd.randrange(1, 4))
        elif kind == 4:
            other = rnd.choice(_small)
            data[at:] = other[rnd.randrange(len(other)):]
        else:
            data[at:at] = rnd.choice(SNIPPETS)
    return bytes(data)


# ---- against a server ------------------------------------------------------


def done_when(outcome):
    """For exchange(): have as many events come?"""
    wanted = len(outcome.events)
    return lambda events: len(events) >= wanted


def play(case, writes, connect, timeout, limits):
    """One case over one connection of its own: what came of it."""
    outcome = case.strict(**limits)
    offers = [("Sec-WebSocket-Extensions", o) for o in case.offers]
    with connect(headers=offers, timeout=timeout) as ws:
        for _ in range(case.rounds - 1):
            got = exchange(ws, writes, done_when(outcome), timeout, once=True)
            if got[0] != outcome.events:
                return got
        return exchange(ws, writes, done_when(outcome) if case.ours and
                        outcome is case.outcomes[0] else lambda _: False,
                        timeout, case.closes)


def verdict(case, got, limits):
    """"strict", "non-strict", or what is wrong."""
    events, close, end = got
    strict = case.strict(**limits)
    if events == strict.events and close in strict.codes and end == "end":
        return "strict"
    for outcome in case.outcomes:
        if events == outcome.events and close in outcome.codes and \
                end in ("end", "reset"):
            return "non-strict"
    return "expected %r, got %r, %s" % (strict, Outcome(events, (close,)), end)


def run_all(connect, chosen, timeout=20, all_ways=True, **limits):
    """Play them: [(case, way, verdict)]."""
    out = []
    for case in chosen:
        for way, writes in case.ways() if all_ways else \
                [("as given", case.writes())]:
            try:
                got = play(case, writes, connect, timeout, limits)
                out.append((case, way, verdict(case, got, limits)))
            except (Violation, Refused, OSError, EOFError) as e:
                out.append((case, way, repr(e)))
    return out
