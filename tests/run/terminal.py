#!/usr/bin/env python3
"""No program lets an application, a configuration, an argument or a peer speak
to the terminal of the person who called it."""

import os
import pty
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from control_client import *

ONE = {"mode": "static", "max": 1}
# A title, a clear screen, the same by C1 controls in UTF-8 and raw, DEL.
EVIL = b"\x1b]0;owned\x07\x1b[2J\xc2\x9b2J\x9b2J\xc2\x9d0;x\x7f"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\xc2\x9b2J\x9b2J\xc2\x9d0;x\x7f"
LUA = '"' + "".join("\\%03d" % c for c in EVIL) + '"'


def at_a_terminal(program, *args, **how):
    """(exit code, all that the terminal got)."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([program, *args], stdin=subprocess.DEVNULL,
                               stdout=theirs, stderr=theirs, **how)
    os.close(theirs)
    got = b""
    with contextlib.suppress(OSError):  # EIO: nobody has it open any more
        while True:
            piece = os.read(ours, 65536)
            if not piece:
                break
            got += piece
    os.close(ours)
    return process.wait(PATIENCE), got


def quiet(got, *expected):
    """Nothing but characters, and these among them."""
    text = got.decode()  # well-formed, that is
    bad = re.search("[^ -~\t\r\n\u00a0-\U0010ffff]", text)
    assert not bad, (bad, got)
    for what in expected:
        assert what in text, (what, text)


def evil_app(d):
    d.write_app('print(%s .. "out") io.stderr:write(%s, "err\\n")\n'
                'error(%s)' % (LUA, LUA, LUA))


# ---- lua-fpm ------------------------------------------------------------------


@test
def error_log():
    """the error log: a traceback has real newlines and tabs, other control
    characters are shown, and no message can forge an entry"""
    d = Daemon(workers=ONE)
    d.write_conf()
    ours, theirs = pty.openpty()
    d.spawn(program="/bin/sh", pass_fds=(theirs,), args=(
        "-c", 'exec "$0" "$@" 2>&%d' % theirs, LUA_FPM, "-c", d.file))
    os.close(theirs)
    d.wait_note("READY=1")
    equal(d.lua("local function deep() error(%s .. '\\n2026-01-01 forged') end "
                "deep()" % LUA).status, 500)
    got = b""

    def whole():
        nonlocal got
        if select.select([ours], [], [], 0.1)[0]:
            got += os.read(ours, 65536)
        return b"in ?\r\n" in got
    until(whole)
    quiet(got, ": " + SHOWN + "\r\n\t2026-01-01 forged\r\n"
          "\tstack traceback:\r\n\t[C]: in function 'error'\r\n\t")
    d.stop()
    os.close(ours)


@test
def trial():
    """-t: what an application prints and raises while it is loaded"""
    d = Daemon(workers=ONE)
    evil_app(d)
    d.write_conf()
    code, got = at_a_terminal(LUA_FPM, "-t", "-c", d.file)
    equal(code, 78)
    quiet(got, SHOWN + "out\r\n", SHOWN + "err\r\n", "app.lua:2: " + SHOWN)
    d.destroy()


@test
def trial_output():
    """what applications print is shown line by line, however much it is, and
    leaves the configuration that -T prints alone"""
    d = Daemon(workers=ONE)
    d.write_app("for i = 1, 20000 do print('line ' .. i) end\n"
                "io.write(('x'):rep(100000), '\\nunfinished')\n"
                "os.execute('yes 2>&1 &')\n"
                "return { accept = function() return {}, '' end }")
    d.write_conf()
    done = subprocess.run([LUA_FPM, "-T", "-c", d.file], capture_output=True,
                          timeout=PATIENCE)
    equal(done.returncode, 0)
    equal(done.stdout.splitlines()[0][:8], b"pid_file")
    lines = done.stderr.split(b"\n")
    equal(lines[:20000], [b"line %d" % i for i in range(1, 20001)])
    equal(b"".join(lines[20000:20003]).count(b"x"), 100000)
    assert b"unfinished" in done.stderr
    equal(lines[-2], b"configuration is good, every application loads")
    d.destroy()


@test
def configuration():
    """faults of a configuration, and the name of its file"""
    d = Daemon(workers=ONE)
    text = d.configuration().encode()
    value = b"".join(b"\\x%02x" % c for c in EVIL)
    name = os.fsencode(d.dir) + b"/c" + EVIL
    with open(name, "wb") as f:
        f.write(text.replace(b"pools", b'log_level = "%s";\npools' % value, 1))
    code, got = at_a_terminal(LUA_FPM, "-t", "-c", name)
    equal(code, 78)
    quiet(got, d.dir + "/c" + SHOWN + ":2: log_level", 'found "' + SHOWN)
    code, got = at_a_terminal(LUA_FPM, "-c", name + b"none")
    equal(code, 78)
    quiet(got, SHOWN + "none: cannot be read")
    d.destroy()


@test
def dump():
    """-T: every value, as it is read back"""
    d = Daemon(workers=ONE)
    d.set_pool("www", workers=ONE, environment={"EVIL": "value"})
    value = EVIL + "ä€\"\\".encode() + b"\xff\n"
    d.write_conf()
    with open(d.file, "rb") as f:
        text = f.read()
    with open(d.file, "wb") as f:
        f.write(text.replace(b'"value"', b'"%s"' % b"".join(
            b"\\x%02x" % c for c in value)))
    code, got = at_a_terminal(LUA_FPM, "-T", "-c", d.file)
    equal(code, 0)
    quiet(got, SHOWN + "ä€\\\"\\\\\\xff\\x0a")
    first = subprocess.run([LUA_FPM, "-T", "-c", d.file],
                           capture_output=True).stdout
    with open(d.file, "wb") as f:
        f.write(first)
    equal(subprocess.run([LUA_FPM, "-T", "-c", d.file],
                         capture_output=True).stdout, first)
    d.write_app("return { accept = function() return {}, "
                "os.getenv('EVIL') end }")
    d.spawn()
    d.wait_note("READY=1")
    equal(d.fetch().body, value)
    d.stop()


@test
def arguments():
    """what is wrong with a command line, of each program"""
    evil = EVIL
    for program in (LUA_FPM, LUA_FPMCTL, LUA_FCGI):
        code, got = at_a_terminal(program, b"-\x1b")
        equal(code, 64)
        quiet(got, "unknown option -\\x1b", "usage:")
        code, got = at_a_terminal(program, {LUA_FPM: "-c", LUA_FPMCTL: "-s",
                                            LUA_FCGI: "-p"}[program])
        equal(code, 64)
        quiet(got, "needs an argument", "usage:")
    for program, *words in ((LUA_FPM, "-n", evil),
                            (LUA_FPMCTL, "--" + "x", "ping"),
                            (LUA_FPMCTL, "-s", evil, "ping"),
                            (LUA_FPMCTL, "-c", evil, "ping"),
                            (LUA_FPMCTL, "drain", evil + b" "),
                            (LUA_FCGI, "-d", b"@" + evil, "x"),
                            (LUA_FCGI, "-t", evil, "x"),
                            (LUA_FCGI, "-n", evil, "x"),
                            (LUA_FCGI, "-p", evil, "x"),
                            (LUA_FCGI, "-H", evil, "x"),
                            (LUA_FCGI, evil + b":", "/"),
                            (LUA_FCGI, evil, evil),
                            (LUA_FCGI, evil)):
        code, got = at_a_terminal(program, *words)
        assert code in (1, 64, 69), (words, code)
        quiet(got)


# ---- lua-fpmctl ---------------------------------------------------------------


@test
def refused():
    """the outcome of a reload and an upgrade, and what the service manager is
    told of it"""
    d = controlled(workers=ONE)
    with d:
        d.expect("broken", "refused", "owned", "log_level")
        evil_app(d)
        code, got = at_a_terminal(LUA_FPMCTL, "-s", d.control, "upgrade")
        equal(code, 1)
        quiet(got, "upgrade: failed", "app.lua:2: " + SHOWN)
        d.wait_note("STATUS=")
        quiet(d.notes.encode())
        d.write_conf(d.configuration() + 'log_level = "\\x1b[2J\\xc2\\x9b";\n')
        code, got = at_a_terminal(LUA_FPMCTL, "-s", d.control, "reload")
        equal(code, 1)
        quiet(got, 'found "\\x1b[2J\\xc2\\x9b"')
        good, text = ask(d, "reload")
        quiet(text.encode())


@test
def answers():
    """whatever a daemon says: lines stay lines; JSON is left alone where no
    terminal takes it"""
    with Fake(b"ok\none\n" + EVIL + b"\nthree\t3\n") as f:
        code, got = at_a_terminal(LUA_FPMCTL, "-s", f.path, "ping")
        equal((code, got.decode()), (0, "one\r\n" + SHOWN +
                                     "\r\nthree\t3\r\n"))
        done = subprocess.run([LUA_FPMCTL, "-s", f.path, "ping"],
                              capture_output=True)
        equal(done.stdout.decode(), "one\n" + SHOWN + "\nthree\t3\n")
        code, got = at_a_terminal(LUA_FPMCTL, "-s", f.path, "status",
                                  "--json")
        quiet(got, SHOWN)
        done = subprocess.run([LUA_FPMCTL, "-s", f.path, "status", "--json"],
                              capture_output=True)
        equal(done.stdout, b"one\n" + EVIL + b"\nthree\t3\n")
    with Fake(b"failed\n" + EVIL + b"\n") as f:
        for words in (("ping",), ("status",), ("workers",), ("top",)):
            code, got = at_a_terminal(LUA_FPMCTL, "-s", f.path, *words)
            assert code in (1, 69), code
            quiet(got, SHOWN)


# ---- lua-fcgi -----------------------------------------------------------------


@test(over=FCGI, because="lua-fcgi knows no HTTP")
def response():
    """lua-fcgi shows a terminal the head and the error text of a response,
    anything else has their bytes; the body goes as it is"""
    with Daemon(workers=ONE, errors_to_server=True) as d:
        d.expect("owned")
        lua = ("env.errors:write(%s, '\\n') return { ['X-Evil'] = "
               "'a\\194\\155\\155b', ['X-Tab'] = 'a\\tb' }, 'body'" % LUA)
        args = ("-i", "-p", "LUA=" + lua, d.address(), "/")
        code, got = at_a_terminal(LUA_FCGI, *args)
        equal(code, 0)
        quiet(got, "X-Evil: a\\xc2\\x9b\\x9bb\r\r\n", "X-Tab: a\tb\r\r\n",
              SHOWN, "body")
        done = subprocess.run([LUA_FCGI, *args], capture_output=True)
        assert b"X-Evil: a\xc2\x9b\x9bb\r\n" in done.stdout, done
        assert EVIL in done.stderr, done
        code, got = at_a_terminal(LUA_FCGI, "-p", "LUA=return {}, '\\27[0m'",
                                  d.address(), "/")
        equal((code, got), (0, b"\x1b[0m"))


@test
def nonsense_for_a_response():
    """nor does a server that talks nonsense, in one request or many"""
    head = b"Status: " + EVIL + b"\r\n\r\n"
    record = struct.pack("!BBHHBB", 1, 6, 1, len(head), 0, 0) + head
    with Fake(record) as f:
        for words in ((), ("-n", "3")):
            # it answers what ends with a line
            code, got = at_a_terminal(LUA_FCGI, *words, "-d", "\n", f.path)
            equal(code, 1, words)
            quiet(got, "malformed Status")


if __name__ == "__main__":
    run()
