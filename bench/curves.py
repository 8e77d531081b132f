"""Measured curves as a picture: panels below one another, two in a row, each
with lines over one axis; either axis may be logarithmic, and moments or sizes
may be marked.  Used by bench/growth and tests/full/soak.py."""

import math
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, COLUMNS = 960, 2
PANEL = 236       # the height of a panel with its title and axis
TOP, BOTTOM = 70, 16
LEFT, RIGHT = 62, 14  # of the plot in its panel
HEAD, FOOT = 44, 38

STYLE = """
svg { --back: #fff; --text: #1f2328; --faint: #59636e; --grid: #d8dee4;
  --mark: #d1a40060;
  --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #bf3989;
  --c5: #57606a; }
@media (prefers-color-scheme: dark) {
  svg { --back: #0d1117; --text: #f0f6fc; --faint: #9198a1; --grid: #2a313a;
    --mark: #bb800960;
    --c0: #4493f8; --c1: #f0883e; --c2: #3fb950; --c3: #ab7df8; --c4: #db61a2;
    --c5: #9198a1; }
}
text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
  fill: var(--text); }
.title { font-size: 18px; font-weight: 600; }
.panel { font-weight: 600; }
.faint, .tick { font-size: 11px; fill: var(--faint); }
.grid { stroke: var(--grid); }
.mark { stroke: var(--mark); }
polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
""" + "".join(".c%d { stroke: var(--c%d); } .n%d { fill: var(--c%d); "
              "font-size: 11px; }\n" % (i, i, i, i) for i in range(6))


class Panel(NamedTuple):
    """lines: {name: [(x, y)]}, at most six; y of None: a gap.  across, up:
    what the axes are.  marks: values of x.  note: a line below the title."""
    title: str
    across: str
    up: str
    lines: dict
    log_x: bool = False
    log_y: bool = False
    marks: tuple = ()
    note: str = ""


def short(value):
    """A number of at most five characters."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9999:
            return "%.3g%s" % (value / size, letter)
    return "%.3g" % value


class Axis:
    """From values to places between two ends."""

    def __init__(self, values, log, begin, end):
        self.log = log and min(values) > 0
        low, high = min(values), max(values)
        if self.log:
            low, high = math.log10(low), math.log10(high)
            if high - low < 0.3:
                low, high = low - 0.15, high + 0.15
        else:
            low = min(low, 0)
            high = high * 1.06 if high > low else low + 1
        self.low, self.high, self.begin, self.end = low, high, begin, end

    def place(self, value):
        value = math.log10(value) if self.log else value
        return self.begin + (value - self.low) / (self.high - self.low) * \
            (self.end - self.begin)

    def ticks(self):
        if self.log:
            steps = (1,) if self.high - self.low > 2.2 else (1, 2, 5)
            found = [n * 10.0 ** e for e in range(
                math.floor(self.low), math.ceil(self.high) + 1) for n in steps]
            return [t for t in found
                    if self.low - 1e-9 <= math.log10(t) <= self.high + 1e-9]
        raw = (self.high - self.low) / 5
        size = 10 ** math.floor(math.log10(raw))
        step = next(n * size for n in (1, 2, 2.5, 5, 10) if n * size >= raw)
        return [n * step for n in range(math.ceil(self.low / step),
                                        math.floor(self.high / step) + 1)]


def text(x, y, content, kind="", anchor="start"):
    return '<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>' % (
        x, y, kind, anchor, escape(content))


def line(x1, y1, x2, y2, kind):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>' % (
        x1, y1, x2, y2, kind)


def pieces(points):
    """The points between the gaps."""
    found = [[]]
    for x, y in points:
        if y is None:
            found.append([])
        else:
            found[-1].append((x, y))
    return [piece for piece in found if piece]


def draw_lines(panel, across, up):
    for i, points in enumerate(panel.lines.values()):
        for piece in pieces(points):
            yield '<polyline class="c%d" points="%s"/>' % (i, " ".join(
                "%.1f,%.1f" % (across.place(x), up.place(y))
                for x, y in piece))
            if len(piece) <= 16:
                for x, y in piece:
                    yield ('<circle cx="%.1f" cy="%.1f" r="2.2" class="n%d"/>'
                           % (across.place(x), up.place(y), i))


def draw_panel(panel, left, top):
    right, bottom = left + WIDTH / COLUMNS - RIGHT, top + PANEL - FOOT
    begin = left + LEFT
    known = [(x, y) for points in panel.lines.values() for x, y in points
             if y is not None]
    yield text(left + 16, top + 14, panel.title, "panel")
    place = left + 16
    for i, name in enumerate(panel.lines):
        yield text(place, top + 30, "— " + name, "n%d" % i)
        place += 7 * len(name) + 26
    if not known:
        return
    across = Axis([x for x, _ in known], panel.log_x, begin, right)
    up = Axis([y for _, y in known], panel.log_y, bottom, top + HEAD)
    for tick in up.ticks():
        yield line(begin, up.place(tick), right, up.place(tick), "grid")
        yield text(begin - 6, up.place(tick) + 4, short(tick), "tick", "end")
    for tick in across.ticks():
        yield text(across.place(tick), bottom + 14, short(tick), "tick",
                   "middle")
    for mark in panel.marks:
        yield line(across.place(mark), top + HEAD, across.place(mark), bottom,
                   "mark")
    yield text(right, bottom + 29, panel.across, "faint", "end")
    yield text(begin - 6, top + HEAD - 2, panel.up, "faint", "end")
    if panel.note:
        yield text(begin, bottom + 29, panel.note, "faint")
    yield from draw_lines(panel, across, up)


def draw(title, about, panels):
    """The whole picture; about: lines below the title."""
    top = TOP + 15 * len(about) - 15
    height = top + math.ceil(len(panels) / COLUMNS) * PANEL + BOTTOM
    parts = [text(16, 28, title, "title")]
    parts += [text(16, 48 + 15 * i, said, "faint")
              for i, said in enumerate(about)]
    for i, panel in enumerate(panels):
        parts += draw_panel(panel, i % COLUMNS * WIDTH / COLUMNS,
                            top + i // COLUMNS * PANEL)
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
            'viewBox="0 0 %d %d" role="img" aria-label="%s">\n<style>%s'
            '</style>\n<rect width="100%%" height="100%%" '
            'style="fill: var(--back)"/>\n%s\n</svg>\n' % (
                WIDTH, height, WIDTH, height, escape(title, {'"': "&quot;"}),
                STYLE, "\n".join(parts)))
