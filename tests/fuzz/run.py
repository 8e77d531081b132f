#!/usr/bin/env python3
"""Build the fuzzer with clang, in a tree of its own, and let it run on each
target for SECONDS_EACH (10), beginning with what lies in the corpus, as many
at a time as there are processors.  New inputs are kept in tests/fuzz/found of
the build directory, and so is what makes a target fail."""

import concurrent.futures
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

SECONDS = int(os.environ.get("SECONDS_EACH", "10"))
CORPUS = os.path.join(os.path.abspath(SRC), "tests", "fuzz", "corpus")
FOUND = os.path.join(BUILD, "tests", "fuzz", "found")
CLANG = os.path.join(BUILD, "tests", "fuzz", "clang")


def command(*args):
    code, out, err = tool(*args[1:], program=args[0], timeout=900, cwd=CLANG)
    equal(code, 0, (out + err)[-3000:])


@test
def builds():
    """the fuzzer can be built"""
    os.makedirs(CLANG, exist_ok=True)
    if not os.path.exists(CLANG + "/Makefile"):
        command(os.path.join(os.path.abspath(SRC), "configure"), "--quiet",
                "--enable-sanitizers", "CC=clang",
                "CFLAGS=-g -O1 -fsanitize=fuzzer-no-link")
    command("make", "-s", "-j%d" % os.cpu_count(), "tests/fuzz/fuzz")


def fuzz(name):
    found = os.path.join(FOUND, name)
    os.makedirs(found, exist_ok=True)
    code, _, err = tool("-max_total_time=%d" % SECONDS, "-max_len=4096",
                        "-timeout=10", "-rss_limit_mb=4096", "-verbosity=0",
                        "-print_final_stats=1",
                        "-artifact_prefix=%s/%s." % (FOUND, name), found,
                        os.path.join(CORPUS, name),
                        program=CLANG + "/tests/fuzz/fuzz",
                        env={**os.environ, "FUZZ": name},
                        timeout=SECONDS + 300)
    equal(code, 0, err[-3000:])
    return int(matches(r"executed_units: (\d+)", err)[1])


NAMES = sorted(os.listdir(CORPUS))
processors = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
runs = {}


def target(name):
    def point():
        if not runs:  # it has been built
            runs.update((n, processors.submit(fuzz, n)) for n in NAMES
                        if n in (sys.argv[1:] or NAMES))
        diag("%d runs" % runs[name].result())
    point.__name__ = name
    point.__doc__ = "%s holds for %d seconds" % (name, SECONDS)
    return point


for name in NAMES:
    test(target(name))
run(1200 + 60 * SECONDS, needs=("clang",))
