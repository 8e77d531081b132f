#!/usr/bin/env python3
"""fpm.shared: dictionaries that the workers of a pool share."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from upgraded import *

FULL = os.environ.get("FULL") == "yes"
HOSTILE = os.path.join(BUILD, "tests", "hostile", "hostile.so")
FOUR = {"mode": "static", "max": 4}
D = "local d = require('fpm.shared').d "


def told(d, text, pool="www", **q):
    """What the statements return, as text."""
    answer = d.lua("local function run() %s %s end "
                   "local t = table.pack(run()) for i = 1, t.n do "
                   "t[i] = tostring(t[i]) end "
                   "return text(table.concat(t, ' '))" % (D, text), pool, **q)
    equal(answer.status, 200, answer.body)
    return answer.body.decode()


@test
def one_for_all_workers():
    """each worker sees what the others have stored, under both of its names;
    what is not declared is nil"""
    with Daemon(workers=FOUR, shared={"d": "1M", "other": 8192}) as d:
        equal(told(d, "return d:set('a', 'x')"), "true nil false")
        seen = set()
        while len(seen) < 4:
            at = told(d, "return os.getenv('PID') or '', "
                      "io.open('/proc/self/stat'):read('n'), d:get('a')")
            seen.add(at.split()[0])
            equal(at.split()[1], "x")
            if len(seen) < 4:  # busy ones do not take the next request
                held = [Background(told, d, "local p = io.popen('sleep 0.1') "
                                   "p:close() return io.open("
                                   "'/proc/self/stat'):read('n'), d:get('a')")
                        for _ in range(4)]
                for one in held:
                    pid, value = one.result().split()
                    seen.add(pid)
                    equal(value, "x")
        equal(told(d, "local fpm = require 'fpm' return fpm.shared.d == d, "
                   "fpm.shared.none, fpm.shared[1], d, "
                   "fpm.shared.other:get('a')"),
              "true nil nil fpm.shared.d nil")


ORACLE = r"""
local plain = require("fpm.shared_plain").open("d")
local values = { "", "text", ("long"):rep(99), 1, -1, 0, 2^53, 0.5, -0.0,
  math.mininteger, math.maxinteger, math.huge, true, false }
local keys = {}
for i = 1, 30 do keys[i] = ("k"):rep(i * i // 9 + 1) .. i end
keys[31], keys[32] = 31, 3.5
local verbs = { "get", "get", "get", "set", "set", "set", "add", "replace",
  "incr", "incr", "delete", "ttl", "expire", "keys", "flush" }
local function any(list) return list[math.random(#list)] end
local function shown(result)
  for i = 1, result.n do
    local value = result[i]
    if type(value) == "table" then
      table.sort(value)
      value = table.concat(value, ",")
    end
    result[i] = (math.type(value) or type(value)) .. ":" .. tostring(value)
  end
  return table.concat(result, " ")
end
for round = 1, 30000 do
  local verb, key, more = any(verbs), any(keys), {}
  if verb == "set" or verb == "add" or verb == "replace" then
    more = { any(values), any { nil, 0, 1e6, 1e12, math.huge } }
  elseif verb == "incr" then
    more = { any { 1, -3, 0.5 }, any { 0, 7, 1.5 }, any { 0, 1e6 } }
    if math.random(3) == 1 then more = { 1 } end
  elseif verb == "expire" then
    more = { 1e6 }
  elseif verb == "flush" or verb == "keys" then
    key = verb == "keys" and 0 or nil
    if math.random(20) > 1 then verb, key = "get", any(keys) end
  end
  local one = table.pack(d[verb](d, key, table.unpack(more, 1, 3)))
  local two = table.pack(plain[verb](plain, key, table.unpack(more, 1, 3)))
  if verb == "ttl" and type(one[1]) == "number" then
    one[1], two[1] = one[1] > 0, two[1] > 0
  end
  one, two = shown(one), shown(two)
  if one ~= two then
    error(("%d: %s %s: %s, not %s"):format(round, verb, key, one, two))
  end
end
return "same"
"""


@test
def as_the_plain_one():
    """what the verbs return is what the same verbs in plain Lua return"""
    with Daemon(shared={"d": "1M"}) as d:
        equal(told(d, ORACLE), "same")


MISUSE = {
    "get": "d: get: key is nil, expected a string",
    "get {}": "d: get: key is a table, expected a string",
    "set print, 1": "d: set: key is a function, expected a string",
    "set 'k', {}": "d: set: value is a table, expected a string, a number or "
                   "a boolean",
    "set 'k', print": "d: set: value is a function, expected a string, a "
                      "number or a boolean",
    "add 'k'": "d: add: value is nil, expected a string, a number or a "
               "boolean",
    "replace 'k', nil": "d: replace: value is nil, expected a string, a "
                        "number or a boolean",
    "set 'k', 1, '5'": "d: set: ttl is a string, expected a number of "
                       "seconds from 0 on",
    "set 'k', 1, -1": "d: set: ttl is -1, expected a number of seconds from "
                      "0 on",
    "set 'k', 1, 0/0": "d: set: ttl is -?nan, expected a number of seconds "
                       "from 0 on",
    "incr 'k'": "d: incr: by is nil, expected a number",
    "incr 'k', '1'": "d: incr: by is a string, expected a number",
    "incr 'k', 0/0": "d: incr: by is -?nan, expected a number",
    "incr 'k', 1, true": "d: incr: initial is a boolean, expected a number",
    "incr 'k', 1, nil, 5": "d: incr: initial is nil, expected a number, as "
                           "ttl is given",
    "incr 'k', 1, 1, -5": "d: incr: ttl is -5, expected a number of seconds "
                          "from 0 on",
    "delete": "d: delete: key is nil, expected a string",
    "ttl false": "d: ttl: key is a boolean, expected a string",
    "expire 'k'": "d: expire: ttl is nil, expected a number of seconds from "
                  "0 on",
    "keys 'x'": "d: keys: most is a string, expected an integer from 0 on",
    "keys -1": "d: keys: most is -1, expected an integer from 0 on",
    "keys 1.5": "d: keys: most is 1.5, expected an integer from 0 on",
}
SAME = """
local plain = require("fpm.shared_plain").open("d")
local function raised(it)
  local function call() it[%r](it%s)
  end
  local good, message = pcall(call)
  return (message:gsub("^.-:%%d+: ", ""))
end
local one, two = raised(d), raised(plain)
if one ~= two then error(one .. " / " .. two) end
return one
"""


@test
def misuse():
    """a wrong argument raises, and the message names it; as in plain Lua"""
    with Daemon(shared={"d": "1M"}) as d:
        for call, message in MISUSE.items():
            verb, _, rest = call.partition(" ")
            got = told(d, SAME % (verb, rest and ", " + rest))
            matches("^fpm.shared." + message.replace("(", "[(]") + "$", got,
                    call)
        for it in ("d.get('k')", "d.get()", "d.get(5, 'k')",
                   "d.get(io.stdout, 'k')"):
            matches("get is called without its dictionary: write "
                    r"dictionary:get\(...\)",
                    told(d, "return pcall(function() %s end)" % it))
        matches(r"^false request:1: fpm.shared.d: get: ",
                told(d, "return pcall(function() d:get({}) end)"))
        equal(told(d, "return d:get('k')"), "nil")


@test
def failures_of_the_world():
    """keys that cannot be, values larger than the dictionary, an end of life
    that no clock reaches"""
    with Daemon(shared={"d": "64K"}) as d:
        for verb, result in (("get", "nil"), ("set", "false"),
                             ("incr", "nil"), ("delete", "nil"),
                             ("ttl", "nil")):
            tail = " false" if verb in ("set", "incr") else ""
            equal(told(d, "return d:%s('', 1)" % verb),
                  result + " empty key" + tail)
            equal(told(d, "return d:%s(('k'):rep(65536), 1)" % verb),
                  result + " key too long" + tail)
        equal(told(d, "return d:set(('k'):rep(40000), 1), "
                   "d:get(('k'):rep(40000))"), "true 1")
        equal(told(d, "return d:set('v', ('x'):rep(65536))"),
              "false no memory false")
        equal(told(d, "return d:set('v', ('x'):rep(50000))"),
              "true nil true")
        equal(told(d, "return #d:get('v'), d:get(('k'):rep(40000))"),
              "50000 nil")
        equal(told(d, "return d:set('n', 0/0), d:get('n') ~= d:get('n')"),
              "true true")
        equal(told(d, "d:set('t', 1, 1e300) return d:ttl('t')"), "0.0")
        equal(told(d, "d:set('t', 1, 1e11) return d:ttl('t') > 9e10"), "true")
        equal(told(d, "d:set('t', 1, 0.001) while d:get('t') do end "
                   "return d:ttl('t')"), "nil not found")
        equal(told(d, "d:flush() return #d:keys(), d:capacity() > 50000, "
                   "d:free_space() <= d:capacity()"), "0 true true")


@test
def full():
    """when it is full, what was not used for the longest time goes"""
    with Daemon(shared={"d": "4K"}) as d:
        equal(told(d, """
            local n = 0
            repeat
              n = n + 1
              local _, _, forced = d:set("k" .. n, n)
              d:get("k1")
            until forced
            local there = { d:get("k1"), tostring(d:get("k2")), d:get("k3") }
            return table.concat(there, " ")"""), "1 nil 3")


@test
def counting():
    """four workers count to the sum of what each has counted"""
    times = 1000000 if FULL else 20000
    with Daemon(workers=FOUR, shared={"d": "1M"}) as d:
        work = [Background(told, d, "for i = 1, %d do d:incr('n', 1, 0) end "
                           "return io.open('/proc/self/stat'):read('n')" %
                           times) for _ in range(4)]
        pids = [one.result() for one in work]
        equal(told(d, "return d:get('n')"), str(4 * times))
        diag("%d workers" % len(set(pids)))


SPEED = """
local n, keys = %d, {}
for i = 1, 1000 do keys[i] = "user:" .. i end
local function rate(verb, value)
  local begun = os.clock()
  for i = 1, n do verb(d, keys[i %% 1000 + 1], value) end
  return ("%%.0f"):format(n / (os.clock() - begun))
end
return rate(d.set, 1), rate(d.get), rate(d.set, ("x"):rep(50)), rate(d.get)
"""


@test
def speed():
    """1,000,000 get and 500,000 set a second of processor time"""
    with Daemon(shared={"d": "1M"}) as d:
        rates = told(d, SPEED % (1000000 if FULL else 20000)).split()
        diag("set, get of integers; of strings: %s a second" % rates)
        if FULL and not SANITIZED:
            for i, least in enumerate((500000, 1000000) * 2):
                assert int(rates[i]) >= least, rates


STORM = """
local function value(key, n) return key .. (("%d"):format(n % 10)):rep(n) end
for i = 1, math.huge do
  local key = "key" .. i % 50
  local found = d:get(key)
  if found then
    local digit = found:match("^" .. key .. "_(%d?)") or error(found)
    local rest = found:match("^" .. key .. "_" .. digit .. "*$")
    if not rest then error(found) end
  end
  d:set(key, key .. "_" .. tostring(i % 10):rep(i * 7 % 300))
  if i % 13 == 0 then d:delete("key" .. i * 3 % 50) end
  if i % 1000 == 0 then d:incr("turns", 1, 0) end
end
"""


@test
def killed():
    """workers are killed in the middle of it: no value is lost or torn, and
    it is never locked"""
    d = Daemon(workers=FOUR, shared={"d": "16K"})
    d.program = QUICK
    with d:
        d.expect("was killed by signal 9", "while it served this")
        for _ in range(100 if FULL else 8):
            d.wait_ready(4)
            conns = [d.connect() for _ in range(3)]
            mark = d.log_mark()
            for i, c in enumerate(conns):
                c.send(request(lua=D + "print('storm %d')" % i + STORM))
            for i in range(3):
                d.wait_log("storm %d" % i, mark)
            before = told(d, "return d:get('turns') or 0")
            until(lambda: told(d, "return d:get('turns') or 0") != before)
            own = told(d, "return io.open('/proc/self/stat'):read('n')")
            for pid in d.workers():
                if str(pid) != own:
                    kill(pid, signal.SIGKILL)
            equal(told(d, STORM.replace("math.huge", "200") +
                       "return 'whole'"), "whole")
            for c in conns:
                c.close()


@test
def deadline():
    """a request that is ended by its deadline leaves it whole"""
    with Daemon(workers={"mode": "static", "max": 1},
                timeouts={"request": "100ms"}, shared={"d": "16K"}) as d:
        d.expect("time is over", "timeouts.request", "408")
        for _ in range(3):
            equal(d.lua(D + STORM).status, 408)
            equal(told(d, STORM.replace("math.huge", "200") +
                       "return 'whole'"), "whole")


@test
def reloads():
    """it survives a reload, also one that replaces the workers, as long as
    name and size stay"""
    with Daemon(shared={"d": "1M", "e": "1M"}) as d:
        told(d, "return d:set('a', 'kept')")
        d.reload()
        equal(told(d, "return d:get('a')"), "kept")
        d.set_pool("www", shared={"e": "1024K", "d": 1048576}, priority=1)
        d.write_conf()
        d.reload()
        equal(told(d, "return d:get('a')"), "kept")
        d.set_pool("www", shared={"d": "1M"})
        d.write_conf()
        d.reload()
        equal(told(d, "return d:get('a'), require('fpm.shared').e"),
              "kept nil")
        d.set_pool("www", shared={"d": "2M"})
        d.write_conf()
        d.reload()
        equal(told(d, "return d:get('a'), d:set('a', 'more')"),
              "nil true nil false")
        d.set_pool("www", shared={"d": "3K"})
        d.write_conf()
        mark = d.log_mark()
        d.expect("expected a group of sizes", "reload refused")
        d.kill(signal.SIGHUP)
        d.wait_log("reload refused", mark)
        equal(told(d, "return d:get('a')"), "more")


@test
def another_user():
    """the pool of another user begins with an empty one"""
    if not ROOT:
        raise Skip("not root")
    with Daemon(shared={"d": "1M"}, user="nobody") as d:
        told(d, "return d:set('a', 'secret')")
        d.set_pool("www", shared={"d": "1M"}, user="www-data")
        d.write_conf()
        d.reload()
        equal(told(d, "return d:get('a')"), "nil")


@test
def upgrades():
    """it is kept over an upgrade in place; by a build with another form of it
    it is emptied, with a line"""
    with Upgraded(shared={"d": "1M"}) as d:
        told(d, "return d:set('a', 'kept')")
        d.usr2()
        equal(told(d, "return d:get('a')"), "kept")
        install(NEXT, d.program)
        mark = d.usr2()
        d.wait_log("pool www: shared.d is empty from now on", mark)
        equal(told(d, "return d:get('a'), d:set('a', 'next')"),
              "nil true nil false")
        d.usr2()
        equal(told(d, "return d:get('a')"), "next")


@test
def not_of_another_pool():
    """each pool has its own, and hostile native code in one finds no byte of
    another's"""
    if not ROOT:
        raise Skip("not root")
    pools = {name: {"user": user, "shared": {"d": "1M"},
                    "workers": {"mode": "static", "max": 1}}
             for name, user in (("a", "nobody"), ("b", "www-data"))}
    with Daemon(pools=pools) as d:
        shutil.copy(HOSTILE, d.dir)
        secret = "shared-secret-of-b"
        told(d, "return d:set('a', '%s')" % secret, "b")
        equal(told(d, "return d:get('a')", "a"), "nil")
        load = ("hostile = hostile or assert(package.loadlib('%s/hostile.so',"
                " 'luaopen_hostile'))() " % d.dir)
        masked = "".join("\\%d" % (ord(c) ^ 0x55) for c in secret)
        equal(told(d, load + "return hostile.find('%s')" % masked, "a"), "")
        pids = ",".join(map(str, [d.pid, *d.workers("b")]))
        equal(told(d, load + "return hostile.reach(%s)" % pids, "a"),
              "open /memfd:lua-fpm-shared (deleted)\n", "only its own")
        assert told(d, load + "return hostile.find('%s')" % masked, "b")


@test
def overwritten():
    """a worker that writes anything into it: others of its pool go on, and one
    says that it was broken"""
    with Daemon(workers={"mode": "static", "max": 2},
                shared={"d": "16K"}) as d:
        shutil.copy(HOSTILE, d.dir)
        d.expect("it has been emptied", "runtime error")
        load = ("hostile = hostile or assert(package.loadlib('%s/hostile.so',"
                " 'luaopen_hostile'))() d:get('x') " % d.dir)
        pids = set(d.workers())
        for n in range(1000 if FULL else 60):
            d.lua(D + load + "hostile.scribble(%d) return text('')" % n)
            answer = d.lua(D + "for i = 1, 50 do d:set('k' .. i, 'x') "
                           "d:get('k' .. i) d:incr('n', 1, 0) end d:keys() "
                           "d:set('a', 'good') return text(d:get('a'))")
            equal(answer.body, b"good", n)
        equal(set(d.workers()), pids)


@test
def where_there_is_no_pool():
    """a worker alone, lua-fpm -l and lua-fpm -t get theirs by --shared"""
    app = ("local d = require('fpm').shared.d d:set('at load', 1) return "
           "{ accept = function() return {}, tostring(d:incr('n', 1, 0)) "
           "end }")
    d = Daemon(app)
    path = d.dir + "/s.sock"
    listener = socket.socket(socket.AF_UNIX)
    code, out, err = tool("-t", "--shared", "d=16K", d.dir + "/app.lua")
    equal(code, 0, err)
    code, out, err = tool("-t", d.dir + "/app.lua")
    equal(code, 78, err)
    matches("index a nil value", err)
    for bad in ("d", "d=1", "5d=16K", "d=16K,", "=16K"):
        code, out, err = tool("-t", "--shared", bad, d.dir + "/app.lua")
        equal(code, 78, err)
        matches("--shared: expected a group of sizes", err)
    d.start(args=("-R", "-l", spelt(path), "-n", "2", "--shared", "x=4K,d=16K",
                  d.dir + "/app.lua"))
    equal([fetch(path).body for _ in range(9)][-1], b"9")
    d.sockets.add(path)
    d.stop()
    d = Daemon(app)
    path = d.dir + "/s.sock"
    listener.bind(path)
    listener.listen(16)
    with listener:
        d.spawn(args=("--shared", "d=16K", d.dir + "/app.lua"),
                stdin=listener)
        equal([fetch("fcgi:" + path).body for _ in range(9)][-1], b"9")
        d.kill(signal.SIGTERM)
        equal(d.wait_exit(), 0)
    d.destroy()


run()
