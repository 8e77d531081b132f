#!/usr/bin/env python3
"""The recipes of lua-fpm-recipes(7), as they stand there, with real databases
and a real nginx."""

import json
import os
import signal
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *
from databases import NEEDS, Postgres, Redis
import page

RECIPES = SRC + "/man/lua-fpm-recipes.7"
TWO = {"mode": "static", "max": 2}


def recipe(section, place=0):
    return page.literals(section, RECIPES)[place]


def serve(section, app=None, **pool):
    d = Daemon(**{"workers": TWO, "timeouts": {"stop": "10s"}, **pool})
    d.write_app(app or recipe(section))
    d.start()
    return d


def post(d, value):
    r = d.fetch(method="POST", body=json.dumps(value).encode(),
                uri="/notes")
    return r.status, json.loads(r.body)


def notes(d):
    r = d.fetch(uri="/notes")
    return r.status, [n["text"] for n in json.loads(r.body).get("notes", ())]


@test
def postgresql():
    """a table made once, values quoted, a restart that costs no reader"""
    p = Postgres()
    with serve("POSTGRESQL", environment={"DATABASE": p.address}) as d:
        d.expect("notes: ")
        equal(d.fetch(uri="/notes").body, b'{"notes":[]}')
        for text in ("it's", '"\\; drop table note; --', "ä\n", ""):
            equal(post(d, {"text": text}), (201, {"added": 1}))
        wanted = ["it's", '"\\; drop table note; --', "ä\n", ""]
        for _ in range(4):  # by either worker
            equal(notes(d), (200, wanted))
        for bad in (5, {"text": 5}, {"text": "\0"}, []):
            equal(post(d, bad)[0], 400, bad)
        p.restart()
        for _ in range(8):
            equal(notes(d), (200, wanted))
        p.end()
        for _ in range(4):
            equal(notes(d)[0], 503)
            equal(post(d, {"text": "x"})[0], 503)
        p.run()
        for _ in range(4):
            equal(notes(d), (200, wanted))
        equal(post(d, {"text": "x"})[0], 201)
        equal(p.sql("select count(*) from note"), "5")
    p.stop()


@test
def postgresql_under_load():
    """of the requests that a restart meets, readers are answered"""
    p = Postgres()
    with serve("POSTGRESQL", environment={"DATABASE": p.address}) as d:
        equal(post(d, {"text": "x"})[0], 201)
        load = Load(d.address(), clients=4)
        for _ in range(3):
            load.more(30)
            p.sql("select pg_terminate_backend(pid) from pg_stat_activity "
                  "where pid <> pg_backend_pid()")
        load.more(30)
        load.stop()
        equal(load.failures, [])
    p.stop()


@test
def sqlite():
    """every worker counts in the same file, and none is lost"""
    d = Daemon()
    file = d.dir + "/rw/hits.db"
    d.set_pool("www", **{**d.pools["www"], "workers": TWO,
                         "environment": {"DATABASE": file}})
    d.write_app(recipe("SQLITE"))
    with d.start():
        load = Load(d.address(), clients=4, uri="/a")
        load.more(100)
        load.stop()
        equal(load.failures, [])
        n = int(d.fetch(uri="/a").body)
        equal(n, load.done + 1)
        equal(d.fetch(uri="/it's").body, b"1\n")


@test
def cron_by_timers():
    """each task, run by hand, does what is to be done once; old visits go"""
    timers = recipe("CRON BY TIMERS")
    timers = [{"name": name, key: value} for name, key, value in re.findall(
        r'name = "(\w+)"; (every|at) = "([^"]+)";', timers)]
    equal([t["name"] for t in timers], ["cleanup", "report"])
    d = Daemon()
    file = d.dir + "/rw/visits.db"
    d.top["control"] = d.dir + "/control"
    d.sockets.add(d.top["control"])
    d.set_pool("www", **{**d.pools["www"], "workers": TWO, "timers": timers,
                         "environment": {"DATABASE": file}})
    d.write_app(recipe("CRON BY TIMERS", 1))

    def run_now(name):
        code, out, err = tool("-s", d.top["control"], "run", "www", name,
                              program=LUA_FPMCTL)
        equal((code, err), (0, ""), out + d.tail())

    day = 24 * 60 * 60
    with d.start():
        run_now("report")
        for uri in ("/a", "/it's"):
            equal(d.fetch(uri=uri).body, b"nothing yet\n")
        db = sqlite3.connect(file, timeout=20)
        with db:
            for age in (1, 1, 31):
                db.execute("insert into visit values ('/', ?)",
                           (int(time.time()) - age * day,))
        yesterday = time.strftime("%F", time.gmtime(time.time() - day))
        for _ in range(2):
            run_now("report")
            equal(d.fetch().body.decode(), yesterday + ": 2 visits\n")
        run_now("cleanup")
        d.wait_log("visits forgotten: 1$")
        (n,) = db.execute("select count(*) from day").fetchone()
        equal(n, 2)
        db.close()


def lua_redis():
    """The path by which Debian's is found."""
    for path in "/usr/share/lua/5.4", "/usr/share/lua/5.3":
        if os.path.exists(path + "/redis.lua"):
            return ";;%s/?.lua" % path
    raise Skip("lua-redis is not installed")


@test
def redis_sessions():
    """a visitor's number counts, a stranger's does not; a restart is survived"""
    r = Redis()
    with serve("REDIS SESSIONS", lua={"path": lua_redis()},
               environment={"REDIS": r.address}) as d:
        def visit(cookie=None):
            answer = d.fetch(params=[("HTTP_COOKIE", cookie)] if cookie else [])
            given = answer.header("set-cookie")[0]
            return answer.body, given.partition(";")[0], given

        body, cookie, given = visit()
        equal(body, b"visit 1\n")
        matches("^session=[0-9a-f]{32};.*HttpOnly", given)
        for n in (2, 3, 4):
            equal(visit(cookie)[:2], (b"visit %d\n" % n, cookie))
        assert visit()[1] != cookie
        equal(visit("session=../../etc")[0], b"visit 1\n")
        r.restart()
        for _ in range(4):
            equal(visit(cookie)[1], cookie)
        assert int(visit(cookie)[0].split()[1]) >= 2, "it is remembered"
    r.stop()


@test
def on_several_machines():
    """two daemons and a Redis: what is said at one all hear, in one order,
    over a reload of one and a Redis that is away for a while"""
    r = Redis()
    keys = recipe("WEBSOCKETS ON SEVERAL MACHINES")
    every = matches(r'name = "relay"; every = "(\w+)"', keys)[1]
    matches(r'shared: \{ relay = "64K"; \};', keys)
    ds = [WsDaemon(app=recipe("WEBSOCKETS ON SEVERAL MACHINES", 1),
                   workers=TWO, lua={"path": lua_redis()},
                   shared={"relay": "64K"},
                   timers=[{"name": "relay", "every": every}],
                   environment={"REDIS": r.address}) for _ in "ab"]
    with contextlib.ExitStack() as stack:
        sockets = []
        for d in ds:
            d.expect("relay: ", "WEBSOCKET /")
            stack.enter_context(d)
            sockets += [stack.enter_context(d.ws()) for _ in range(2)]
        # A machine begins with what comes once it has looked.
        until(lambda: all_hear(sockets, "begin"), "both have begun")
        for n in range(20):
            sockets[n % 4].send("message %d" % n)
        heard = [[ws.receive() for _ in range(20)] for ws in sockets]
        equal(sorted(heard[0]), sorted("message %d" % n for n in range(20)))
        for other in heard[1:]:
            equal(other, heard[0])
        sockets[0].send("during the reload")
        ds[0].reload()
        for ws in sockets:
            equal(ws.receive(), "during the reload")
        r.end()
        with ds[1].ws() as unlucky:
            unlucky.send("lost")
            equal(unlucky.failed(), (1011, "end"))
        for d in ds:
            d.wait_log("relay: ")
        r.run()
        sockets[3].send("Redis is back")
        for ws in sockets:
            equal(ws.receive(), "Redis is back")
    r.stop()


def all_hear(sockets, text):
    """Said over and over, since nothing is kept for who comes later."""
    sockets[0].send(text)
    for ws in sockets:
        with contextlib.suppress(TimeoutError):
            equal(ws.event(0.5), ("text", text.encode()))
            continue
        return False
    return drained(sockets, text)


def drained(sockets, text):
    sockets[0].send("end of " + text)
    for ws in sockets:
        while ws.receive() != "end of " + text:
            pass
    return True


@test
def signed_cookie():
    """it counts; changed in one place it is worth nothing"""
    with serve("SIGNED COOKIE", environment={"SESSION_KEY": "k" * 32}) as d:
        def visit(value=None):
            r = d.fetch(params=[("HTTP_COOKIE", "session=" + value)]
                        if value else [])
            return r.body, r.header("set-cookie")[0].split(";")[0][8:]

        body, value = visit()
        equal(body, b"visit 1\n")
        for n in (2, 3):
            body, value = visit(value)
            equal(body, b"visit %d\n" % n)
        for i in range(0, len(value), 7):
            other = value[:i] + ("0" if value[i] != "0" else "1") + value[i + 1:]
            equal(visit(other)[0], b"visit 1\n", other)
        equal(visit(value)[0], b"visit 4\n")
    d = Daemon()
    d.write_app(recipe("SIGNED COOKIE"))
    r = subprocess.run([LUA_FPM, "-t", d.dir + "/app.lua"],
                       capture_output=True, text=True)
    matches("SESSION_KEY is not set", r.stderr)
    d.destroy()


@test
def upload():
    """a file from a form is stored under its request's number"""
    d = Daemon()
    store = d.dir + "/rw"
    d.set_pool("www", **{**d.pools["www"], "environment": {"STORE": store}})
    d.write_app(recipe("UPLOAD"))
    with d.start(), Nginx(d.address()) as n:
        equal(http(n.port)[0], 200)
        data = os.urandom(300000)
        body = (b'--b\r\nContent-Disposition: form-data; name="file"; '
                b'filename="<a>.bin"\r\n\r\n' + data + b"\r\n--b--\r\n")
        status, _, said = http(n.port, "POST", body=body, headers={
            "Content-Type": "multipart/form-data; boundary=b"})
        equal((status, said), (201, b"&lt;a&gt;.bin: 300000 bytes"))
        (name,) = os.listdir(store)
        with open(store + "/" + name, "rb") as f:
            assert f.read() == data
        equal(http(n.port, "POST", body=b"x=1", headers={
            "Content-Type": "application/x-www-form-urlencoded"})[0], 400)


@test
def events():
    """many listeners beside pages: each gets events, no page waits"""
    pools = recipe("SERVER-SENT EVENTS")
    matches(r"max = 200; spawn_rate = 50;", pools)
    d = Daemon(pools={"www": {"workers": {"mode": "static", "max": 1}}})
    d.set_pool("events", workers={"mode": "dynamic", "max": 200,
                                  "spawn_rate": 50},
               app=d.dir + "/events.lua")
    d.write_app(recipe("SERVER-SENT EVENTS", 1), "events.lua")
    with d.start():
        listeners = [d.connect("events") for _ in range(30)]
        for c in listeners:
            c.send(request())
        for c in listeners:
            head = c.piece()
            matches("(?i)content-type: text/event-stream", head.decode())
        equal(d.fetch().body, b"hello")
        for c in listeners:
            c.close()
        until(lambda: len(d.workers("events")) < 200, "they are let go")


@test
def files_of_the_web_server():
    """nginx sends what the application allows, and static files itself"""
    d = Daemon(workers=TWO)
    d.write_app(recipe("FILES THAT THE WEB SERVER SENDS", 1))
    os.makedirs(d.dir + "/files")
    os.makedirs(d.dir + "/static")
    os.chmod(d.dir, 0o755)
    write(d.dir + "/files/plan.pdf", "the plan")
    write(d.dir + "/static/style.css", "body {}")
    more = recipe("FILES THAT THE WEB SERVER SENDS").replace(
        "/srv/files/", d.dir + "/files/") + recipe(
        "FILES THAT THE WEB SERVER SENDS", 2).replace("/srv/site", d.dir)
    with d.start(), Nginx(d.address(), server=more) as n:
        equal(http(n.port, path="/files/plan.pdf")[::2], (200, b"the plan"))
        equal(http(n.port, path="/files/plan.pdf?pass=no")[0], 403)
        equal(http(n.port, path="/files/../app.lua")[0], 403)
        equal(http(n.port, path="/private/plan.pdf")[0], 404)
        equal(http(n.port, path="/static/style.css")[::2], (200, b"body {}"))


@test
def another_language():
    """a searcher of two lines; a stand-in where the compiler is not packaged"""
    d = Daemon(workers=TWO, develop=True)
    d.write_app(recipe("OTHER LANGUAGES"))
    found = next((f for f in ("/usr/share/lua/5.4/fennel.lua",
                              "/usr/share/lua/5.3/fennel.lua")
                  if os.path.exists(f)), None)
    if found:
        with open(found) as f:
            write(d.dir + "/fennel.lua", f.read())
        write(d.dir + "/site.fnl",
              '{:accept (fn [env] (values {} "from fennel"))}')
    else:
        write(d.dir + "/fennel.lua", """
return { install = function()
  table.insert(package.searchers, 2, function(name)
    local file = package.searchpath(name,
      (package.path:gsub("%.lua", ".fnl")))
    return file and function(...)
      local f <close> = assert(io.open(file))
      return assert(load(f:read("a"):gsub("^#", "return"), "@" .. file))(...)
    end, file
  end)
end }""")
        write(d.dir + "/site.fnl",
              '# { accept = function() return {}, "from fennel" end }')
    with d.start():
        equal(d.fetch().body, b"from fennel")
        with open(d.dir + "/site.fnl") as f:
            text = f.read()
        write(d.dir + "/new", text.replace("from", "again from"))
        os.rename(d.dir + "/new", d.dir + "/site.fnl")
        equal(d.fetch().body, b"again from fennel")


@test
def cqueues_and_luv():
    """event loops of their own, inside of accept"""
    app = """
local app = {}
function app.accept(env)
  if env.REQUEST_URI == "/cqueues" then
    local cqueues = require "cqueues"
    local condition = require "cqueues.condition"
    local loop, turn, seen = cqueues.new(), condition.new(), {}
    for i = 1, 3 do
      loop:wrap(function() -- the last one first
        while #seen ~= 3 - i do
          turn:wait()
        end
        cqueues.sleep(0.01)
        seen[#seen + 1] = i
        turn:signal()
      end)
    end
    assert(loop:loop())
    return {}, table.concat(seen)
  end
  local uv = require "luv"
  local seen = {}
  local function after(i)
    local timer = uv.new_timer()
    timer:start(10, 0, function()
      seen[#seen + 1] = i
      timer:close()
      if i > 1 then
        after(i - 1)
      end
    end)
  end
  after(3)
  uv.run()
  return {}, table.concat(seen)
end
return app"""
    with serve(None, app=app) as d:
        for _ in range(3):
            for uri in ("/cqueues", "/luv"):
                equal(d.fetch(uri=uri).body, b"321", uri)


run(180, needs=("/usr/sbin/nginx", *NEEDS))
