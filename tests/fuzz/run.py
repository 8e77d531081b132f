#!/usr/bin/env python3
"""Build the fuzzers with clang and let each run for SECONDS (default 20).
What makes one fail is left in the build directory."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

SECONDS = int(os.environ.get("SECONDS_EACH", "20"))
FLAGS = ["-std=gnu11", "-g", "-O1", "-fsanitize=fuzzer,address,undefined",
         "-fno-sanitize-recover=undefined", "-D_GNU_SOURCE",
         "-I" + os.path.join(SRC, "src")]


def fuzz(name, sources, seeds):
    where = os.path.join(BUILD, "tests", "fuzz")
    corpus = os.path.join(where, name + ".corpus")
    os.makedirs(corpus, exist_ok=True)
    program = os.path.join(where, name)
    code, _, err = tool(*FLAGS, "-o", program,
                        os.path.join(SRC, "tests", "fuzz", name + ".c"),
                        *[os.path.join(SRC, "src", s) for s in sources],
                        program="clang", timeout=300)
    equal(code, 0, err)
    for i, seed in enumerate(seeds):
        with open(os.path.join(corpus, "seed%d" % i), "wb") as f:
            f.write(bytes([i * 37 & 255]) + seed)
    code, _, err = tool("-max_total_time=%d" % SECONDS, "-max_len=4096",
                        "-verbosity=0", "-artifact_prefix=%s/%s." %
                        (where, name), corpus, program=program,
                        timeout=SECONDS + 300)
    equal(code, 0, err[-3000:])


@test
def scan():
    """what a peer sends is judged alike whole and in pieces, and nothing
    outside of it is read"""
    fuzz("fuzz_scan", ("worker/fcgi_scan.c", "base/buf.c",
                       "share/fcgi_wire.c"), [
        request(keep=True) + request(keep=True),
        request(body=b"x" * 300, keep=True, id=2) + request(body=b"y"),
        record(GET_VALUES, pairs([("FCGI_MAX_CONNS", ""),
                                  ("FCGI_MPXS_CONNS", "")]), 0) + request(),
        begin(role=FILTER) + request(),
        head() + record(ABORT),
        head() + begin(id=9) + stream(STDIN, b"abc", padding=5),
        record(77, b"what", 0) + request(params={"A": "b" * 200}),
    ])


run(1200, needs=("clang",))
