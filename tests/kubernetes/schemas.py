#!/usr/bin/env python3
"""conf/kubernetes by the JSON schemas of Kubernetes itself, of a later version
than Debian's package has (tests/run/kubernetes.py), from npm."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

PYTHON = "/usr/bin/python3"  # which has the system's packages
OWN = SRC + "/tests/kubernetes/"
PLACE = SRC + "/conf/kubernetes/"
dir = None


def judged(*paths):
    """A line for each document."""
    code, read, err = tool("-B", OWN + "read.py", *paths, program=PYTHON)
    equal(code, 0, err)
    code, out, err = tool(OWN + "schemas.js", dir, program="node", input=read)
    equal(code, 0, err)
    return out.splitlines()


@test
def good():
    """each document of http.yaml and nginx.yaml is as its schema says"""
    global dir
    place = scratch()
    code, _, err = tool("install", "--silent", "--prefix", place,
                        "kubernetes-models@4", program="npm", timeout=240)
    if code != 0:
        raise Skip("no schemas: " + (err.splitlines() or ["npm failed"])[-1])
    dir = place
    lines = judged(PLACE + "http.yaml", PLACE + "nginx.yaml")
    equal(len(lines), 8)
    equal([line for line in lines if not line.endswith(": good")], [])


@test
def bad():
    """and what is not is found"""
    if dir is None:
        raise Skip("no schemas")
    with open(PLACE + "http.yaml") as f:
        text = f.read()
    write(dir + "/bad.yaml", text.replace("maxReplicas: 10", "maxReplicas: x"))
    equal([line.partition(":")[0] for line in judged(dir + "/bad.yaml")
           if not line.endswith(": good")], ["HorizontalPodAutoscaler"])
    shutil.rmtree(dir)


run(limit=300, needs=("npm", "node", PYTHON), over=FCGI)
