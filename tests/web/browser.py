"""A real Chromium without a screen, steered over WebDriver: plain HTTP and
JSON to chromedriver.  Everything it starts is in one session of its own, and
gone with stop()."""

import base64
import contextlib
import http.client
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import PATIENCE, Server, free_port, until

NEEDS = ("chromium", "chromedriver")
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
           "--disable-dev-shm-usage", "--disable-extensions",
           "--disable-background-networking", "--no-proxy-server",
           "--hide-scrollbars")


# Contrast of each text with what is behind it, as WCAG reckons: the worst.
CONTRAST = """
const parts = c => (c.match(/[\\d.]+/g) || []).map(Number);
const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ?
    v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const behind = e => { for (; e; e = e.parentElement) {
    const c = parts(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c.slice(0, 3); }
    return [255, 255, 255]; };
let worst = [99, ""], seen = 0;
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const ink = e.namespaceURI.endsWith("svg") ? style.fill : style.color;
    const [x, y] = [light(parts(ink)), light(behind(e))].sort((p, q) => q - p);
    const ratio = (x + 0.05) / (y + 0.05);
    seen++;
    if (ratio < worst[0]) worst = [ratio, e.textContent];
}
return [worst[0], worst[1], seen];
"""


class Browser(Server):
    """chromedriver, and one window."""

    def __init__(self, width=1280, height=900):
        super().__init__()
        self.session = ""
        self.launch(["chromedriver", "--port=%d" % self.port],
                    env={**os.environ, "TMPDIR": self.dir, "HOME": self.dir})
        until(self.answers, "chromedriver answers", 60)
        self.session = until(lambda: self.begin(width, height), "a window", 60)

    def begin(self, width, height):
        """On a busy machine chromedriver may not reach the browser that it
        has started."""
        with contextlib.suppress(AssertionError):
            return "/session/" + self.ask("POST", "/session", {
                "capabilities": {"alwaysMatch": {
                    "goog:loggingPrefs": {"browser": "ALL"},
                    "goog:chromeOptions": {"args": [
                        *OPTIONS, "--window-size=%d,%d" % (width, height),
                        "--user-data-dir=%s/profile" % self.dir]},
                }}})["sessionId"]

    def stop(self):
        """chromedriver ends its browser with itself."""
        if self.session:
            self.ask("DELETE", "")
            self.session = ""
        self.destroy()

    def answers(self):
        try:
            return self.ask("GET", "/status")["ready"]
        except OSError:
            return False

    def ask(self, method, path, what=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            c.request(method, self.session + path,
                      None if what is None else json.dumps(what),
                      {"Content-Type": "application/json"})
            value = json.loads(c.getresponse().read())["value"]
        finally:
            c.close()
        assert not (isinstance(value, dict) and "error" in value), value
        return value

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def js(self, script, *args):
        """What the function body returns, run in the page."""
        return self.ask("POST", "/execute/sync", {"script": script,
                                                  "args": list(args)})

    def until(self, script, *args, what=""):
        return until(lambda: self.js(script, *args), what or script,
                     3 * PATIENCE)

    def devtools(self, command, **params):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command,
                                                      "params": params})

    def look(self, width, height, scheme):
        """Another size of the window, another taste of its user."""
        self.devtools("Emulation.setDeviceMetricsOverride", width=width,
                      height=height, deviceScaleFactor=1, mobile=width < 600)
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path):
        """All of the page as PNG, into a file; its bytes."""
        png = base64.b64decode(self.devtools(
            "Page.captureScreenshot", captureBeyondViewport=True)["data"])
        with open(path, "wb") as f:
            f.write(png)
        return png

    def complaints(self):
        """What the console has been told since the last time."""
        return ["%(level)s %(message)s" % e for e in
                self.ask("POST", "/se/log", {"type": "browser"})]
