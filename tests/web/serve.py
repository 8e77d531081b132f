#!/usr/bin/env python3
"""The example application as ./bootstrap serve runs it, behind a real nginx and
without one: every page answers, a note that is posted is seen by every worker, an edited
file counts with the next request, an error is shown, and one TERM leaves no
process and no file behind."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

TOP = Path(os.environ.get("TOP_SRCDIR", Path(__file__).resolve().parents[2]))
BUILD = Path(os.environ.get("TOP_BUILDDIR", TOP / "build"))
PAGES = {
    "/": (200, "Words from a file"),
    "/notes": (200, "Guest book"),
    "/chat": (200, "Counter"),
    "/primes": (200, "40 million"),
    "/request?a=%3Cb%3E": (200, "&lt;b&gt;"),
    "/worker": (200, "Requests served"),
    "/style.css": (200, "color-scheme"),
    "/favicon.ico": (204, ""),
    "/no/such/page": (404, "There is nothing here"),
}


class Tap:
    def __init__(self):
        self.count, self.failed = 0, False

    def ok(self, good, what, *more):
        self.count += 1
        print("ok" if good else "not ok", self.count, "-", what)
        for line in more if not good else ():
            print("#", line)
        self.failed = self.failed or not good

    def skip(self, what, why):
        self.count += 1
        print("ok", self.count, "-", what, "# SKIP", why)


class Site:
    """serve as it runs in a checkout: a copy of ours, since files of the
    application are changed."""

    def __init__(self, scratch, nginx):
        self.scratch = scratch
        self.process = subprocess.Popen(
            [scratch / "conf/serve", BUILD], stdout=subprocess.PIPE, text=True,
            stderr=open(scratch / "stderr", "w"),
            env={**os.environ, "TMPDIR": str(scratch), "NGINX": nginx})
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if "stop " in line:
                break

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=60)

    def value(self, pattern):
        found = re.search(pattern, self.said)
        return found and found[1]

    def connect(self):
        return http.client.HTTPConnection(
            "127.0.0.1", int(self.value(r"127\.0\.0\.1:(\d+)")), timeout=30)

    def ask(self, path, method="GET", fields=None, headers=None):
        connection = self.connect()
        body = fields and urllib.parse.urlencode(fields)
        sent = {"Content-Type": "application/x-www-form-urlencoded"} \
            if fields else {}
        connection.request(method, path, body, {**sent, **(headers or {})})
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, response.headers, text

    def ask_two(self, path):
        """Ask while another worker is in the middle of its stream: the text,
        and whether the stream's first piece came before its last."""
        connection = self.connect()
        connection.request("GET", "/primes")
        response = connection.getresponse()
        first = response.read1()
        _, _, text = self.ask(path)
        rest = response.read()
        connection.close()
        return text, b"</html>" not in first and b"</html>" in rest


def pages(tap, site, whole):
    for path, (status, words) in PAGES.items():
        if path == "/primes" and not whole:
            continue  # it takes its time
        got, _, text = site.ask(path)
        tap.ok(got == status and words in text, f"{path} answers {status}",
               got, text)
    got, _, text = site.ask("/error")
    tap.ok(got == 500 and "always fails" in text and "app.lua:" in text,
           "/error answers 500 and shows the place", got, text)
    error = r"GET /error: .*app\.lua:\d+: this page always fails"
    deadline = time.monotonic() + 20
    log = ""
    while not re.search(error, log) and time.monotonic() < deadline:
        log = (site.scratch / "stderr").read_text()
    tap.ok(re.search(r"errors +appear here", site.said) and
           re.search(error, log),
           "the terminal has the error, as serve says", site.said, log)
    got, headers, _ = site.ask("/worker", "DELETE")
    tap.ok(got == 405 and headers["Allow"] == "GET",
           "a method that is not there is answered 405", got, headers)


def chat(tap, site):
    """The page's WebSocket; tests/web/chat.py looks at what is said there."""
    connection = site.connect()
    connection.request("GET", "/chat/socket", headers={
        "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Origin": "http://127.0.0.1:%d" % connection.port})
    response = connection.getresponse()
    connection.close()
    tap.ok(response.status == 101 and response.headers[
        "Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "the chat has its WebSocket", response.status, response.headers)


def worker_of(text):
    return re.search(r"worker <strong>(\d+)", text)[1]


def guest_book(tap, site):
    note = {"name": "<b>Ada", "text": "one\ntwo & \"three\" <script>"}
    got, headers, _ = site.ask("/notes", "POST", note)
    tap.ok(got == 303 and headers["Location"] == "/notes",
           "a post is answered by a redirect", got, headers)
    cookie = headers["Set-Cookie"] or ""
    _, _, text = site.ask("/notes", headers={"Cookie": cookie.split(";")[0]})
    tap.ok("HttpOnly" in cookie and 'value="&lt;b&gt;Ada"' in text,
           "whoever has written is known by a cookie", cookie, text)
    seen, streamed = {}, True
    for _ in range(2):
        text, in_pieces = site.ask_two("/notes")
        seen[worker_of(text)] = text
        streamed = streamed and in_pieces
        # whoever shows it next is another
        os.kill(int(worker_of(text)), signal.SIGKILL)
    tap.ok(len(seen) == 2 and all("one\ntwo &amp;" in t
                                  for t in seen.values()),
           "another worker shows the note too", *seen)
    tap.ok(streamed, "a streamed page arrives piece by piece")
    tap.ok(all("<script>" not in t and "&lt;b&gt;Ada" in t
               for t in seen.values()), "escaped", *seen.values())
    got, _, text = site.ask("/notes", "POST", {"name": "A", "text": " "})
    tap.ok(got == 422 and "Please give" in text,
           "an empty note is refused with a reason", got, text)
    got, _, _ = site.ask("/notes", "POST", note,
                         {"Origin": "http://elsewhere.example"})
    tap.ok(got == 403, "a form of another site is refused", got)


def edit(tap, site):
    pages_file = Path(site.value(r"its files +(\S+)")) / "pages.lua"
    text = pages_file.read_text()
    for change, wanted in ((lambda t: t.replace("Skip to", "Edited: skip to"),
                            (200, "Edited: skip to")),
                           (lambda t: t + "oops oops",
                            (500, "pages.lua:")),
                           (lambda t: t, (200, "Words from a file"))):
        new = pages_file.with_suffix(".new")
        new.write_text(change(text))
        new.chmod(0o755)
        new.rename(pages_file)
        got, _, page = site.ask("/")
        tap.ok(got == wanted[0] and wanted[1] in page,
               "an edited file is what answers: %s" % wanted[1], got, page)


def reload(tap, site):
    message = Path(site.value(r"its files +(\S+)")) / "message.txt"
    message.write_text("fresh <words>\n")
    os.kill(int(site.value(r"kill -HUP (\d+)")), signal.SIGHUP)
    deadline = time.monotonic() + 20
    text = ""
    while "fresh &lt;words&gt;" not in text and time.monotonic() < deadline:
        _, _, text = site.ask("/")
    tap.ok("fresh &lt;words&gt;" in text, "a reload shows new words", text)


def home(tap, scratch, nginx):
    """A checkout that the user of the pool cannot read."""
    if os.getuid() != 0:
        tap.skip("another user's checkout", "not root")
        return
    (scratch / "conf").chmod(0o700)
    site = Site(scratch, nginx)
    files = site.value(r"its files +(\S+)")
    tap.ok(files.startswith(str(scratch / "lua-fpm-serve.")) and
           "a copy" in site.said and site.ask("/")[0] == 200,
           "where the pool's user cannot read them, files are a copy",
           site.said)
    site.stop()


def processes(scratch):
    """Those that have the scratch directory in their command line."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(scratch).encode() in entry.read_bytes():
                yield entry.parent.name
        except OSError:
            pass


def stop(tap, site, scratch):
    code = site.stop()
    tap.ok(code == 0, "TERM stops it", code)
    left = list(processes(scratch)) + [
        str(p) for p in scratch.iterdir() if p.name not in ("stderr", "conf")]
    tap.ok(not left, "nothing is left", *left)


def serve(tap, nginx, whole):
    with tempfile.TemporaryDirectory(prefix="lua-fpm-test.") as name:
        scratch = Path(name)
        scratch.chmod(0o711)
        shutil.copytree(TOP / "conf", scratch / "conf",
                        copy_function=shutil.copyfile)
        for path in (scratch / "conf", *(scratch / "conf").rglob("*")):
            path.chmod(0o755)
        site = Site(scratch, nginx)
        try:
            up = site.value(r"http://127\.0\.0\.1:(\d+)/") is not None
            tap.ok(up, "serve comes up and says where",
                   *(scratch / "stderr").read_text().splitlines())
            if up:
                pages(tap, site, whole)
                chat(tap, site)
                if whole:
                    guest_book(tap, site)
                edit(tap, site)
                reload(tap, site)
                stop(tap, site, scratch)
                home(tap, scratch, nginx)
        finally:
            site.process.terminate()
            site.process.wait()


def main():
    tap = Tap()
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    serve(tap, "", not nginx)
    if nginx:
        serve(tap, "nginx", True)
    else:
        tap.skip("behind nginx", "nginx is not installed")
    print(f"1..{tap.count}")
    return tap.failed


if __name__ == "__main__":
    sys.exit(main())
