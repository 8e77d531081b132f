#!/usr/bin/env python3
"""The status page in a real browser, behind a real nginx: it draws a bar per
worker, keeps itself up to date, and shows what came with requests as text.

SCREENSHOTS=DIRECTORY keeps its pictures there."""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import CONTRAST, NEEDS, Browser
from harness import *

HOSTILE = "/<script>window.hit=1</script>?<img/src=x/onerror=window.hit=2>"
d = Daemon(workers={"mode": "static", "max": 3}, status_path="/fpm-status",
           timers=[{"name": "night", "every": "30d"},
                   {"name": "never", "every": "10d"}])
d.top["control"] = d.dir + "/control"
d.sockets.add(d.top["control"])
APP = app_source("eval.lua").replace("return app", """
function app.interval(name)
	error("<b>no</b>")
end
return app""")
d.write_app(APP)
d.expect("interval")
d.set_pool("www", **{**d.pools["www"], "status_listen": d.dir + "/status"})
n = b = None


def fact(name):
    return b.js("const e = document.querySelector(`[data-fact="
                "'${arguments[0]}']`);"
                "return e && +e.textContent.replaceAll(',', '')", name)


def states():
    return sorted(b.js("return [...document.querySelectorAll("
                       "'#workers .state')].map(e => e.textContent)"))


def get(lua=None, **how):
    return http(n.port, lua=lua, **how)


@test
def starts():
    """daemon, nginx and browser start"""
    global n, b
    d.start()
    n = Nginx(d.address())
    b = Browser()


@test
def alone():
    """the page is one file: it names nothing outside of itself"""
    status, headers, page = get(path="/fpm-status?html")
    equal((status, headers["Content-Type"]),
          (200, "text/html; charset=utf-8"))
    page = page.decode()
    assert page.startswith("<!DOCTYPE html>") and len(page) > 10000, page[:99]
    for outside in (r"https?:", r"\ssrc=", r"@import", r"url\(", r"//\w+\."):
        equal(re.findall(outside, page), [], outside)
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacent", "eval("):
        assert forbidden not in page, forbidden


@test
def draws():
    """a bar per worker, the pool's name, mode and generation, key figures"""
    b.open("http://127.0.0.1:%d/fpm-status?html" % n.port)
    b.until("return document.querySelectorAll('#workers li').length === 3")
    equal(b.js("return ['name', 'mode', 'generation'].map(id => "
               "document.getElementById(id).textContent)"),
          ["www", "static", "1"])
    equal(sorted(b.js("return [...document.querySelectorAll("
                      "'#workers .pid')].map(e => +e.textContent.slice(4))")),
          d.workers("www"))
    equal(b.js("return [...document.querySelectorAll('[data-figure]')]"
               ".map(e => e.dataset.figure)"),
          ["Requests / s", "Busy workers", "Idle workers", "Waiting clients",
           "Latency p50", "Latency p99"])
    b.until("return document.getElementById('live').textContent === 'live'")


@test
def updates():
    """what was counted changes by itself, the line and the histogram too"""
    before = fact("Requests/Over")
    for _ in range(60):
        equal(get()[0], 200)
    until(lambda: fact("Requests/Over") >= before + 60, "counted", 60)
    b.until("return parseFloat(document.querySelector("
            "`[data-figure='Requests / s']`).textContent) > 0")
    b.until("return document.querySelector('#rate .curve')"
            ".getAttribute('d').includes('L')")
    assert b.js("return [...document.querySelectorAll('#latency .lately')]"
                ".some(e => +e.getAttribute('height') > 10)")
    for which in ("p50", "p99"):
        matches(r"^(> )?[\d.]+ (µs|ms|s)$", b.js(
            "return document.querySelector(`[data-figure='Latency "
            "${arguments[0]}']`).textContent", which))


def timer(name):
    return b.js("return document.querySelector(`[data-timer="
                "'${arguments[0]}']`).textContent", name)


@test
def timers():
    """a line per timer: when it is due, how its last run ended"""
    matches("^neverevery 10d, in (9 d|10 d).*no run yet0 runs, 0 failed, 0 "
            "missed$", timer("never"))
    code, _, err = tool("-s", d.top["control"], "run", "www", "night",
                        program=LUA_FPMCTL)
    equal(code, 1)
    b.until("return document.querySelector(`[data-timer='night']`)"
            ".textContent.includes('1 run,')")
    matches(r"failed .* ago, took .*1 run, 1 failed, 0 missed$",
            timer("night"))
    matches("<b>no</b>$", b.js("return document.querySelector(`[data-timer="
                               "'night'] span[title]`).title || document."
                               "querySelector(`[data-timer='night']`)"
                               ".children[2].title"))


@test
def hostile():
    """what a worker is running and for how long; markup in it is text"""
    gate = d.gate()
    running = Background(get, "gate('%s') return text('late')" % gate.path,
                         path=HOSTILE)
    gate.wait()
    find = ("return [...document.querySelectorAll('#workers .running')]"
            ".filter(e => e.querySelector('.what').textContent === "
            "arguments[0])%s")
    text = "GET " + HOSTILE
    b.until(find % ".length === 1", text)
    assert "Running" in states(), states()
    took = find % "[0].querySelector('.took').textContent"
    first = b.js(took, text)
    until(lambda: b.js(took, text) != first, "its time goes on", 60)
    width = b.js(find % "[0].querySelector('.bar i').offsetWidth", text)
    assert width > 0, width
    equal(b.js("return [document.querySelectorAll('#page script, #page img')"
               ".length, window.hit === undefined]"), [0, True])
    pictures()
    gate.open()
    equal(running.result()[2], b"late")
    b.until(find % ".length === 0", text)


def pictures():
    """In both schemes and at both ends of widths; no text is pale, nothing
    sticks out."""
    where = os.environ.get("SCREENSHOTS", d.dir)
    backs = set()
    for width, height, scheme in ((1600, 1100, "light"), (1100, 900, "dark"),
                                  (360, 800, "light"), (360, 800, "dark")):
        b.look(width, height, scheme)
        b.until("return innerWidth === arguments[0]", width)
        equal(b.js("return document.documentElement.scrollWidth"), width)
        ratio, text, seen = b.js(CONTRAST)
        assert ratio >= 4.5 and seen > 60, (scheme, ratio, text, seen)
        backs.add(b.js("return getComputedStyle(document.body)"
                       ".backgroundColor"))
        png = b.picture("%s/status-%d-%s.png" % (where, width, scheme))
        assert len(png) > 10000, len(png)
    equal(len(backs), 2, "light and dark differ")
    b.look(1280, 900, "light")


@test
def generations():
    """after a reload the same page shows the new generation"""
    d.set_pool("www", **{**d.pools["www"], "environment": {"NEW": "yes"}})
    d.write_conf()
    d.reload()
    b.until("return document.getElementById('generation').textContent === "
            "'2'")
    until(lambda: states() == ["Idle"] * 3 or states() ==
          ["Idle", "Idle", "Running"], "only the new ones are left", 60)


@test
def hidden():
    """a page that nobody sees asks nobody"""
    b.js("window.asked = 0; const real = window.fetch;"
         "window.fetch = (...a) => { window.asked++; return real(...a); };")
    b.until("return window.asked > 0")
    hide = ("Object.defineProperty(document, 'hidden', { value: "
            "arguments[0], configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange'));")
    b.js(hide, True)
    # One may be under way; then as long as three of them would take.
    asked = b.js("const before = window.asked; return new Promise(done => "
                 "setTimeout(() => done(window.asked - before), 3000))")
    equal(asked, 0)
    equal(b.js("return document.getElementById('live').textContent"),
          "paused")
    b.js(hide, False)
    b.until("return window.asked > 1")
    b.until("return document.getElementById('live').textContent === 'live'")


@test
def crash_loop():
    """behind status_listen it is there while no worker is, and says why"""
    d.expect("broken on purpose", "before it was ready")
    aside = Nginx(d.pools["www"]["status_listen"])
    b.open("http://127.0.0.1:%d/fpm-status?html" % aside.port)
    b.until("return document.querySelectorAll('#workers li').length === 3")
    d.write_app("error('broken on purpose')")
    for pid in d.workers("www"):
        kill(pid, signal.SIGKILL)
    b.until("const e = document.getElementById('alarm'); return !e.hidden "
            "&& /[2-9] failures in a row/.test(e.textContent)")
    d.write_app(APP)
    b.until("return document.getElementById('alarm').hidden && "
            "document.querySelectorAll('#workers .idle').length === 3")
    b.open("http://127.0.0.1:%d/fpm-status?html" % n.port)
    b.until("return document.getElementById('live').textContent === 'live'")
    aside.destroy()  # the browser keeps its connection


@test
def quiet():
    """the browser complains of nothing: no error, nothing refused"""
    equal(b.complaints(), [])


@test
def unreachable():
    """it says when the daemon does not answer, and when it does again"""
    os.rename(d.address(), d.address() + ".away")
    b.until("return document.getElementById('live').textContent"
            ".startsWith('unreachable (HTTP 502)')")
    assert b.js("return document.querySelectorAll('#workers li').length"), \
        "what was known stays"
    os.rename(d.address() + ".away", d.address())
    b.until("return document.getElementById('live').textContent === 'live'")
    for line in b.complaints():
        assert "502" in line, line
    b.stop()


run(180, needs=("/usr/sbin/nginx", *NEEDS))
