#!/usr/bin/env python3
"""What Lua code of a pool may reach: the group `lua` of a pool, seen by an
application, by -t and over a reload."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
HOSTED = {"cpath": "", "disable": ["os.execute", "io.popen", "debug"]}


def sandboxed(**lua):
    return Daemon(workers=ONE, lua=lua)


def body(d, code, **rest):
    return d.lua("return text(tostring(%s))" % code, **rest).body.decode()


@test
def disabled_function():
    """a disabled function raises and says why; the worker serves on"""
    with sandboxed(disable=["os.execute", "io.popen"]) as d:
        d.expect("is disabled in this pool")
        mark = d.log_mark()
        equal(d.lua("os.execute('true')").status, 500)
        d.wait_log(r"error .*request:1: os\.execute is disabled in this pool",
                   mark)
        mark = d.log_mark()
        equal(d.lua("io.popen('true')").status, 500)
        d.wait_log(r"io\.popen is disabled in this pool", mark)
        equal(body(d, "pcall(os.execute)"), "false")
        equal(body(d, "require('os').execute == os.execute and "
                   "not pcall(package.loaded.os.execute, 'true')"), "true")
        equal(body(d, "coroutine.wrap(pcall)(io.popen, 'true')"), "false")
        equal(body(d, "type(os.time())"), "number", "the rest of os")


@test
def runs_no_command():
    """no way to a command that the keys close lets one run"""
    with sandboxed(**HOSTED) as d:
        d.expect("is disabled in this pool")
        for how in ("os.execute(c)", "io.popen(c):close()",
                    "require('os').execute(c)", "_G.io.popen(c)",
                    "coroutine.wrap(os.execute)(c)",
                    "package.loaded.io.popen(c)",
                    "load('os.execute(...)')(c)"):
            equal(d.lua("local c = 'touch %s/made' pcall(function() %s end) "
                        "return text('done')" % (d.dir, how)).body, b"done")
        assert not os.path.exists(d.dir + "/made")


@test
def disabled_library():
    """a disabled library is nil, and require does not find it"""
    with sandboxed(disable=["debug", "string"]) as d:
        equal(body(d, "debug"), "nil")
        equal(body(d, "package.loaded.debug"), "nil")
        equal(body(d, "pcall(require, 'debug')"), "false")
        equal(body(d, "pcall(function() return ('x'):rep(3) end)"), "false")


@test
def listed_libraries():
    """libraries: those and no others; the request works without any"""
    with Daemon(app="return { accept = function(env) return {}, "
                "'got ' .. env.input:read('a') end }", workers=ONE,
                lua={"libraries": ["math"]}) as d:
        equal(d.fetch(body=b"it").body, b"got it")
    with sandboxed(libraries=["base", "string", "io"]) as d:
        equal(body(d, "os or table or package or require or coroutine or "
                   "debug or math or utf8"), "nil")
        equal(body(d, "('x'):rep(3)"), "xxx")


# What another state has made: in Lua, since Python cannot.
MAKE = "string.dump(function() return 7 end)"


def foreign():
    """A precompiled chunk that no pool of a later daemon has made."""
    with sandboxed() as d:
        chunk = d.lua("return text(%s)" % MAKE).body
    assert chunk.startswith(b"\x1bLua")
    return chunk


@test(over=FCGI, because="a directory is given in a parameter")
def no_binary_chunks():
    """precompiled code from outside is refused by load, loadfile, dofile and
    require"""
    ways = ("load(env.CHUNK)", "load(env.CHUNK, 'x', 'b')",
            "load(env.CHUNK, 'x', 'bt', {})", "load(env.CHUNK:gmatch('.'))",
            "loadfile(env.DIR .. '/chunk.lua')",
            "loadfile(env.DIR .. '/chunk.lua', 'b')",
            "(pcall(dofile, env.DIR .. '/chunk.lua')) or nil",
            "(pcall(require, 'chunk')) or nil")
    chunk = foreign()
    for allowed in (False, True):
        with sandboxed(binary_chunks=allowed) as d:
            with open(d.dir + "/chunk.lua", "wb") as f:
                f.write(chunk)
            for way in ways:
                got = body(d, way, params=[("DIR", d.dir), ("CHUNK", chunk)])
                equal(got != "nil", allowed, way + ": " + got)
            equal(body(d, "load('return 8')()"), "8")


@test(over=FCGI, because="precompiled code is no header")
def its_own_chunks():
    """what string.dump has made in this worker is loaded, in a later request
    too; after the worker has ended it is from outside"""
    with sandboxed() as d:
        for way in ("load(%s)()", "load(%s, 'x', 'b')()",
                    "load((%s):gmatch('.'))()"):
            equal(body(d, way % MAKE), "7")
        d.lua("kept = %s return {}" % MAKE.replace("7", "9"))
        equal(body(d, "load(kept)()"), "9")
        chunk = d.lua("return text(kept)").body
        there = body(d, "load(env.CHUNK)()", params=[("CHUNK", chunk)])
        equal(there, "9", "the same bytes from a client")
        old = d.wait_workers(1)
        os.kill(old[0], signal.SIGTERM)
        until(lambda: d.workers() and d.workers() != old, "a new worker")
        equal(body(d, "load(env.CHUNK)", params=[("CHUNK", chunk)]), "nil")


@test(over=FCGI, because="precompiled code is no header")
def a_refused_chunk_is_told():
    """the first one that a worker refuses, whichever way, has a line with the
    place and the key, though the application drops the reason; others have
    none, nor has one that the application itself wants to be text"""
    line = (r"(?m)^\S+ warning \[pool www\] \[pid \d+\] (\[request \S+\] )?"
            r"request:2: .*lua\.binary_chunks is false")
    chunk = b"\x1bLua"
    d = sandboxed()
    with open(d.dir + "/chunk.lua", "wb") as f:
        f.write(chunk)
    with d:
        d.lua("load(env.CHUNK, 'x', 't') load('no code') return {}",
              params=[("CHUNK", chunk)])
        for way in ("load(env.CHUNK)", "load(env.CHUNK, 'x', 'b')",
                    "loadfile(env.DIR .. '/chunk.lua')",
                    "pcall(dofile, env.DIR .. '/chunk.lua')",
                    "pcall(require, 'chunk')"):
            mark = d.log_mark()
            for _ in range(3):
                equal(d.lua("\n%s return {}" % way,
                            params=[("DIR", d.dir),
                                    ("CHUNK", chunk)]).status, 200)
            old = d.wait_workers(1)
            os.kill(old[0], signal.SIGTERM)
            until(lambda: d.workers() and d.workers() != old, "a new worker")
            equal(len(re.findall(line, d.read_log(mark))), 1, way)
            equal(d.read_log(mark).count("binary_chunks"), 1, way)
        assert "binary_chunks" not in d.read_log().partition("request:2")[0], \
            "text was wanted"
    with sandboxed(binary_chunks=True) as d:
        d.lua("load(string.dump(function() end)) return {}")
        equal(d.lua("print('done') return {}").status, 200)
        d.wait_log("done$")
        assert "binary_chunks" not in d.read_log()


@test
def module_paths():
    """path comes after the application's directory; ;; is Lua's own"""
    lib = scratch()
    atexit.register(shutil.rmtree, lib, True)
    write(lib + "/shared.lua", "return 'shared'")
    write(lib + "/both.lua", "return 'shared'")
    for path in (lib + "/?.lua", lib + "/?.lua;;"):
        with sandboxed(path=path) as d:
            d.write_app("return 'own'", "both.lua")
            equal(body(d, "require 'shared'"), "shared")
            equal(body(d, "require 'both'"), "own")
            equal("/usr/" in body(d, "package.path"), path.endswith(";;"))


@test(over=FCGI, because="a directory is given in a parameter")
def no_c_libraries():
    """cpath = "": no C library, whatever the application tries"""
    with sandboxed(cpath="") as d:
        d.expect("is disabled in this pool")
        write(d.dir + "/fake.so", "no library, but there")
        equal(body(d, "package.cpath"), "")
        equal(body(d, "select(2, pcall(package.loadlib, env.DIR .. "
                   "'/fake.so', '*'))", params=[("DIR", d.dir)]),
              "package.loadlib is disabled in this pool")
        said = d.lua("package.cpath = env.DIR .. '/?.so' return "
                     "text(select(2, pcall(require, 'fake')))",
                     params=[("DIR", d.dir)]).body
        assert b"fake.lua" in said and b"fake.so" not in said, said
    with sandboxed() as d:
        write(d.dir + "/fake.so", "no library, but there")
        said = d.lua("package.cpath = env.DIR .. '/?.so' return "
                     "text(select(2, pcall(require, 'fake')))",
                     params=[("DIR", d.dir)]).body
        assert b"fake.so" in said, said


@test
def at_load():
    """the application is loaded inside; -t finds what it may not do"""
    d = Daemon(app="os.execute('true')\nreturn { accept = print }",
               workers=ONE, lua={"disable": "os.execute"})
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    equal(code, 78, out + err)
    matches(r"app\.lua:1: os\.execute is disabled in this pool", out + err)
    d.destroy()


@test
def unknown_names():
    """a name that Lua does not have is a fault of the configuration"""
    d = Daemon(workers=ONE, lua={"disable": ["os.exec"],
                                 "libraries": ["base", "strings"]})
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    equal(code, 78)
    for said in ('disable: "os.exec" is no', 'libraries: "strings" is no'):
        matches(r"lua-fpm\.conf:\d+: pool www: lua\." + said, out + err)
    d.destroy()


@test
def over_a_reload():
    """a reload closes and opens what its new workers may reach"""
    with Daemon(pools={"www": {"workers": ONE}, "other": {"workers": ONE}}
                ) as d:
        equal(body(d, "pcall(os.execute)"), "true")
        others = d.workers("other")
        d.set_pool("www", workers=ONE, lua=HOSTED)
        d.write_conf()
        d.reload()
        # an old worker may take one more before it hears that it is to leave
        until(lambda: body(d, "pcall(os.execute)") == "false")
        equal(body(d, "pcall(os.execute)", pool="other"), "true")
        equal(d.workers("other"), others)
        d.set_pool("www", workers=ONE)
        d.write_conf()
        d.reload()
        until(lambda: body(d, "pcall(os.execute)") == "true")


run(120)
