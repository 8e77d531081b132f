"""The results as a picture: a line for each row, a panel for each contender.

A bar shows processor time, a thinner one below it requests per second, a line
across both the target.
"""

import math
from xml.sax.saxutils import escape

WIDTH = 960
LABELS = 178      # the titles of rows, on the left
PANEL = 190       # of a contender, with
NUMBERS = 58      # the numbers on its right
TOP, LINE, GAP, BOTTOM = 112, 27, 14, 92
NEXT = 64         # between two blocks, with the names of panels

# Those that are a bound, not a rival, and the titles of their panels.
SHARES = {"ceiling": "share of the ceiling", "nginx": "share of nginx alone"}

STYLE = """
svg { --back: #fff; --text: #1f2328; --faint: #59636e; --grid: #d8dee4;
  --zero: #818b98; --cpu: #0969da; --rate: #8fbcf0; --target: #bc4c00;
  --held: #1a7f37; --missed: #a40e26; }
@media (prefers-color-scheme: dark) {
  svg { --back: #0d1117; --text: #f0f6fc; --faint: #9198a1; --grid: #2a313a;
    --zero: #6e7681; --cpu: #4493f8; --rate: #2b5c9e; --target: #f0883e;
    --held: #3fb950; --missed: #ff7b72; }
}
text { font: 12.5px system-ui, "Segoe UI", Helvetica, Arial, sans-serif;
  fill: var(--text); }
.title { font-size: 18px; font-weight: 600; }
.panel { font-weight: 600; }
.faint { font-size: 11.5px; fill: var(--faint); }
.tick { font-size: 10.5px; fill: var(--faint); text-anchor: middle; }
.number { text-anchor: end; }
.held { fill: var(--held); font-weight: 600; }
.missed { fill: var(--missed); font-weight: 600; }
.cpu { fill: var(--cpu); }
.rate { fill: var(--rate); }
.grid { stroke: var(--grid); }
.zero { stroke: var(--zero); }
.target { stroke: var(--target); stroke-width: 2.5; }
.ceiling { stroke: var(--faint); stroke-width: 2; stroke-dasharray: 2 2; }
"""


def text(x, y, content, kind=""):
    return '<text x="%.1f" y="%.1f" class="%s">%s</text>' % (
        x, y, kind, escape(content))


def rectangle(x, y, width, height, kind):
    return ('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="1" '
            'class="%s"/>' % (x, y, width, height, kind))


def upright(x, y, height, kind):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>' % (
        x, y, x, y + height, kind)


class Scale:
    """Where a ratio is in a panel; bars begin at the zero."""

    def __init__(self, left, low, high, zero, ticks, place=float):
        self.left, self.low, self.high, self.place = left, low, high, place
        self.zero, self.ticks = zero, ticks

    def x(self, value):
        low, high = self.place(self.low), self.place(self.high)
        value = self.place(min(max(value, self.low), self.high))
        part = (value - low) / (high - low)
        return self.left + part * (PANEL - NUMBERS - 12)


def shares(left, values):
    """From nothing to the whole, and as far as one is beyond it."""
    return Scale(left, 0, max([1.1, *values]), 0, (0, 0.5, 1))


def multiples(left, values):
    """Twice as good is as far to the right as half as good to the left, where
    the panel ends."""
    high = math.ceil(math.log2(max([2, *values])))
    step = 1 if high <= 4 else 2
    ticks = [0.5] + [2.0 ** n for n in range(0, high + 1, step)]
    return Scale(left, 0.5, 2.0 ** high, 1, ticks, math.log2)


def scales(panels, table):
    """{kind: scale} of the panels from left to right."""
    found = {}
    for i, kind in enumerate(panels):
        values = [value for _, cells in table for cell in cells
                  if cell.kind == kind
                  for value in (*cell.found, cell.aim.target or 1)]
        scale = shares if kind in SHARES else multiples
        found[kind] = scale(LABELS + i * PANEL, values)
    return found


def draw_frame(scale, title, top, height):
    parts = [text(scale.left, top - 26, title, "panel")]
    for tick in scale.ticks:
        parts.append(upright(scale.x(tick), top, height, "grid"))
        parts.append(text(scale.x(tick), top - 7, "%g" % tick, "tick"))
    parts.append(upright(scale.x(scale.zero), top, height, "zero"))
    return parts


def draw_bar(scale, y, value, height, kind):
    ends = sorted((scale.x(scale.zero), scale.x(value)))
    return rectangle(ends[0], y, max(ends[1] - ends[0], 1), height, kind)


def draw_cell(scale, y, cell):
    """The number is the one that the verdict is about."""
    aim, found = cell.aim, cell.found
    alone = found.rate == found.work  # as of memory
    parts = [draw_bar(scale, y + 5, found.work, 13 if alone else 9, "cpu")]
    if not alone:
        parts.append(draw_bar(scale, y + 15, found.rate, 4, "rate"))
    kind, mark = "faint", ""
    if aim.target is not None:
        parts.append(upright(scale.x(aim.target), y + 3, 18, "target"))
        if cell.ceiling is not None and cell.ceiling.best() < aim.target:
            parts.append(upright(scale.x(cell.ceiling.best()), y + 3, 18,
                                 "ceiling"))
        held = cell.verdict.startswith("held")
        kind, mark = ("held", " ✓") if held else ("missed", " ✗")
    best = found.work if aim.binding else found.best()
    parts.append(text(scale.left + PANEL - 16, y + 16, "%.*f%s" % (
        1 if best >= 9.95 else 2, best, mark), "number " + kind))
    return parts


def draw_legend(y):
    parts, x = [], 16
    for kind, width, words in (
            ("cpu", 60, "processor time of the server per request"),
            ("rate", 60, "requests per second")):
        parts.append(rectangle(x, y - (8 if kind == "cpu" else 6), 22,
                               9 if kind == "cpu" else 4, kind))
        parts.append(text(x + 29, y, words, "faint"))
        x += width + 6.0 * len(words)
    for kind, words in (("target", "target"),
                        ("ceiling", "the ceiling, where it is below that")):
        parts.append(upright(x, y - 12, 16, kind))
        parts.append(text(x + 8, y, words, "faint"))
        x += 32 + 6.0 * len(words)
    parts.append(text(16, y + 20, "Longer bars are better for lua-fpm. A "
                      "target counts as reached by the better of both, as a "
                      "share of the ceiling by processor time.", "faint"))
    parts.append(text(16, y + 38, "Access log on: as a share of off, in the "
                      "first panel. Memory of a worker (Pss): how many times "
                      "as much the other takes.", "faint"))
    parts.append(text(16, y + 56, "HTTP: asked by wrk; where nothing else is "
                      "said, lua-fpm's own listener.", "faint"))
    return parts


def draw_block(kinds, table, top):
    """Rows that are compared with the same others, and where they end."""
    used = {cell.kind for _, cells in table for cell in cells}
    panels = sorted(used, key=["ceiling", *kinds].index)
    scale = scales(panels, table)
    parts, y, subject = [], top, None
    for row, cells in table:
        if subject is not None and (row.subject, row.spec.answer) != subject:
            y += GAP
        subject = row.subject, row.spec.answer
        parts.append(text(16, y + 16, row.title))
        for cell in cells:
            parts += draw_cell(scale[cell.kind], y, cell)
        y += LINE
    frame = []
    for name in panels:
        title = SHARES.get(name) or "× " + kinds[name].title
        frame += draw_frame(scale[name], title, top, y - top)
    return frame + parts, y


def draw(kinds, table, where, how):
    """The text of an SVG file; table is [(row, cells)]."""
    table = [(row, [cell._replace(kind="ceiling") if cell.kind == "lua-fpm"
                    else cell for cell in cells])
             for row, cells in table if cells]
    parts, y = [], TOP - NEXT
    for over_http in (False, True):
        of_block = [entry for entry in table
                    if kinds[entry[0].subject].over_http == over_http]
        if of_block:
            drawn, y = draw_block(kinds, of_block, y + NEXT)
            parts += drawn
    height = y + BOTTOM
    head = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
            'width="%d" height="%d" role="img">' % (WIDTH, height, WIDTH,
                                                    height),
            "<title>How fast lua-fpm is beside others</title>",
            "<style>%s</style>" % STYLE,
            '<rect width="100%" height="100%" rx="6" fill="var(--back)"/>',
            text(16, 30, "How many times as good as others lua-fpm is",
                 "title"),
            text(16, 50, where, "faint"), text(16, 66, how, "faint")]
    return "\n".join(head + parts + draw_legend(y + 26) + ["</svg>", ""])
