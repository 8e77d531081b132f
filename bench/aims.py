"""What is measured, what we aim at, and whether it was reached."""

import statistics
from typing import NamedTuple, Optional

from contenders import Spec

WORKERS, CROWD = 2, 64
KB, MB = 1024, 1024 * 1024


class Aim(NamedTuple):
    """A target is what we mean to reach.  Below the floor something is broken;
    they differ since one machine reaches a target and the next does not."""
    target: Optional[float] = None
    floor: float = 0.0
    binding: bool = False  # holds by processor time alone


class Row(NamedTuple):
    title: str
    spec: Spec
    aims: dict  # of the subject against each other kind
    subject: str = "lua-fpm"

    def kinds(self):
        return [self.subject, *self.aims]


class Sample(NamedTuple):
    rate: float    # requests a second
    cpu: float     # of the server, seconds a request
    client: float  # of one processor


class Ratio(NamedTuple):
    """How many times as good, by requests a second and by processor time."""
    rate: float
    work: float

    def best(self):
        return max(self)


class Cell(NamedTuple):
    """One comparison with its verdict.  ceiling: how the ceiling compares."""
    kind: str
    found: Ratio
    aim: Aim
    ceiling: Optional[Ratio]
    verdict: str


def share_of_ceiling(target=None, floor=0.0):
    return Aim(target, floor, True)


# uWSGI closes every connection: where others keep them, its clients connect
# anew for each request.
ROWS = (
    Row("hello, fresh, 2 workers", Spec("hello", WORKERS), {
        "ceiling": share_of_ceiling(0.9, 0.4),
        "libfcgi": Aim(1.5, 1.0),
        "php-fpm": Aim(2.6, 1.7),
        "uwsgi": Aim(1.6, 1.2)}),
    Row("hello, kept, 2 workers", Spec("hello", WORKERS, keep=True), {
        "ceiling": share_of_ceiling(0.5, 0.2),
        "libfcgi": Aim(2.0, 0.6),
        "php-fpm": Aim(4.0, 1.5)}),
    Row("hello, fresh, 64 workers", Spec("hello", CROWD), {
        "ceiling": share_of_ceiling(0.85, 0.4),
        "libfcgi": Aim(1.0, 0.7),
        "php-fpm": Aim(2.0, 1.2)}),
    Row("hello, kept, 64 workers", Spec("hello", CROWD, keep=True), {
        "ceiling": share_of_ceiling(),
        "libfcgi": Aim(1.0, 0.6),
        "php-fpm": Aim(2.0, 1.5)}),
    Row("100 KB, fresh", Spec("large", WORKERS, size=100 * KB), {
        "ceiling": share_of_ceiling(),
        "libfcgi": Aim(1.6, 1.0),
        "php-fpm": Aim(2.0, 1.3),
        "uwsgi": Aim(1.4, 1.2)}),
    Row("100 KB, kept", Spec("large", WORKERS, size=100 * KB, keep=True), {
        "ceiling": share_of_ceiling(),
        "libfcgi": Aim(1.6, 1.0),
        "php-fpm": Aim(2.0, 1.3),
        "uwsgi": Aim(1.4, 1.2)}),
    Row("10 MB, kept", Spec("large", WORKERS, size=10 * MB, keep=True), {
        "ceiling": share_of_ceiling(),
        "libfcgi": Aim(1.6, 1.2),
        "php-fpm": Aim(4.0, 2.5)}),
    Row("upload 64 KB, fresh", Spec("length", WORKERS, upload=64 * KB), {
        "ceiling": share_of_ceiling(),
        "libfcgi": Aim(1.3, 0.7),
        "php-fpm": Aim(4.0, 2.0),
        "uwsgi": Aim(1.4, 1.2)}),
    Row("upload 1 MB, kept", Spec("length", WORKERS, upload=MB, keep=True), {
        "ceiling": share_of_ceiling(),
        "libfcgi": Aim(1.3, 0.4),
        "php-fpm": Aim(4.0, 1.5)}),
    Row("access log on, fresh", Spec("hello", WORKERS),
        {"lua-fpm": Aim(0.95, 0.8)}, "logged"),
    Row("access log on, kept", Spec("hello", WORKERS, keep=True),
        {"lua-fpm": Aim(0.95, 0.8)}, "logged"),
    Row("HTTP: hello, kept", Spec("hello", WORKERS, keep=True), {
        "nginx": Aim(0.6, 0.2),
        "nginx-lua": Aim(1.0, 0.4),
        "uwsgi-http": Aim(3.0, 1.5),
        "php-fpm-nginx": Aim(3.0, 1.5)}, "lua-fpm-http"),
    Row("HTTP: behind nginx, kept", Spec("hello", WORKERS, keep=True), {
        "nginx": Aim(), "nginx-lua": Aim(), "uwsgi-http": Aim(),
        "php-fpm-nginx": Aim(1.0, 0.7)}, "lua-fpm-nginx"),
)

MEMORY = Row("memory of a worker", Spec("hello", WORKERS), {
    "libfcgi": Aim(), "php-fpm": Aim(5.0, 4.0), "uwsgi": Aim()})


def ratio(samples, one, other):
    """The medians over the rounds of the ratios within each."""
    pairs = list(zip(samples[one], samples[other]))
    return Ratio(statistics.median(a.rate / b.rate for a, b in pairs),
                 statistics.median(b.cpu / a.cpu for a, b in pairs))


def judge(aim, found, ceiling, share):
    """The client runs on the same cores and takes as much of them as a quick
    server does, which draws every ratio of rates towards 1.  So what the rates
    miss is still held if the servers' own CPU time holds it; and only that is
    looked at where the target is binding."""
    if aim.target is None:
        return ""
    best = found.work if aim.binding else found.best()
    if best >= aim.target:
        by_rate = aim.binding or found.rate >= aim.target
        return "held" if by_rate else "held by CPU alone"
    verdict = "missed by %.1f %%" % (100 * (1 - best / aim.target))
    if ceiling is not None and ceiling.best() < aim.target:
        verdict += ", the ceiling itself has %.2f" % ceiling.best()
    if best < share * aim.floor:
        verdict += ", BELOW THE FLOOR of %.2f" % (share * aim.floor)
    return verdict


def cells_of(row, samples, share):
    """The comparisons of a row, of those kinds that were measured."""
    cells = []
    for kind, aim in row.aims.items():
        if kind not in samples:
            continue
        found = ratio(samples, row.subject, kind)
        ceiling = None
        if "ceiling" in samples and kind != "ceiling":
            ceiling = ratio(samples, "ceiling", kind)
        cells.append(Cell(kind, found, aim, ceiling,
                          judge(aim, found, ceiling, share)))
    return cells


def memory_cells(pss, share):
    """The same of how much memory a worker takes, {kind: KB}."""
    cells = []
    for kind, aim in MEMORY.aims.items():
        if kind in pss and MEMORY.subject in pss:
            times = pss[kind] / pss[MEMORY.subject]
            found = Ratio(times, times)
            cells.append(Cell(kind, found, aim, None,
                              judge(aim, found, None, share)))
    return cells
