#!/usr/bin/env python3
"""Forms and uploads in a worker: env.query, env:form, and what is on disk."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

d = Daemon(workers={"mode": "static", "max": 1}, limits={"memory": "16M"})
TYPE = ("CONTENT_TYPE", "multipart/form-data; boundary=XX")
PART = (b'--XX\r\nContent-Disposition: form-data; name="f"; filename="x"'
        b"\r\n\r\n")
END = b"\r\n--XX--\r\n"
DIRECTORY = d.dir + "/rw"
FORM = ('local fields, files, message = env:form { directory = "%s" } '
        "if not fields then return { Status = files }, message end "
        % DIRECTORY)


def lua(text, **q):
    r = d.lua(text, **q)
    equal((r.status, r.app_status), (200, 0), r)
    return r.body.decode()


def upload(text, content=b"content", **q):
    return d.lua(FORM + text, params=[TYPE], body=PART + content + END, **q)


def unnamed():
    """Links of the worker's descriptors in the directory of uploads."""
    return [link for _, link in fds(d.workers()[0])
            if link.startswith(DIRECTORY)]


@test
def in_c():
    """the tests of tests/lua/form.lua hold with the half in C"""
    d.start()
    for name in ("tap", "form"):
        with open(os.path.join(SRC, "tests", "lua", name + ".lua")) as f:
            d.write_app(f.read(), ("lua_" if name == "form" else "") + name +
                        ".lua")
    got = lua("""
        local lines, own_print, own_exit = {}, print, os.exit
        print = function(line) lines[#lines + 1] = line .. "\\n" end
        os.exit = function() end
        local good, message = pcall(dofile, "%s/lua_form.lua")
        print(good and "done" or message)
        print, os.exit = own_print, own_exit
        return text(lines)""" % d.dir)
    assert "not ok" not in got and got.endswith("done\n"), got
    assert got.count("ok ") > 30, got
    equal(lua('return text(type(package.loaded["fpm.core.form"]))'), "table")


MISUSE = """
local core = require "fpm.core.form"
local bad = { nil, 1, -1, 1.5, 1 << 62, "", "x", ("x"):rep(71), "a\0b", "\1",
  true, {}, print, io.stderr, assert(core.temporary()), core.scanner "XX",
  n = 16 }
bad[15]:close()
for name, f in pairs(core) do
  for i = 1, bad.n do
    for j = 1, bad.n do
      pcall(f, bad[i], bad[j])
    end
  end
end
for i = 1, bad.n do
  for j = 1, bad.n do
    for k = 1, bad.n do
      local s = core.scanner "XX"
      pcall(s.next, s, bad[i], bad[j], bad[k])
      pcall(s.next, bad[i], bad[j], bad[k])
    end
  end
end
collectgarbage()
return text "sound"
"""


@test(over=FCGI, because="no header has a NUL")
def misuse():
    """the half in C stands arguments of any kind"""
    with tempfile.TemporaryDirectory(dir=DIRECTORY) as dir:
        os.chmod(dir, 0o777)
        equal(lua(MISUSE.replace("core.temporary()",
                                 'core.temporary "%s"' % dir)), "sound")


DIFFERENCE = """
local core, plain = require "fpm.core.form", require "fpm.form_plain"
local words = { "\\r\\n--XX", "--XX", "\\r\\n", "\\r", "\\n", "-", "--", " ",
  "a", "XX", "\\r\\n--XX\\r\\n\\r\\n", "\\0",
  "\\r\\n--XX\\r\\nh: 1\\r\\n\\r\\n",
  "--XX--", "X", "%%", "&", "=", "+", "%%4", "1f" }
local function random()
  local out = {}
  for i = 1, math.random(12) do
    out[i] = words[math.random(#words)]
  end
  return table.concat(out)
end
-- The events of a body that comes in pieces, neighbouring data as one.
local function events(scanner, body, cuts)
  local out, from = {}, 1
  for _, to in ipairs(cuts) do
    local piece, at, event, value = body:sub(from, to), 1, nil, nil
    repeat
      event, at, value = scanner:next(piece, at, true)
      if event == "data" and out[#out - 1] == "data" then
        out[#out] = out[#out] .. value
      elseif event ~= "more" then
        out[#out + 1], out[#out + 2] = event, value
      end
    until event == "more" or event == "bad"
    if event == "bad" then
      break
    end
    from = to + 1
  end
  return table.concat(out, "|")
end
math.randomseed(%d)
for i = 1, 8000 do
  local body, cuts = (math.random(2) == 1 and "--XX\\r\\n\\r\\n" or "") ..
    random(), {}
  for at = 1, #body - 1 do
    if math.random(3) == 1 then cuts[#cuts + 1] = at end
  end
  cuts[#cuts + 1] = #body
  local a = events(core.scanner("XX"), body, cuts)
  local b = events(plain.scanner("XX"), body, cuts)
  local c = events(core.scanner("XX"), body, { #body })
  assert(a == b and a == c, ("%%q: %%q, %%q, %%q"):format(body, a, b, c))
  local l, n, m = core.split(body, 3)
  local k, o, p = plain.split(body, 3)
  assert(n == o and m == p and table.concat(l, "|") == table.concat(k, "|"),
    ("%%q"):format(body))
  assert(core.is_utf8(body) == plain.is_utf8(body))
end
return text "same"
"""


@test(over=FCGI, because="its comment ends with a line, which no header does")
def same_in_lua():
    """C and Lua see the same in bodies of any kind, cut anywhere"""
    seed = random.randrange(1 << 31)
    diag("seed %d" % seed)
    equal(lua(DIFFERENCE % seed), "same")


@test
def query():
    """env.query has the fields of QUERY_STRING, and is made once"""
    equal(lua("local q = env.query return text({q.a, q.b, tostring(q == "
              "env.query), table.concat(require('fpm').form.all(q, 'a'))})",
              uri="/?a=1&b=%C3%A9&a=2&c=%zz"), "2étrue12")
    equal(lua("return text(tostring(next(env.query)))"), "nil")


@test
def fields():
    """a form of a browser: fields and a file, which has no name on disk"""
    body = (b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' +
            PART + b"\0content" + END)
    r = d.lua(FORM + "local f = files.f return text({fields.a, f.filename, "
              "f.size, f.file:read('a'), io.type(f.file)})", params=[TYPE],
              body=body)
    equal(r.body, b"1x8\0contentfile")
    equal(os.listdir(DIRECTORY), [])


@test
def too_late():
    """a form that does not come in time is the application's 408"""
    late = Daemon(workers={"mode": "static", "max": 1},
                  timeouts={"read": "300ms", "stop": "10s"}, **STREAMED)
    late.start()
    for kind, begun in ((TYPE, PART + b"half"),
                        (("CONTENT_TYPE",
                          "application/x-www-form-urlencoded"), b"a=1&b")):
        with late.connect() as c:
            c.send(head("POST", lua=FORM + "return text('?')",
                        params=[kind], body=b"x" * 100) + part(begun))
            r = c.response()
            equal((r.status, r.body), (408, b"the form did not come in time"))
    equal(os.listdir(DIRECTORY), [])
    late.stop()


@test
def leaves():
    """a client that leaves in the middle: an error, and nothing is left"""
    mark = d.log_mark()
    with d.connect() as c:
        c.send(head("POST", lua=FORM + "return text('?')",
                    params=[TYPE], body=b"x" * 1000000) +
               part(PART + b"x" * 200000))
        until(unnamed, "the file is open")
        equal(os.listdir(DIRECTORY), [])
    d.wait_log("notice .*request body: the client left", mark)
    until(lambda: not unnamed(), "the file is closed")
    equal(os.listdir(DIRECTORY), [])


@test
def raises():
    """an application that raises, or keeps a file, leaves nothing open"""
    d.expect("on purpose")
    equal(upload("kept = files.f error('on purpose')").status, 500)
    equal(unnamed(), [])
    equal(lua("return text({io.type(kept.file), tostring(pcall(kept.file."
              "read, kept.file, 1)), tostring(pcall(kept.move, kept, "
              "'x'))})"),
          "closed filefalsefalse")
    r = d.lua("env:form { directory = '%s', on_part = function(p) p:read(1) "
              "error('on purpose') end }" % DIRECTORY, params=[TYPE],
              body=PART + b"xx" + END)
    equal(r.status, 500)
    equal((unnamed(), os.listdir(DIRECTORY)), ([], []))


@test
def killed():
    """a worker that is killed in the middle leaves nothing"""
    d.expect("killed by signal 9")
    with d.connect() as c:
        c.send(head("POST", lua=FORM + "return text('?')",
                    params=[TYPE], body=b"x" * 1000000) +
               part(PART + b"x" * 200000))
        until(unnamed, "the file is open")
        worker = d.workers()[0]
        kill(worker, signal.SIGKILL)
        until(lambda: not alive(worker), "it is gone")
    equal(os.listdir(DIRECTORY), [])
    d.wait_ready(1)


@test
def moves():
    """a moved file has its name, its content and the umask's mode; one that
    is there is replaced, a link not followed"""
    path, other = DIRECTORY + "/moved", d.dir + "/rw/other"
    for old in (lambda: None, lambda: write(path, "old"),
                lambda: os.symlink(other, path)):
        old()
        r = upload("assert(files.f:move('%s')) return text(files.f.file:read("
                   "'a'))" % path)
        equal((r.status, r.body), (200, b"content"), r)
        with open(path, "rb") as f:
            equal(f.read(), b"content")
        equal((file_mode(path), os.listdir(DIRECTORY)), (0o644, ["moved"]))
        os.unlink(path)


@test
def linked():
    """to move a file costs no copy: it is the same file"""
    gate = d.gate("gate")
    r = Background(upload, "assert(files.f:move('%s/moved')) %s return "
                   "text('')" % (DIRECTORY, gate.lua))
    gate.wait()
    worker = d.workers()[0]
    same = [os.stat("/proc/%d/fd/%d" % (worker, fd)).st_ino
            for fd, link in fds(worker) if link.startswith(DIRECTORY)]
    equal(same, [os.stat(DIRECTORY + "/moved").st_ino])
    gate.open()
    equal(r.result().status, 200)
    os.unlink(DIRECTORY + "/moved")
    os.unlink(gate.path)


@test
def after():
    """files are open, and the form known, until env:after is done"""
    mark = d.log_mark()
    equal(upload("env:after(function() local _, same = env:form() print("
                 "same.f.file:read('a'), files == same) end) "
                 "return text('')").status, 200)
    d.wait_log("content.*true", mark)
    until(lambda: not unnamed(), "the file is closed")


@test
def moves_far():
    """the same from another file system"""
    if os.stat("/dev/shm").st_dev == os.stat(DIRECTORY).st_dev:
        raise Skip("/dev/shm is no file system of its own")
    path = DIRECTORY + "/moved"
    for _ in range(2):
        r = d.lua("local _, files = env:form { directory = '/dev/shm' } "
                  "assert(files.f:move('%s')) return text(files.f.file:read("
                  "'a'))" % path, params=[TYPE],
                  body=PART + b"far" * 100000 + END)
        equal((r.status, r.body), (200, b"far" * 100000))
        with open(path, "rb") as f:
            equal(f.read(), b"far" * 100000)
        equal((file_mode(path), os.listdir(DIRECTORY)), (0o644, ["moved"]))
    os.unlink(path)
    os.mkdir(path)
    os.chmod(DIRECTORY, 0o777)
    r = d.lua("local _, files = env:form { directory = '/dev/shm' } return "
              "text(select(2, files.f:move('%s')))" % path,
              params=[TYPE], body=PART + END)
    matches("[Dd]irectory", r.body.decode())
    os.rmdir(path)
    equal(os.listdir(DIRECTORY), [])


@test
def disk_full():
    """a file that cannot be written is an error in the log, and no form"""
    most = 1 << 24  # bytes, which is more than a scoreboard has
    full = Daemon(workers={"mode": "static", "max": 1})
    full.write_conf()
    full.start(program=shutil.which("prlimit"), args=(
        "--fsize=%d" % most, LUA_FPM, "-c", full.file))
    full.expect("cannot store an upload: File too large")
    for size, status in ((most, 200), (most + 1, 500), (1, 200)):
        r = full.lua("env:form() return text('stored')", params=[TYPE],
                     body=PART + b"x" * size + END)
        equal(r.status, status)
    full.stop()


@test
def fast():
    """400 MB of a file take no more than a second of processor time"""
    size, best = 64 << 20, 0.0
    block = os.urandom(1 << 20)
    for _ in range(3):
        with d.connect() as c:
            c.send(head("POST", lua="local t = os.clock() " + FORM + "t = "
                        "os.clock() - t return text(files.f.size .. ' ' .. "
                        "t)", params=[TYPE], chunked=True))
            c.send(part(PART, chunked=True))
            for _ in range(size >> 20):
                c.send(part(block, chunked=True))
            c.send(part(END, True, chunked=True))
            stored, seconds = c.response().body.split()
        equal(int(stored), size)
        best = max(best, size / 1e6 / float(seconds))
        if best > 400 or SANITIZED:
            break
    diag("%.0f MB/s" % best)
    assert best > 400 or SANITIZED, best


@test(over=FCGI, because="there CONTENT_LENGTH does not frame the body")
def lengths():
    """CONTENT_LENGTH negative, huge or wrong"""
    for length, status in (("-5", 200), ("-1", 200), ("x", 200), ("0", 200),
                           ("9" * 18, 400), ("9" * 40, 200), ("50", 400)):
        r = d.lua(FORM + "return text(fields.a)", body="a=1",
                  params=[("CONTENT_LENGTH", length), (
                      "CONTENT_TYPE", "application/x-www-form-urlencoded")])
        equal(r.status, status, length)


@test
def bounded():
    """what exceeds the limits is 413 within limits.memory"""
    for body, kind in ((b"a=" + b"x" * 8000000,
                        "application/x-www-form-urlencoded"),
                       ((b'--XX\r\nContent-Disposition: form-data; name="a"'
                         b"\r\n\r\n" + b"x" * 1000000 + b"\r\n") * 20 +
                        END[2:], TYPE[1]),
                       ((b'--XX\r\nContent-Disposition: form-data; name="a"'
                         b"\r\n\r\n\r\n") * 10000 + END[2:], TYPE[1])):
        r = d.lua(FORM + "return text('?')", params=[("CONTENT_TYPE", kind)],
                  body=body)
        equal(r.status, 413, r.body)
    equal(unnamed(), [])


run(needs=("prlimit",), over=BOTH)
