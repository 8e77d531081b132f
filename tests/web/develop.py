#!/usr/bin/env python3
"""develop = true in a real browser, behind a real nginx: edit, reload the page,
see the change; an error is a page that can be read, light and dark.

SCREENSHOTS=DIRECTORY keeps its pictures there."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import CONTRAST, NEEDS, Browser
from harness import *

APP = """local app = {}

function app.accept(env)
  local basket = { tea = 2 }
  local total = 0
  for name, n in pairs(basket) do
    total = total + n%s
  end
  return { ["Content-Type"] = "text/html; charset=utf-8" },
    "<!DOCTYPE html><title>Shop</title><h1>Total " .. total .. "</h1>"
end

return app
"""
d = Daemon(workers={"mode": "static", "max": 1}, develop=True,
           environment={"DB_PASSWORD": "hush"})
n = b = None


def put(text):
    write(d.dir + "/app.lua.new", text)
    os.rename(d.dir + "/app.lua.new", d.dir + "/app.lua")


def shown():
    b.open("http://127.0.0.1:%d/basket?<i>=1" % n.port)
    return b.js("return document.body.innerText")


@test
def edit_and_reload():
    """a change of the file is what the next load of the page shows"""
    global n, b
    d.write_app(APP % "")
    d.start()
    n = Nginx(d.address())
    b = Browser()
    equal(shown(), "Total 2")
    put(APP % " * 3")
    equal(shown(), "Total 6")


@test
def a_page_for_an_error():
    """message, marked line of the source, request; nothing of it is HTML"""
    d.expect("app.lua:7")
    put(APP % " + name.price.of")
    text = shown()
    for what in ("app.lua:7", "attempt to index a nil value",
                 "total = total + n + name.price.of", "REQUEST_URI",
                 "(hidden)"):
        assert what in text, what
    assert "hush" not in text
    equal(b.js("return [...document.querySelectorAll('.here')].map("
               "e => e.textContent.trim())"),
          ["7    total = total + n + name.price.of"])
    equal(b.js("return document.querySelectorAll('td i, h1 *').length"), 0)
    pictures("error")


@test
def a_page_for_a_syntax_error():
    """with the line, and gone when it is mended"""
    d.expect("app.lua:8")
    put(APP % " +")
    text = shown()
    assert "app.lua:8: unexpected symbol near 'end'" in text, text
    equal(b.js("return document.querySelector('.here').textContent.trim()"),
          "8  end")
    pictures("syntax")
    put(APP % "")
    equal(shown(), "Total 2")
    equal([c for c in b.complaints() if "500" not in c], [])
    b.stop()


def pictures(name):
    """light and dark, wide and narrow: readable, and no wider than the window"""
    where = os.environ.get("SCREENSHOTS", d.dir)
    for width, height, scheme in ((1280, 900, "light"), (1280, 900, "dark"),
                                  (400, 800, "light"), (400, 800, "dark")):
        b.look(width, height, scheme)
        ratio, text, seen = b.js(CONTRAST)
        assert ratio >= 4.5 and seen > 10, (scheme, ratio, text, seen)
        wide = b.js("return document.documentElement.scrollWidth")
        assert wide <= width, "%d px wide in a window of %d" % (wide, width)
        b.picture("%s/develop-%s-%d-%s.png" % (where, name, width, scheme))
    b.look(1280, 900, "light")


run(180, needs=("/usr/sbin/nginx", *NEEDS))
