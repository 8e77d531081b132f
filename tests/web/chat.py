#!/usr/bin/env python3
"""The chat of the example application in two real browsers at once: what is said
in one is in the other, over workers that are replaced and a daemon that is
started anew; over FastCGI alone its page says what it lacks, and works.

SCREENSHOTS=DIRECTORY keeps its pictures there."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from browser import CONTRAST, NEEDS, Browser
from ws_daemon import *
import urllib.parse

HOSTILE = "<img src=x onerror=window.hit=1> & \"it's\" <script>window.hit=2" \
    "</script>"


class Example(WsDaemon):
    """The example application, a copy that can be edited, with an address for
    each protocol."""

    def __init__(self, **pool):
        super().__init__(**{"shared": {"chat": "1M"}, "websocket": {
            "drain": "500ms"}, "workers": {"mode": "static", "max": 3}, **pool})
        self.pools["www"]["listen"] = [self.pools["www"]["listen"],
                                       self.dir + "/www.sock"]
        self.sockets.add(self.dir + "/www.sock")
        self.files = self.dir + "/example"
        shutil.copytree(SRC + "/conf/example", self.files,
                        copy_function=shutil.copyfile)
        subprocess.run(["chmod", "-R", "u+w,a+rX", self.files], check=True)
        self.set_pool("www", **{**self.pools["www"],
                                "app": self.files + "/app.lua"})

    def address(self, pool="www"):
        return self.dir + "/www.sock"

    def enter(self, name="", **how):
        return self.ws(path="/chat/socket?" + form(name=name), **how)

    def change(self, file):
        """Edited: a reload replaces the workers."""
        with open(self.files + "/" + file) as f:
            text = f.read()
        write(self.files + "/new", text + "\n-- edited\n")
        os.chmod(self.files + "/new", 0o644)
        os.rename(self.files + "/new", self.files + "/" + file)


def form(**fields):
    return urllib.parse.urlencode(fields)


def told(ws, kind):
    """The next of that kind: name -> values."""
    while True:
        fields = urllib.parse.parse_qs(ws.receive())
        if fields["kind"] == [kind]:
            return fields


d = Example()
ada = grace = None


def enter(b, port, name=None):
    b.open("http://127.0.0.1:%s/chat" % port)
    is_live(b)
    if name is not None:
        b.js("const e = document.getElementById('name'); e.value = "
             "arguments[0]; e.dispatchEvent(new Event('change'))", name)
        shows(b, "#people", name)


def is_live(b):
    b.until("return document.getElementById('state').textContent === 'Live'",
            what="it is live")


def shows(b, where, text):
    b.until("return document.querySelector(arguments[0])?.innerText"
            ".includes(arguments[1])", where, text, what="%s has %s" % (
                where, text))


def say(b, text):
    b.js("document.getElementById('text').value = arguments[0];"
         "document.getElementById('say').requestSubmit()", text)


def said(b):
    return b.js("return [...document.querySelectorAll('#messages .text')]"
                ".map(e => e.textContent)")


def are_said(b, *texts):
    b.until("return document.querySelectorAll('#messages li').length >= "
            "arguments[0]", len(texts), what="all is said")
    equal(said(b), list(texts))


def count(b):
    return b.js("return +document.getElementById('count').value")


@test
def two_browsers():
    """what one says both have, as text; who is here, under which name; the
    counter"""
    global ada, grace
    d.start()
    ada, grace = Browser(), Browser()
    port = d.web.rpartition(":")[2]
    enter(ada, port, "Ada")
    enter(grace, port, "Grace <b>")
    shows(ada, "#people", "Grace <b>")
    equal(ada.js("return document.getElementById('how-many').textContent"), "2")
    say(ada, "Hello, is anybody here?")
    shows(grace, "#messages", "anybody")
    say(grace, HOSTILE)
    shows(ada, "#messages", "window.hit")
    for b in ada, grace:
        are_said(b, "Hello, is anybody here?", HOSTILE)
        equal(b.js("return [document.querySelectorAll('#main img, #main b, "
                   ".chat script').length, window.hit === undefined]"),
              [0, True])
    b.until("return document.getElementById('text').value === ''",
            what="what was sent goes")
    for b in ada, grace, ada:
        b.js("document.getElementById('raise').click()")
    for b in ada, grace:
        until(lambda b=b: count(b) == 3, "both count", 60)
    equal(ada.js("return document.querySelectorAll('.own').length"), 1)


@test
def survives():
    """workers that a reload replaces, and killed ones: nobody loses the
    connection, a third browser sees what was said"""
    d.expect("killed by signal")
    for b in ada, grace:
        b.js("window.closed = 0; "
             "socket.addEventListener('close', () => window.closed++)")
    old = d.workers()
    d.change("chat.lua")
    d.reload()
    until(lambda: not set(old) & set(d.workers()), "other workers")
    say(ada, "after the reload")
    shows(grace, "#messages", "after the reload")
    for pid in d.workers():
        kill(pid, signal.SIGKILL)
    say(grace, "after the kill")
    shows(ada, "#messages", "after the kill")
    equal([b.js("return window.closed") for b in (ada, grace)], [0, 0])
    texts = ["Hello, is anybody here?", HOSTILE, "after the reload",
             "after the kill"]
    with d.enter("Third") as third:
        third.send(form(kind="hello", after=0))
        told(third, "welcome")
        equal([told(third, "message")["text"][0] for _ in texts], texts)
        shows(ada, "#people", "Third")
        third.finish()
    b.until("return !document.getElementById('people').innerText"
            ".includes('Third')")
    ada.open("http://%s/chat" % d.web)
    is_live(ada)
    shows(ada, "#people", "Ada")
    are_said(ada, *texts)
    equal([c for b in (ada, grace) for c in b.complaints()], [])
    pictures()


def pictures():
    """In both schemes and at both ends of widths; no text is pale, nothing
    sticks out."""
    where = os.environ.get("SCREENSHOTS", d.dir)
    for b, name, width, height, scheme in (
            (ada, "ada", 1200, 900, "light"), (grace, "grace", 1200, 900, "dark"),
            (ada, "ada", 360, 740, "dark"), (grace, "grace", 360, 740, "light")):
        b.look(width, height, scheme)
        b.until("return innerWidth === arguments[0]", width)
        ratio, text, seen = b.js(CONTRAST)
        assert ratio >= 4.5 and seen > 20, (scheme, ratio, text, seen)
        wide = b.js("return document.documentElement.scrollWidth")
        assert wide <= width, "%d px wide in a window of %d" % (wide, width)
        b.picture("%s/chat-%s-%d-%s.png" % (where, name, width, scheme))


@test
def comes_back():
    """a daemon that is stopped: the page says so, keeps what was written and
    not sent, and comes back by itself; what was said before is still there"""
    d.kill(signal.SIGTERM)
    equal(d.wait_exit(), 0)
    d.check_gone()
    for b in ada, grace:
        shows(b, "#state", "trying again")
    d.start()
    for b in ada, grace:
        is_live(b)
    shows(grace, "#people", "Ada")
    say(ada, "back again")
    shows(grace, "#messages", "back again")
    equal(len(said(grace)), 5)
    until(lambda: count(ada) == count(grace) == 0, "the counter is new", 60)
    for b in ada, grace:
        b.complaints()


@test
def limits():
    """what is empty, too long, no text, too much at a time is refused with a
    reason, and everybody else goes on; what is not understood closes"""
    with d.enter() as ws, d.enter("\u00e9" * 40) as other:
        ws.send(form(kind="hello", after=1 << 53))
        matches("^Guest ....$", told(ws, "welcome")["name"][0])
        other.send(form(kind="hello", after=1 << 53))
        equal(told(other, "welcome")["name"], ["\u00e9" * 40])
        ws.send(form(kind="name", name="  A\u0000\t b  "))
        equal(told(ws, "name")["name"], ["A b"])
        for name in "", " ", "x" * 41, b"\xff":
            ws.send(form(kind="name", name=name))
            equal(told(ws, "name")["name"], ["A b"])
        for text in "", " \r\n", "\u00e9" * 501, "x" * 60000, b"\xff":
            ws.send(form(kind="say", text=text))
            matches("Please give a name", told(ws, "problem")["text"][0])
        ws.send(form(kind="say", text="\u00e9" * 500))
        equal(told(other, "message")["text"], ["\u00e9" * 500])
        for n in range(40):
            ws.send(form(kind="say", text="spam %d" % n))
        matches("too much", told(ws, "problem")["text"][0])
        other.send(form(kind="say", text="calm"))
        while told(ws, "message")["text"] != ["calm"]:
            pass
        for after in "1e300", "-1", "x", str(1 << 63), "-" + str(1 << 63):
            ws.send(form(kind="hello", after=after))
            told(ws, "message")
        for nonsense in "", "kind=root", "\0", b"kind=say&text=x":
            with d.enter() as bad:
                bad.send(nonsense)
                equal(bad.failed(), (1008, "end"))
    equal(d.refusal(path="/")[0], 404)


@test
def last_messages():
    """the last 100 are kept, and the page has them; only those are sent that
    a browser has not"""
    with contextlib.ExitStack() as stack:
        for i in range(8):
            ws = stack.enter_context(d.enter("Many"))
            for n in range(15):
                ws.send(form(kind="say", text="%d, %d" % (i, n)))
            for n in range(15):
                told(ws, "said")
        ws.send(form(kind="hello", after=0))
        told(ws, "welcome")
        got = [told(ws, "message") for _ in range(100)]
        numbers = [int(m["number"][0]) for m in got]
        equal(numbers, list(range(numbers[0], numbers[0] + 100)))
        equal(got[-1]["text"], ["7, 14"])
        ws.send(form(kind="hello", after=numbers[-3]))
        told(ws, "welcome")
        equal([told(ws, "message")["text"][0] for _ in "ab"],
              ["7, 13", "7, 14"])
    page = d.fetch(params=[("SCRIPT_NAME", "/chat")]).body.decode()
    equal(page.count("<li data-number"), 100)


@test
def over_fastcgi():
    """behind a web server that knows FastCGI alone the page says why it is not
    live; what is sent is in the other page once it is reloaded, and at once
    where there are WebSockets"""
    with Nginx(d.address()) as n:
        grace.open("http://127.0.0.1:%d/chat" % n.port)
        shows(grace, "#state", "Not live")
        shows(grace, "#why", "comes over FastCGI")
        name, text = "Grace <i>", "by a form <b>"
        grace.js("document.getElementById('name').value = arguments[0]", name)
        say(grace, text)
        shows(grace, "#messages", text)
        equal(grace.js("return [location.pathname, document.getElementById("
                       "'name').value, document.getElementById('text').value]"),
              ["/chat", name, ""])
        shows(ada, "#messages", text)
        say(ada, "I see you")
        grace.until("location.reload(); return document.body.innerText"
                    ".includes('I see you')", what="it is there after a reload")
        shows(grace, "#why", "comes over FastCGI")
        grace.picture(os.environ.get("SCREENSHOTS", d.dir) +
                      "/chat-fastcgi.png")
        status, _, body = http(n.port, "POST", "/chat", body=form(
            name="x", text=" ").encode(), headers={
                "Content-Type": "application/x-www-form-urlencoded"})
        equal(status, 422)
        assert b"Please give" in body
        equal(http(n.port, "POST", "/chat", body=b"name=x&text=y", headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": "http://evil.example"})[0], 403)
        for b in ada, grace:
            b.stop()  # nginx waits for connections that are kept


@test
def without_a_dictionary():
    """a pool that shares nothing: the page says what it needs"""
    with Example(shared={}) as other:
        r = other.fetch(params=[("SCRIPT_NAME", "/chat")])
        equal(r.status, 503)
        assert b"--shared chat=1M" in r.body, r.body
        equal(other.refusal(path="/chat/socket")[0], 503)


run(240, needs=("/usr/sbin/nginx", *NEEDS), over=FCGI)
