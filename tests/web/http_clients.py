#!/usr/bin/env python3
"""HTTP clients that people have, and proxies, on an HTTP listener: curl, wrk,
ab, h2load, node, aiohttp, Chromium; nginx, HAProxy, Caddy, Varnish."""

import hashlib
import os
import sys
from http.client import IncompleteRead

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from http_raw import *
from browser import NEEDS, Browser

MB = 1 << 20
LOADS = 200 if SANITIZED else 1000
APP = app_source("eval.lua").replace("return app", """
local accept = app.accept
local page = [[<!DOCTYPE html><meta charset="utf-8"><title>Page</title>
<link rel="preconnect" href="/"><link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,"><form method="post" action="/form?q=1">
<input name="a" value="1 &amp; é"><button>Go</button></form>]]

function app.accept(env)
	local headers = { ["Content-Type"] = "text/html; charset=utf-8" }
	if env.SCRIPT_NAME == "/page" then
		return headers, page
	elseif env.SCRIPT_NAME == "/style.css" then
		return { ["Content-Type"] = "text/css" }, "h1 { color: #123456 }"
	elseif env.SCRIPT_NAME == "/form" then
		return headers, "<title>Form</title><h1>" .. env.REQUEST_METHOD ..
		    " " .. env.input:read("a") .. "</h1>"
	end
	return accept(env)
end
return app""")
ECHO = "return text(env.input:read('a'))"
CUT = "return {}, coroutine.wrap(function() coroutine.yield(%s) "\
    "error('on purpose') end)"
COUNT = "local n, e = 0 repeat local s = env.input:read(65536) n = n + "\
    "#(s or '') until not s or s == '' return text(n .. ' ' .. "\
    "tostring(env.CONTENT_LENGTH))"
d = HttpDaemon(app=APP, workers=2, limits={"body": "20M"})
d.expect("shorter than", "on purpose", "the body broke")


@contextlib.contextmanager
def silent(but=" full: "):
    """What happens meanwhile is no line in the log, but that workers are
    busy."""
    mark = d.log_mark()
    yield
    equal([line for line in d.read_log(mark).splitlines()
           if not re.search(but + "| full: | not full any more", line)], [])


def needs(*programs):
    for p in programs:
        if shutil.which(p) is None:
            raise Skip("no " + p)


def url(path="/"):
    return "http://" + d.tcp + path


@test
def starts():
    """the daemon starts"""
    d.start()
    d.big = d.dir + "/big"
    with open(d.big, "wb") as f:
        f.write(random.Random(3).randbytes(3 * MB))
    d.sum = hashlib.sha256(open(d.big, "rb").read()).hexdigest()


# ---- clients ----------------------------------------------------------------


def curl(*words, lua=None, **how):
    needs("curl")
    more = ("-H", "X-Lua: " + lua) if lua else ()
    code, out, err = tool("-sS", "-m", str(PATIENCE), *more, *words,
                          program="curl", **how)
    equal((code, "" if "-v" in words else err), (0, ""), words)
    return out, err


@test
def curl_plain():
    """curl: GET, -I, --http1.0, three over one connection"""
    with silent():
        equal(curl(url())[0], "hello")
        out = curl("-I", url())[0]
        matches(r"^HTTP/1.1 200 OK\r?\n", out)
        matches(r"Content-Length: 5\r?\n", out)
        equal(curl("--http1.0", url())[0], "hello")
        equal(curl("--http1.0", url(), lua="local n = 0 return text(function()"
                   " n = n + 1 return n < 4 and 'abc' or nil end)")[0],
              "abcabcabc")
        out = curl("-w", "%{num_connects} ", *[url()] * 3)[0]
        equal(out, "hello1 hello0 hello0 ")


@test
def curl_uploads():
    """curl: bodies with a length and in chunks, small and large, asked for
    with 100 Continue without a wait"""
    small = d.dir + "/app.lua"
    text = APP
    with silent():
        equal(curl("-d", "a=b", url(), lua=ECHO)[0], "a=b")
        for expect in ("Expect: 100-continue", "Expect:"):
            for coding in ("X: y", "Transfer-Encoding: chunked"):
                how = "-v", "-H", expect, "-H", coding
                equal(curl(*how, "--data-binary", "@" + small, url(),
                           lua=ECHO)[0], text)
                out, err = curl(*how, "-T", d.big, url(), lua=COUNT)
                length = "nil" if "chunked" in coding else 3 * MB
                equal(out, "%d %s" % (3 * MB, length))
                equal("100 Continue" in err, "100" in expect, err[-500:])
                assert "Done waiting" not in err, err
        r, w = os.pipe()  # of a length that curl does not know
        writer = Background(lambda: (os.write(w, b"x" * 50000), os.close(w)))
        equal(curl("-T", "-", url(), lua=COUNT, stdin=r)[0], "50000 50000")
        os.close(r)
        writer.result()
        out = curl("-o", d.dir + "/got", "-T", d.big, url(), lua=ECHO)[0]
        with open(d.dir + "/got", "rb") as f:
            equal(hashlib.sha256(f.read()).hexdigest(), d.sum)


@test
def curl_refused():
    """curl: a body that is refused, or not read: the answer arrives"""
    for coding in ("X: y", "Transfer-Encoding: chunked"):
        for expect in ("Expect: 100-continue", "Expect:"):
            out = curl("-H", coding, "-H", expect, "-T", d.big, url(),
                       "-w", " %{http_code}",
                       lua="return { Status = 403 }, 'no'")[0]
            equal(out, "no 403")
    with open(d.dir + "/huge", "wb") as f:
        f.truncate(21 * MB)
    for expect in ("Expect: 100-continue", "Expect:"):
        equal(curl("-o", "/dev/null", "-H", expect, "-T", d.dir + "/huge",
                   url(), "-w", "%{http_code}", lua=COUNT)[0], "413")


@test
def wrk():
    """wrk: nothing but 200"""
    needs("wrk")
    with silent():
        code, out, _ = tool("-t1", "-c20", "-d1s", url(), program="wrk")
    equal(code, 0)
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    diag(matches(r"Requests/sec:\s+\d+", out)[0])


@test
def ab():
    """ab -k, which speaks HTTP/1.0: all over kept connections; and without"""
    needs("ab")
    with silent():
        for keep in (["-k"], []):
            code, out, err = tool("-q", *keep, "-n", str(LOADS), "-c", "10",
                                  url(), program="ab")
            equal(code, 0, err)
            matches(r"Complete requests:\s+%d\n" % LOADS, out)
            matches(r"Failed requests:\s+0\n", out)
            assert "Non-2xx" not in out, out
            if keep:
                matches(r"Keep-Alive requests:\s+%d\n" % LOADS, out)


@test
def h2load():
    """h2load --h1, with and without pipelining"""
    needs("h2load")
    with silent():
        for depth in ("1", "8"):
            code, out, err = tool("--h1", "-n", str(LOADS), "-c", "10", "-m",
                                  depth, url(), program="h2load")
            equal(code, 0, err)
            matches(r"%d succeeded, 0 failed, 0 errored, 0 timeout" % LOADS,
                    out)


NODE = """
const http = require("http"), assert = require("assert");
const url = process.argv[2], port = new URL(url).port;
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const echo = { "X-Lua": "return text(env.input:read('a'))" };
const sockets = new Set();
function ask(how, pieces) {
    return new Promise((done, failed) => {
        const r = http.request({ port, agent, ...how }, answer => {
            let got = "";
            answer.setEncoding("latin1");
            answer.on("data", s => { got += s; });
            answer.on("end", () => { assert(answer.complete); done(got); });
        });
        r.on("socket", s => sockets.add(s));
        r.on("error", failed);
        for (const p of pieces || []) r.write(p);
        r.end();
    });
}
(async () => {
    for (let i = 0; i < 20; i++) {
        assert.equal(await ask({}), "hello");
        assert.equal(await ask({ method: "HEAD" }), "");
        assert.equal(await ask({ method: "POST", headers: echo },
            ["a", "b".repeat(i * 5000)]), "a" + "b".repeat(i * 5000));
    }
    assert.equal(sockets.size, 1);
    for (let i = 0; i < 10; i++) {
        const r = await fetch(url, { method: "POST", headers: echo,
            body: new URLSearchParams({ a: "1 2" }) });
        assert.equal(await r.text(), "a=1+2");
        const large = new Uint8Array(300000).fill(i);
        const e = await fetch(url, { method: "POST", headers: echo,
            duplex: "half", body: new Blob([large]).stream() });
        assert.deepEqual(new Uint8Array(await e.arrayBuffer()), large);
    }
    let broken = 0;
    for (const lua of ["return { ['Content-Length'] = 100 }, 'x'",
        "return {}, coroutine.wrap(function() coroutine.yield(" +
        "('x'):rep(300000)) error('on purpose') end)"])
        await fetch(url, { headers: { "X-Lua": lua } }).then(r => r.text())
            .catch(() => { broken++; });
    assert.equal(broken, 2);
    agent.destroy();
})().catch(e => { console.error(e); process.exitCode = 1; });
"""


@test
def node():
    """node: http with an agent that keeps one connection, and fetch (undici);
    what is cut is an error"""
    needs("node")
    write(d.dir + "/client.js", NODE)
    code, out, err = tool(d.dir + "/client.js", url(), program="node", env={
        **os.environ, "NODE_NO_WARNINGS": "1"})  # that fetch is young
    equal((code, out, err), (0, "", ""))


AIOHTTP = """
import asyncio, sys
import aiohttp
url, lua = sys.argv[1], {"X-Lua": "return text(env.input:read('a'))"}
async def pieces():
    for n in range(50):
        yield b"%d" % n * 1000
async def broken(s, lua):
    try:
        async with s.get(url, headers={"X-Lua": lua}) as r:
            await r.read()
    except aiohttp.ClientError:
        return True
async def main():
    one = aiohttp.TCPConnector(limit=5)
    async with aiohttp.ClientSession(connector=one) as s:
        async def ask(n):
            async with s.get(url) as r:
                assert await r.text() == "hello"
            async with s.post(url, data=b"x" * n * 3000, headers=lua) as r:
                assert await r.read() == b"x" * n * 3000
        await asyncio.gather(*map(ask, range(40)))
        async with s.post(url, data=pieces(), headers=lua,
                          expect100=True) as r:
            assert len(await r.read()) == 90000
        async with s.head(url) as r:
            assert (r.status, await r.read()) == (200, b"")
        assert await broken(s, "return { ['Content-Length'] = 100 }, 'x'")
        assert await broken(s, "return {}, coroutine.wrap(function() "
            "coroutine.yield(('x'):rep(300000)) error('on purpose') end)")
asyncio.run(main())
"""


@test
def aiohttp():
    """aiohttp: 80 requests at once over 5 connections, a body in chunks that
    is asked for; what is cut is an error"""
    python = next((p for p in (sys.executable, "/usr/bin/python3") if
                   tool("-c", "import aiohttp", program=p)[0] == 0), None)
    if python is None:
        raise Skip("no aiohttp for python3")
    write(d.dir + "/client.py", AIOHTTP)
    code, out, err = tool("-B", d.dir + "/client.py", url(), program=python)
    equal((code, out, err), (0, "", ""))


@test
def chromium():
    """Chromium: a page with its style, a form, fetch, a download that is cut;
    the connections that it opens and does not use are no line in the log"""
    needs(*NEEDS)
    b = d.browser = Browser()
    with silent("on purpose"):
        browse(b)


def browse(b):
    b.open(url("/page"))
    equal(b.js("return [document.title, document.styleSheets.length]"),
          ["Page", 1])
    b.js("document.querySelector('button').click()")
    b.until("return document.title === 'Form'")
    equal(b.js("return [document.querySelector('h1').textContent, "
               "getComputedStyle(document.querySelector('h1')).color]")[0],
          "POST a=1+%26+%C3%A9")
    fetched = b.ask("POST", "/execute/async", {"script": """
        const done = arguments[2], all = [];
        const ask = (lua, more) => fetch("/", { headers: { "X-Lua": lua },
            ...more }).then(r => r.text()).catch(e => "broken");
        (async () => {
            for (let i = 0; i < 20; i++)
                all.push(await ask("return text('" + i + "')"));
            const big = "x".repeat(300000);
            all.push(await ask(arguments[0],
                { method: "POST", body: big }) === big);
            all.push(await ask(arguments[1]));
            done(all);
        })();""", "args": [ECHO, "return {}, coroutine.wrap(function() "
                           "coroutine.yield(('x'):rep(300000)) error("
                           "'on purpose') end)"]})
    equal(fetched, [str(n) for n in range(20)] + [True, "broken"])


@test
def example():
    """the example application: its pages, and its form in Chromium"""
    needs(*NEEDS)
    e, b = HttpDaemon(), d.browser
    shutil.copytree(SRC + "/conf/example", e.dir + "/example")
    subprocess.run(["chmod", "-R", "u+w,a+rX", e.dir + "/example"], check=True)
    e.set_pool("www", **{**e.pools["www"], "app": e.dir + "/example/app.lua"})
    with e:
        for path in ("/", "/notes", "/chat", "/request?a=%3Cb%3E", "/worker"):
            b.open("http://%s%s" % (e.tcp, path))
            b.until("return document.readyState === 'complete'")
            assert b.js("return document.querySelector('h1, h2').textContent")
        b.open("http://%s/notes" % e.tcp)
        b.js("document.querySelector('[name=name]').value = 'é';"
             "document.querySelector('[name=text]').value = 'a <b> & c';"
             "document.querySelector('form').submit()")
        b.until("return document.body.innerText.includes('a <b> & c')")
        equal(b.js("return location.pathname"), "/notes")
        b.stop()  # the daemon waits for connections that are kept


# ---- proxies ----------------------------------------------------------------


class Proxy(Server):
    """A proxy in front of the daemon, in a scratch directory."""

    stop_signal = signal.SIGTERM
    attempts = 1

    def __init__(self, **how):
        super().__init__()
        self.configure(**how)


class NginxProxy(Proxy):
    """nginx, proxy_pass"""
    stop_signal = signal.SIGQUIT

    def configure(self, buffering="on", keep=8):
        needs("/usr/sbin/nginx")
        temp = "".join("%s_temp_path %s/%s;\n" % (k, self.dir, k) for k in (
            "client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        conf = self.file("nginx.conf", """
%s worker_processes 1; daemon off; pid %s/pid; error_log %s/error.log;
events { worker_connections 512; }
http {
    access_log off; %s
    upstream fpm { server %s; %s }
    server {
        listen 127.0.0.1:%d; client_max_body_size 64m;
        location / {
            proxy_pass http://fpm; proxy_http_version 1.1;
            proxy_set_header Connection ""; proxy_set_header Host $http_host;
            proxy_request_buffering %s; proxy_buffering %s;
        }
    }
}""" % ("user %s;" % pool_user() if ROOT else "", self.dir, self.dir, temp,
            d.tcp, "keepalive %d;" % keep if keep else "", self.port,
            buffering, buffering))
        self.launch(["/usr/sbin/nginx", "-p", self.dir, "-c", conf, "-e",
                     self.dir + "/error.log"])


class HAProxyHttp(Proxy):
    """HAProxy, mode http"""
    stop_signal = signal.SIGUSR1

    def configure(self, reuse="always"):
        needs("/usr/sbin/haproxy")
        conf = self.file("haproxy.cfg", """
global
    hard-stop-after 1s
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend web
    bind 127.0.0.1:%d
    default_backend fpm
backend fpm
    http-reuse %s
    server one %s
""" % (self.port, reuse, d.tcp))
        self.launch(["/usr/sbin/haproxy", "-db", "-f", conf])


class CaddyProxy(Proxy):
    """Caddy, reverse_proxy"""
    # 2.6 cuts one of 300 answers to a body that it has just passed on, with
    # "use of closed network connection", also where nginx is behind it.
    attempts = 5

    def configure(self):
        needs("/usr/bin/caddy")
        conf = self.file("Caddyfile", "{\n\tadmin off\n\tauto_https off\n}\n"
                         ":%d {\n\tbind 127.0.0.1\n\treverse_proxy %s\n}\n" %
                         (self.port, d.tcp))
        self.launch(["/usr/bin/caddy", "run", "--config", conf, "--adapter",
                     "caddyfile"],
                    env={**os.environ, "HOME": self.dir, "XDG_CONFIG_HOME":
                         self.dir, "XDG_DATA_HOME": self.dir})


class Varnish(Proxy):
    """Varnish"""

    # 7.1 tells one of 2,000 answers in chunks that are cut as if it were
    # whole, whatever server has sent it.
    attempts = 3

    def configure(self):
        needs("/usr/sbin/varnishd")
        host, port = d.tcp.split(":")
        conf = self.file("fpm.vcl", "vcl 4.1;\nbackend fpm { .host = \"%s\"; "
                         ".port = \"%s\"; }\nsub vcl_recv { return (%s); }\n" %
                         (host, port, "pass"))
        self.launch(["/usr/sbin/varnishd", "-F", "-j", "none", "-n",
                     self.dir + "/work", "-a", "127.0.0.1:%d" % self.port,
                     "-f", conf, "-s", "malloc,16m", "-p",
                     "thread_pools=1"])


def echoed(proxy, data, chunked):
    """Is that what comes back?"""
    for _ in range(proxy.attempts):
        try:
            status, _, body = http(
                proxy.port, "POST", lua=ECHO,
                headers={"Transfer-Encoding": "chunked"} if chunked else {},
                body=iter([data[i:i + 50000] for i in range(
                    0, len(data), 50000)]) if chunked else data)
            return status == 200 and body == data
        except IncompleteRead:
            diag("cut on its way")
    return False


def cut(proxy, lua):
    """Does curl see that the answer is not whole?"""
    for _ in range(proxy.attempts):
        code, out, _ = tool("-sS", "-m", str(PATIENCE), "-H", "X-Lua: " + lua,
                            "-o", "/dev/null", "-w", "%{http_code}",
                            "http://127.0.0.1:%d/" % proxy.port,
                            program="curl")
        if code in (18, 52, 56) or out in ("502", "503"):
            return True
        diag("%s: %d, %s" % (lua, code, out))
    return False


def through(proxy, reuses, unseen):
    """What holds behind every proxy; unseen: that it does not tell its client
    of a cut answer in chunks."""
    def ask(lua=None, **how):
        return http(proxy.port, lua=lua, **how)
    ports = set()
    for _ in range(20):
        status, _, body = ask("return text(env.REMOTE_PORT)")
        equal(status, 200)
        ports.add(body)
    equal(len(ports) <= 2, reuses, "connections to us: %s" % ports)
    data = open(d.big, "rb").read(MB)
    for chunked in (False, True):
        assert echoed(proxy, data, chunked), chunked
    status, headers, body = ask(method="HEAD")
    equal((status, body), (200, b""))
    for status in (204, 304):
        got = ask("return { Status = %d, ETag = '\"e\"' }, 'x'" % status)
        equal((got[0], got[1]["ETag"], got[2]), (status, '"e"', b""))
    equal(ask()[2], b"hello")
    lua = "return { Status = 403 }, 'not read'"
    status, _, body = ask(lua, method="POST", body=data)
    equal((status, body), (403, b"not read"))
    equal(refused_upload(proxy), 413, "21 MB")
    for lua in ("return { ['Content-Length'] = 100 }, 'x'", CUT % "'x'",
                CUT % "('x'):rep(300000)"):
        assert cut(proxy, lua) or unseen and "coroutine" in lua, lua
    equal(ask()[2], b"hello")


def refused_upload(proxy):
    """The status that curl sees for a body over limits.body."""
    return int(curl("-o", "/dev/null", "-H", "Expect:", "-T",
                    d.dir + "/huge", "http://127.0.0.1:%d/" % proxy.port,
                    "-w", "%{http_code}", lua=COUNT)[0])


def point(kind, name, what, reuses=True, unseen=False, **how):
    def look():
        with kind(**how) as proxy:
            through(proxy, reuses, unseen)
    look.__name__ = name
    look.__doc__ = "%s%s: GET, POST of 1 MB with a length and in chunks, " \
        "HEAD, 204, 304, refused and cut answers" % (kind.__doc__, what)
    test(look)


point(NginxProxy, "nginx_kept", " with kept connections and buffers")
point(NginxProxy, "nginx_streamed", " without either", buffering="off",
      keep=0, reuses=False)
point(HAProxyHttp, "haproxy_reuse", " with http-reuse always")
point(HAProxyHttp, "haproxy", " with http-reuse never", reuse="never",
      reuses=False)
point(CaddyProxy, "caddy", "", unseen=True)
point(Varnish, "varnish", "")

run(limit=180, over=FCGI)  # once
