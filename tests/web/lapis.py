#!/usr/bin/env python3
"""An application for Lapis behind nginx with its plain fastcgi_params.

Where LAPIS_PATH in the environment is a directory that has Lapis and the Lua
modules that it needs, these run too, beside the stand-in of ours."""

import json
import os
import sys
from urllib.parse import quote, unquote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from front import Front
from nginx_main import MAIN
import page

REAL = os.environ.get("LAPIS_PATH")
STANDIN = os.path.join(os.path.abspath(SRC), "tests", "apps", "lapis")
PATHS = {"stand-in": ""}
if REAL:
    PATHS["real"] = ";%s/?.lua;%s/?/init.lua" % (REAL, REAL)
FORM = "application/x-www-form-urlencoded"

sites = {}


def start():
    """One daemon, a pool and nginx for each Lapis."""
    d = Daemon(pools={"none": {"listen": "127.0.0.1:1"}})
    d.drop_pool("none")
    for name, path in PATHS.items():
        dir = "%s/%s" % (d.dir, name)
        os.mkdir(dir)
        files = ["site.lua"] + ([] if path else ["lapis.lua"])
        for file in files:
            with open("%s/%s" % (STANDIN, file)) as f:
                write("%s/%s" % (dir, file), f.read())
        write(dir + "/config.lua", "")
        for mode in ("development", "production", "hurry"):
            d.set_pool("%s-%s" % (name, mode), app=dir + "/site.lua",
                       interface="lapis", lua={"path": ";;" + path},
                       workers={"mode": "static", "max": 1},
                       limits={"memory": "32M"},
                       environment={"LAPIS_ENVIRONMENT": mode})
        d.pools[name + "-hurry"]["timeouts"] = {"read": "300ms", "stop": "10s"}
    d.start()
    for name in PATHS:
        sites[name] = Nginx("%s/%s-development.sock" % (d.dir, name))
    return d


d = None


def each(fn):
    """Decorator: a test for each Lapis there is."""
    def point():
        global d
        d = d or start()
        for name in PATHS:
            diag(name)
            fn(Site(name))
    point.__name__ = fn.__name__
    point.__doc__ = fn.__doc__
    return test(point)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers = status, headers
        self.body = body.decode()

    @property
    def json(self):
        equal(self.headers["Content-Type"], "application/json")
        return json.loads(self.body)


class Site:
    def __init__(self, name):
        self.name = name
        self.server = sites[name]
        self.port = str(self.server.port)

    def ask(self, path="/", method="GET", body=None, type=None, **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        if type:
            headers["Content-Type"] = type
        return Answer(*http(self.server.port, method, path, body, headers))

    def post(self, path, body, type=FORM, **headers):
        return self.ask(path, "POST", body, type, **headers)

    def pool(self, mode="development"):
        return "%s-%s" % (self.name, mode)


def cookies(answer):
    return answer.headers.get_all("Set-Cookie") or []


# ---- as Lapis' own tests of its servers -------------------------------------


@each
def basic_page(site):
    """a page"""
    r = site.ask()
    equal((r.status, r.headers["Content-Type"], r.body),
          (200, "text/html", "Welcome in fpm"))


@each
def json_page(site):
    """a page of JSON"""
    r = site.ask("/world")
    equal((r.status, r.json), (200, {"success": True}))


@each
def query_params(site):
    """fields of the query: the last of a name, nested names, a bare name is
    true, an empty value is empty"""
    r = site.ask("/dump-params?color=blue&color=green&height[oops]=9&bare&no=&"
                 "u=%C3%BC+x")
    equal(r.json, {"color": "green", "height": {"oops": "9"}, "bare": True,
                   "no": "", "u": "ü x"})


@each
def post_params(site):
    """fields of a form, whatever its charset and case, beside those of the
    query, which they replace"""
    for type in (FORM, FORM + "; charset=UTF-8", FORM.upper()):
        r = site.post("/dump-params?q=1&color=no", "color=red&color=blue&"
                      "height%5Boops%5D=9&bare&x=+%2B", type)
        equal(r.json, {"color": "blue", "height": {"oops": "9"}, "q": "1",
                       "bare": True, "x": " +"})


@each
def json_params(site):
    """a body of JSON, for an action that asks for it only"""
    r = site.post("/dump-params", '{"thing": 1234}', "application/json")
    equal(r.json, {})
    r = site.post("/dump-json-params", '{"thing": 1234}', "application/json")
    equal(r.json, {"thing": 1234})
    r = site.post("/dump-json-params", '{"thing": ', "application/json")
    equal(r.json, {})


def token_of(site, **headers):
    """A token, and the cookie that belongs to it."""
    r = site.ask("/form", **headers)
    got = cookies(r)
    return r.json["csrf_token"], got[0].partition(";")[0] if got else None


@each
def csrf_token(site):
    """a token comes with the cookie of its session"""
    token, cookie = token_of(site)
    matches(r"^lapis_session_token=.+", cookie)


@each
def csrf_from_cookie(site):
    """a session that there is keeps its cookie"""
    token, cookie = token_of(site)
    again, none = token_of(site, Cookie=cookie)
    equal(none, None)
    if site.name == "stand-in":  # the real one signs with a time
        equal(again, token)


@each
def csrf_refused(site):
    """a form without a token, with nonsense, and with another one's token"""
    token, cookie = token_of(site)
    other, _ = token_of(site)
    for form, why in (("a=1", "missing csrf token"),
                      ("csrf_token=hello+world", "csrf: invalid format"),
                      ("csrf_token=" + quote(other), "csrf: token mismatch")):
        r = site.post("/form", form, Cookie=cookie)
        equal(r.json, {"errors": [why]})


@each
def csrf_accepted(site):
    """a form with its token"""
    token, cookie = token_of(site)
    r = site.post("/form", "csrf_token=" + quote(token), Cookie=cookie)
    equal(r.json, {"success": True})


# ---- requests ---------------------------------------------------------------


@each
def request_fields(site):
    """what a request has, by its names and by those that Lapis has given up"""
    uri = "/dump-req?a=1&b=%2F"
    r = site.ask(uri, X_Any_Case="here", Referer="http://x/").json
    url = r["url"]  # Debian's nginx tells no port since it had a CVE
    equal(url.pop("port", site.port), site.port)
    equal(url, {"scheme": "http", "host": "127.0.0.1", "path": "/dump-req",
                "query": "a=1&b=%2F"})
    equal(r["names"], ["here"] * 3)
    matches(r"^http://127\.0\.0\.1(:%s)?%s$" % (site.port, re.escape(uri)),
            r["fields"].pop("built_url"))
    equal(r["fields"], {
        "method": "GET", "cmd_mth": "GET", "request_uri": uri, "cmd_url": uri,
        "scheme": "http", "port": site.port, "remote_addr": "127.0.0.1",
        "server_addr": "127.0.0.1", "srv": "127.0.0.1", "relpath": "/dump-req",
        "referer": "http://x/"})
    equal(site.ask("/dump-req").json["fields"]["referer"], "")


@each
def hosts(site):
    """the host that was asked, and its port; https; a web server that sends no
    REQUEST_URI, or one with a host"""
    at = d.address(site.pool())

    def redirected(host, *params):
        r = fetch(at, uri="/redirect", params=[("HTTP_HOST", host), *params])
        equal(r.status, 302)
        return r.header("Location")[0]
    equal(redirected("localhost:8080"), "http://localhost:8080/world")
    equal(redirected("[::1]"), "http://[::1]/world")
    equal(redirected("[::1]:81"), "http://[::1]:81/world")
    equal(redirected(None, ("SERVER_NAME", "here")), "http://here/world")
    equal(redirected("x", ("HTTPS", "on")), "https://x/world")
    equal(redirected("x", ("REQUEST_SCHEME", "https")), "https://x/world")
    r = fetch(at, params=[("REQUEST_URI", None), ("SCRIPT_NAME", "/dump"),
                          ("PATH_INFO", "-params"), ("QUERY_STRING", "a=1")])
    equal(json.loads(r.body), {"a": "1"})
    r = fetch(at, params=[("REQUEST_URI", "http://localhost/world")])
    equal(json.loads(r.body), {"success": True})


@each
def bodies(site):
    """the body of PUT, DELETE and POST as a string, also a second time, of a
    form, and of one without length; none is nil"""
    for method in ("PUT", "DELETE", "POST"):
        r = site.ask("/echo", method, "a body", "text/plain")
        equal(r.body, method + " a body true")
    equal(site.ask("/echo").body, "GET nil true")
    equal(site.post("/echo", "a=1&b").body, "POST a=1&b true")
    r = site.ask("/echo", "POST", iter([b"in ", b"pieces"]),
                 "application/octet-stream", Transfer_Encoding="chunked")
    equal(r.body, "POST in pieces true")


def multipart(*parts):
    """A body of (head, content), and its type."""
    return b"".join(b"--B\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n"
                    % (as_bytes(head), as_bytes(content))
                    for head, content in parts) + b"--B--\r\n", \
        "multipart/form-data; boundary=B"


@each
def upload(site):
    """a file is a table, a part with a type as well; what has no type is a
    string; a field that was left empty is a file without a name"""
    r = site.post("/upload", *multipart(
        ('name="title"', "Ein Lied"),
        ('name="typed"\r\nContent-Type: application/json', "[1]"),
        ('name="empty"; filename=""\r\n'
         "Content-Type: application/octet-stream", ""),
        ('name="file"; filename="old.txt"\r\nContent-Type: text/plain', "old"),
        ('name="file"; filename="a b.txt"\r\nContent-Type: text/plain',
         "ü--\r\n--b")))
    equal(r.json, {
        "type": "table", "name": "file", "filename": "a b.txt",
        "content_type": "text/plain", "size": 9, "content": "ü--\r\n--b",
        "again": True, "title": "Ein Lied",
        "typed": {"name": "typed", "content-type": "application/json",
                  "content": "[1]"},
        "empty": {"name": "empty", "filename": "",
                  "content-type": "application/octet-stream", "content": ""}})
    r = site.post("/dump-params", *multipart(
        ('name="plain"; filename="x"', "no type"), ('name="a[b]"', "c")))
    equal(r.json, {"plain": "no type", "a": {"b": "c"}})


@each
def large_upload(site):
    """a file that is larger than the memory, if no action wants it as a string;
    a file of some megabytes, as a string"""
    head = 'name="file"; filename="f"\r\nContent-Type: text/plain'
    r = site.post("/keep", *multipart((head, b"x" * (48 << 20))))
    equal(r.body, "f %d" % (48 << 20))
    r = site.post("/upload", *multipart((head, b"x" * (3 << 20))))
    equal(r.json["size"], 3 << 20)


@each
def bad_forms(site):
    """a form that cannot be read is refused, and no action runs"""
    typed = 'name="x"\r\nContent-Type: text/plain'
    for body, type, status in (
            ("a=%zz", FORM, 400),
            ("&".join("a%d=1" % i for i in range(1001)), FORM, 413),
            ("a=" + "x" * (2 << 20), FORM, 413),
            ("nothing", "multipart/form-data", 400),
            ("nothing", "multipart/form-data; boundary=B", 400),
            (multipart((typed, b"x" * (2 << 20)))[0], multipart()[1], 413),
            (multipart(*[(typed, b"x" * (1 << 20))] * 9)[0], multipart()[1],
             413)):
        r = site.post("/dump-params", body, type)
        equal((r.status, r.headers["Content-Type"]), (status, "text/plain"))
    equal(site.ask().status, 200)


@each
def slow_bodies(site):
    """a body that does not come in time is a 408, as a form and as a string"""
    for type in (FORM, "text/plain"):
        with Conn(d.address(site.pool("hurry"))) as c:
            c.send(head("POST", "/echo", params=[
                ("CONTENT_TYPE", type), ("CONTENT_LENGTH", "10")]))
            c.send(record(STDIN, b"a=1"))
            equal(c.response().status, 408)


# ---- responses --------------------------------------------------------------


@each
def several_cookies(site):
    """each cookie is a header of its own, and comes back"""
    r = site.ask("/cookies")
    got = sorted(c.partition(";")[0] for c in cookies(r))
    equal([r.body, got[0], got[2]], ["nil", "count=1", "plain=1"])
    equal(unquote(got[1]), "name=a b; c=ü")
    r = site.ask("/cookies", Cookie="count=1; name=x")
    equal((r.body, len(cookies(r))), ("1", 3))


@each
def elements(site):
    """pages of nested functions, which Lapis copies by string.dump, though
    lua.binary_chunks is false"""
    for _ in range(3):
        equal(site.ask("/elements").body, '<div class="outer"><p>&lt;b&gt;</p>'
              "<p>&lt;b&gt; again</p></div>")
    assert "binary_chunks" not in d.read_log()


@each
def response_headers(site):
    """names in any case and with underscores; several values; none"""
    r = site.ask("/headers")
    equal(r.body, "text/plain1nilnil")
    equal(r.headers["Content-Type"], "text/plain")
    equal(r.headers["X-Under"], "1")
    equal(r.headers.get_all("X-Many"), ["a", "b"])
    equal(r.headers.get_all("X-Array"), ["c", "d"])
    equal([r.headers[n] for n in ("X-None", "X-Gone")], [None, None])


@each
def statuses(site):
    """a status, and a redirection to the host that was asked"""
    for status in (200, 201, 404, 422, 503):
        r = site.ask("/status/%d" % status)
        equal((r.status, r.body), (status, "as asked"))
    r = site.ask("/redirect")
    equal(r.status, 302)
    matches(r"^http://127\.0\.0\.1(:\d+)?/world$", r.headers["Location"])
    r = site.ask("/dump-params", "HEAD")
    equal((r.status, r.body), (200, ""))


@each
def error_pages(site):
    """an error is Lapis' own page, in development and in production, and a
    line of the log with its place; Lapis' log of requests has no colours"""
    d.expect("it failed <here>")
    d.expect("Failed to find route")
    for mode in ("development", "production"):
        mark = d.log_mark()
        r = fetch(d.address(site.pool(mode)), uri="/fail")
        equal((r.status, r.header("Content-Type")), (500, ["text/html"]))
        assert b"it failed &lt;here" in r.body and b"traceback" in r.body
        d.wait_log(r"error \[pool %s\].* GET /fail: .*site\.lua:\d+: it failed "
                   r"<here>.*traceback.*site\.lua:\d+: in" % site.pool(mode),
                   mark)
        d.wait_log(r"\[pool %s\].* \[500\] GET /fail" % site.pool(mode), mark)
        assert "x1b" not in d.read_log(mark)
    equal(site.ask("/nowhere").status, 500)


@each
def database(site):
    """a connection that was lost costs the requests that meet it, and others
    keep it"""
    if site.name != "stand-in":
        return  # there is no server of a database
    d.expect("the connection is lost")
    for number in (1, 2):
        for _ in range(2):
            equal(site.ask("/query").body, "connection %d" % number)
        equal(site.ask("/status/404").status, 404)
        equal(site.ask("/query").body, "connection %d" % number)
        equal(site.ask("/query?lost").status, 500)
    equal(site.ask("/query").body, "connection 3")
    equal(site.ask("/status/503").status, 503)
    equal(site.ask("/query").body, "connection 4")


# ---- applications -----------------------------------------------------------


@each
def file_of_its_own(site):
    """a file that calls fpm.lapis with options of its own, and one that has
    the name of a module"""
    path = "%s/%s/?.lua;;%s" % (d.dir, site.name, PATHS[site.name])
    one = {"mode": "static", "max": 1}
    with Daemon(app="""
local app = require("fpm.lapis")("site", { form = { max_fields = 1 },
  start = function() print("it starts") end })
return app""", lua={"path": path}, workers=one) as own:
        equal(own.fetch().body, b"Welcome in fpm")
        r = own.fetch(uri="/dump-params", body="a=1&b=2",
                      params=[("CONTENT_TYPE", FORM)])
        equal(r.status, 413)
        own.wait_log("it starts")
    with Daemon(app='return "site"', lua={"path": path}, workers=one,
                interface="lapis") as own:
        equal(own.fetch().body, b"Welcome in fpm")


@each
def moonscript(site):
    """a file that ends in .moon is handed to MoonScript"""
    if not PATHS[site.name]:  # the stand-in takes Lua for it
        write(d.dir + "/stand-in/moonscript.lua",
              "return { loadfile = loadfile }")
        text = 'return "site"'
    elif os.path.exists(REAL + "/moonscript"):
        text = 'import format from string\nformat "%s", "site"\n'
    else:
        return
    file = "%s/%s/app.moon" % (d.dir, site.name)
    write(file, text)
    moon = Daemon(interface="lapis", lua={
        "path": PATHS[site.name] + ";;", "cpath": "%s/?.so;;" % (REAL or "")})
    moon.pools["www"]["app"] = file
    with moon:
        equal(moon.fetch().body, b"Welcome in fpm")


@test
def no_application():
    """what is no application is refused, with what was expected"""
    for code, why in (
            ("return {}", "the application is a table without dispatch"),
            ("return 5", "the application is a number"),
            ("", "the application is nil"),
            ('return "nowhere"', "module 'nowhere' not found"),
            ('return require("fpm.lapis")({}, { form = 1 })',
             "fpm.lapis: options.form is a number, expected a table"),
            ('return require("fpm.lapis")({}, { forms = {} })',
             'fpm.lapis: there is no option "forms"')):
        own = Daemon(app=code, lua={"path": STANDIN + "/?.lua;;"},
                     interface="lapis")
        own.write_conf()
        code, out, err = tool("-t", "-c", own.file)
        assert code == 78 and why in out + err, out + err
        own.destroy()


# lapis.cmd.actions calls it so.
STANDIN_COMMAND = """
package.preload["lapis.config"] = function()
  return { get = function(name) return dofile("config.lua") end }
end
require("lapis.cmd.fpm.actions").server({
  fail_with_message = function(_, why) print(why) os.exit(1) end,
}, { environment = "production" })
"""
STANDIN_CONFIG = "return %s"
REAL_CONFIG = 'require("lapis.config")("production", %s)'


@each
def server_command(site):
    """server = "fpm" in Lapis' configuration: `lapis server` serves"""
    dir = "%s/%s" % (d.dir, site.name)
    address = "127.0.0.1:%d" % free_port()
    config = """{ server = "fpm", port = "%s", num_workers = "1",
      default_app_module = "site", fpm_options = { "-R" } }""" % (
        address.partition(":")[2])
    command = ["lua5.4", "-e", STANDIN_COMMAND]
    write(dir + "/config.lua", STANDIN_CONFIG % config)
    if PATHS[site.name]:
        command = ["lua5.4", REAL + "/bin/lapis", "server", "production"]
        write(dir + "/config.lua", REAL_CONFIG % config)
    lua_path = "./?.lua;%s/src/lua/?.lua;%s" % (os.path.abspath(SRC),
                                                PATHS[site.name])
    with open(dir + "/log", "wb") as log:
        runner = subprocess.Popen(
            command, cwd=dir, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "PATH": BUILD + ":" + os.environ["PATH"],
                 "LUA_PATH": lua_path + ";;"})

    def answers():
        equal(runner.poll(), None, "lapis server")
        with contextlib.suppress(ConnectionRefusedError):
            return fetch(address).body.endswith(b"Welcome in fpm")
    try:
        until(answers)
        os.killpg(runner.pid, signal.SIGINT)
        equal(runner.wait(PATIENCE), 0)
        until(lambda: not session(runner.pid))
    finally:
        for pid in session(runner.pid):
            kill(pid, signal.SIGKILL)
    with open(dir + "/log") as log:
        matches(r"takes FastCGI on %s " % re.escape(address), log.read())


# ---- the page ------------------------------------------------------------------

_, APP, POOL, NGINX, _ = page.literals("LAPIS ON DEBIAN",
                                       SRC + "/man/fpm.lapis.3lua")


class Shown(Daemon):
    """The pool of the page."""

    def configuration(self):
        text = POOL
        for shown, here in (("/srv/site", self.dir),
                            ("/run/lua-fpm", self.dir)):
            assert shown in text, shown
            text = text.replace(shown, here)
        if not ROOT:
            text = re.sub(r".*(user|listen_owner).*\n", "", text)
        return "".join("%s = %s;\n" % (k, libconfig(v))
                       for k, v in self.top.items()) + text


class ShownNginx(Front):
    stop_signal = signal.SIGQUIT
    places = {"listen 80;": "listen 127.0.0.1:%(port)d;",
              "/run/lua-fpm/site.sock": "%(socket)s"}
    shown = staticmethod(lambda: NGINX)

    def configure(self):
        os.symlink("/etc/nginx/fastcgi_params", self.dir + "/fastcgi_params")
        write(self.dir + "/shop.conf", self.block())
        self.write("nginx.conf", MAIN)
        self.launch(["/usr/sbin/nginx", "-p", self.dir, "-c",
                     self.dir + "/nginx.conf", "-e", self.dir + "/error.log"])


@test
def on_debian():
    """the three files of fpm.lapis(3lua), as they are"""
    shown = Shown(APP, listen=[])
    with open(STANDIN + "/lapis.lua") as f:
        write(shown.dir + "/lapis.lua", f.read())
    shown.sockets.add(shown.dir + "/site.sock")
    with shown, ShownNginx(shown.dir + "/site.sock") as server:
        status, _, body = http(server.port)
        equal((status, body),
              (200, b"<h1>It works</h1><p>This is 127.0.0.1</p>"))


if tool("-e", "require 'cjson'", program="lua5.4")[0] != 0:
    print("1..0 # SKIP no lua-cjson")
    sys.exit()
run(60, needs=("/usr/sbin/nginx", "lua5.4"))
