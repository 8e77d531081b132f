#!/usr/bin/env python3
"""Every example of man/*.3lua, lua-fpm-app(7) and lua-fpm-from(7) does what the
page says.

A literal block (.Bd -literal) of these pages is an example, and the line above
it says of which kind, as a comment of roff:

  .\\" example: program
    a Lua program, run by lua5.4 with the library on its path, in a directory
    of its own.  Every line that it prints stands in it behind "-->", at the end
    of the line that prints it or on a line of its own, in this order.
  .\\" example: worker [KEYS]
    the same inside of a worker: the body of accept(env).
  .\\" example: application [KEYS]
    the file of an application, served by a pool of its own.  KEYS are further
    keys of the pool, as in its configuration: interface = "wsapi";  @SRC@
    in them is the directory of the sources.
  .\\" example: exchange
    requests to the last application before it, and what it answers:
        > POST /notes?draft=1
        > Content-Type: text/plain
        >
        > Buy milk.
        < 201 Created
        < Location: /notes/1
        <
        < saved
        ! lua-fpm: a note
    The headers named must be sent, others may be; if there is no blank "<"
    line, nothing is said of the body, else it is this (a line feed at its end
    does not count).  "!" is a part of a line that is then in the error log.
    Several exchanges stand behind one another, on a connection each.
  .\\" example: pool
    keys in the pool's configuration: of the next application (or worker).
  .\\" example: file NAME
    a file beside the next application, program or worker: a module, a
    template.
  .\\" example: none REASON
    text that nothing can be proved of, such as what a shell prints.

In what is printed and answered "..." stands for anything, and blanks and tabs
for one another.  In the body of a request "..." stands for itself; the lines of
a multipart body end in CRLF.  What a page cannot show, such as a database, has
no place here: it is a test of its own.
"""

import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

KINDS = ("program", "worker", "application", "exchange", "pool", "file",
         "none")
LUA_PATH = "%s/src/lua/?.lua;%s/src/lua/?/init.lua;./?.lua" % (
    os.path.abspath(SRC), os.path.abspath(SRC))
WORKER = """
local app = {}
function app.accept(env)
  local printed = {}
  local function print(...)
    local texts = table.pack(...)
    for i = 1, texts.n do
      texts[i] = tostring(texts[i])
    end
    printed[#printed + 1] = table.concat(texts, " ") .. "\\n"
  end
  local function example(...)
%s
  end
  example()
  return { ["Content-Type"] = "text/plain" }, printed
end
return app
"""


# ---- the pages --------------------------------------------------------------


class Example:
    def __init__(self, page, line, kind, about):
        self.page, self.line, self.kind, self.about = page, line, kind, about
        self.lines = []
        self.pool = None  # the name of that which serves it
        self.files = []   # beside it
        self.keys = about if kind in ("worker", "application") else ""

    @property
    def place(self):
        return "%s:%d" % (os.path.basename(self.page), self.line)

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)


def unescape(line):
    """What a line of a literal block looks like on the page."""
    for escape, text in (("\\&", ""), ("\\-", "-"), ("\\(aq", "'"),
                         ("\\(dq", '"'), ("\\e", "\\")):
        line = line.replace(escape, text)
    return line


def examples_of(page):
    marker = example = None
    with open(page) as f:
        for number, line in enumerate(f.read().splitlines(), 1):
            if example is not None and line != ".Ed":
                example.lines.append(unescape(line))
            elif example is not None:
                yield example
                example = None
            elif line.startswith(".Bd -literal"):
                assert marker, "%s:%d: an example of no kind" % (page, number)
                example = Example(page, number, *marker)
            marker = re.match(r'\.\\" example: (\w+) ?(.*)$', line)
            if marker:
                marker = marker.groups()
                assert marker[0] in KINDS, "%s:%d: %s" % (page, number, marker)


def all_examples():
    pages = sorted(glob.glob(os.path.join(SRC, "man", "*.3lua")))
    pages += [os.path.join(SRC, "man", name)
              for name in ("lua-fpm-app.7", "lua-fpm-from.7")]
    for page in pages:
        files, keys, application = [], "", None
        for example in examples_of(page):
            if example.kind == "file":
                files.append(example)
            elif example.kind == "pool":
                keys += example.text
            elif example.kind == "exchange":
                assert application, example.place + ": of no application"
                example.pool = application
            if example.kind in ("program", "worker", "application"):
                example.files, files = files, []
            if example.kind in ("worker", "application"):
                example.keys += keys
                keys = ""
            if example.kind == "application":
                application = example
            yield example
        assert not files and not keys, "%s: a file or keys for nothing" % page


EXAMPLES = list(all_examples())


# ---- what is compared -------------------------------------------------------


def pattern(text):
    """A regex for what a page says."""
    parts = [re.escape(part) for part in text.split("...")]
    return re.sub(r"(\\?[ \t])+", r"[ \\t]+", "(?s:.*)".join(parts)) + r"\Z"


def compare(got, wanted, what):
    got, wanted = got.rstrip("\n"), wanted.rstrip("\n")
    assert re.match(pattern(wanted), got), "%s: the page has\n%s\nbut it is\n%s" % (
        what, wanted, got)


def promised(example):
    """What a program prints, as the page says."""
    found = (re.search(r"--> ?(.*)$", line) for line in example.lines)
    return "\n".join(f[1] for f in found if f)


# ---- programs ---------------------------------------------------------------


def run_program(example):
    dir = scratch()
    try:
        for file in [*example.files]:
            write(os.path.join(dir, file.about), file.text)
        write(dir + "/example.lua", example.text)
        code, out, err = tool("example.lua", program="lua5.4", cwd=dir, env={
            **os.environ, "LUA_PATH": LUA_PATH, "TZ": "UTC"})
        equal((code, err), (0, ""), example.place)
        compare(out, promised(example), example.place)
    finally:
        shutil.rmtree(dir)


# ---- applications: all in one daemon ----------------------------------------


class Applications(Daemon):
    """A pool for each application, with its keys as they are."""

    def __init__(self, examples):
        super().__init__(pools={"none": {}})
        self.pools, self.keys = {}, {}
        for n, example in enumerate(examples):
            example.name = "p%d" % n
            dir = "%s/%s" % (self.dir, example.name)
            os.mkdir(dir)
            for file in example.files:
                path = os.path.join(dir, file.about)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                write(path, file.text)
            write(dir + "/app.lua", example.text if example.kind ==
                  "application" else WORKER % example.text)
            self.set_pool(example.name, app=dir + "/app.lua", workers={
                "mode": "static", "max": 1})
            for key in re.findall(r"(?m)^\s*(\w+)\s*[:=]", example.keys):
                self.pools[example.name].pop(key, None)
            self.keys[example.name] = example.keys.replace(
                "@SRC@", os.path.abspath(SRC))

    def configuration(self):
        pools = "".join("%s: %s%s\n};\n" % (name, libconfig(pool)[:-1],
                                            self.keys[name])
                        for name, pool in self.pools.items())
        return "".join("%s = %s;\n" % (k, libconfig(v))
                       for k, v in self.top.items()) + \
            "pools: {\n%s};\n" % pools


shared = None


def daemon():
    global shared
    if shared is None:
        served = [e for e in EXAMPLES if e.kind in ("worker", "application")]
        shared = Applications(served)
        shared.expect("")  # whatever a page lets go wrong
        shared.start()
    return shared


def run_worker(example):
    r = daemon().fetch(example.name)
    equal(r.status, 200, "%s: %s" % (example.place, daemon().tail()))
    compare(r.body.decode(), promised(example), example.place)


# ---- exchanges --------------------------------------------------------------


def conversations(example):
    """(lines of the request, of the response, of the log) each."""
    asked = ([], [], [])
    for line in example.lines:
        kind, line = line[:1], line[2:]
        if kind == ">" and asked[1]:
            yield asked
            asked = ([], [], [])
        if kind:
            assert kind in "><!", "%s: %s" % (example.place, line)
            asked["><!".index(kind)].append(line)
    yield asked


def message(lines):
    """First line, headers, body; a body of None if there is no blank line."""
    body, head = None, lines[1:]
    if "" in head:
        blank = head.index("")
        head, body = head[:blank], head[blank + 1:]
    return lines[0], [tuple(h.split(": ", 1)) for h in head], body


def request_of(lines):
    first, headers, body = message(lines)
    method, uri = first.split()[:2]
    params = []
    for name, value in headers:
        name = name.upper().replace("-", "_")
        params.append((name if name in ("CONTENT_TYPE", "CONTENT_LENGTH")
                       else "HTTP_" + name, value))
    crlf = dict(params).get("CONTENT_TYPE", "").startswith("multipart/")
    if body is not None:
        body = ("\r\n" if crlf else "\n").join(body + [""] * crlf)
    return {"method": method, "uri": uri, "params": params, "body": body}


def run_exchange(example):
    d, name = daemon(), example.pool.name
    for asked, answered, logged in conversations(example):
        mark = d.log_mark()
        status, headers, body = message(answered)
        r = d.fetch(name, **request_of(asked))
        what = "%s: %s" % (example.place, asked[0])
        assert r.status_line, "%s: %r\n%s" % (what, r, d.tail())
        compare(r.status_line, status, what + ": %r" % r.body)
        for header, value in headers:
            assert any(re.match(pattern(value), v) for v in r.header(header)), \
                "%s: %s: %r" % (what, header, r.headers)
        if body is not None:
            compare(r.body.decode(), "\n".join(body), what)
        for line in logged:
            d.wait_log(pattern(line)[:-2], mark)


RUN = {"program": run_program, "worker": run_worker, "exchange": run_exchange}


def add(page, examples):
    def point():
        for example in examples:
            RUN[example.kind](example)
    point.__name__ = page
    point.__doc__ = "the %d examples of %s" % (len(examples), page)
    test(point)


for page in sorted({e.page for e in EXAMPLES}):
    add(os.path.basename(page),
        [e for e in EXAMPLES if e.page == page and e.kind in RUN])


@test
def answered():
    """every application of a page is asked something"""
    asked = {e.pool for e in EXAMPLES if e.kind == "exchange"}
    for example in EXAMPLES:
        assert example.kind != "application" or example in asked, example.place


run(120, needs=("lua5.4",), over=FCGI)
