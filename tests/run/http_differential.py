#!/usr/bin/env python3
"""The judges of HTTP beside http-parser, node's parser, h11 and nginx: what we
accept is the same to them, in the corpus and in cases with damage; COUNT in the
environment says how many, SEED which.  And the daemon itself.  FULL in the
environment: 10 million for each and a million for the daemon, others every day,
which takes 25 minutes."""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

PROGRAM = os.path.join(BUILD, "tests/http/differential")
FULL = "FULL" in os.environ
COUNT = int(os.environ.get("COUNT", 10000000 if FULL else 100000))
SLOW = COUNT if FULL or "COUNT" in os.environ else 3000
SEED = os.environ.get("SEED", str(int(time.time() / 86400)) if FULL else "1")
ORACLES = os.path.join(SRC, "tests/http")
PYTHON = "/usr/bin/python3"  # which has the system's packages
APP = """return { accept = function(env)
  local length = 0
  for piece in function() return env.input:read(1000) end do
    length = length + #piece
  end
  return { Status = 204, ["X-Length"] = length }, ""
end }"""


def differential(oracle, count, *command):
    done = subprocess.run([PROGRAM, oracle, "0", str(count), SEED, *command],
                          capture_output=True, text=True, errors="replace")
    diag("seed %s: %s" % (SEED, done.stdout))
    if done.returncode == 77:
        raise Skip(done.stderr.strip())
    equal((done.returncode, done.stderr), (0, ""))


@test
def http_parser():
    """http-parser takes no other requests out of what we accept"""
    differential("http-parser", COUNT)


@test
def node():
    """nor does node's parser"""
    if not shutil.which("node"):
        raise Skip("node not found")
    differential("node", COUNT, "node", ORACLES + "/oracle_node.js")


@test
def h11():
    """nor does h11"""
    if subprocess.run([PYTHON, "-c", "import h11"],
                      stderr=subprocess.DEVNULL).returncode != 0:
        raise Skip("h11 not found")
    differential("h11", SLOW, PYTHON, ORACLES + "/oracle_h11.py")


@test
def nginx():
    """nor does nginx"""
    if not shutil.which("nginx"):
        raise Skip("nginx not found")
    path = scratch()
    address = path + "/nginx.sock"
    with Daemon(app=APP) as d, Nginx(d.address(), keep=True, location="""
            fastcgi_ignore_client_abort on; client_max_body_size 0;
            lingering_close off; add_header X-Taken $request_length;""",
            server="listen unix:%s;" % address):
        differential("nginx", SLOW, PYTHON, ORACLES + "/oracle_server.py",
                     address)


@test
def daemon():
    """and the daemon serves what its judges accept, and nothing else"""
    # Over TCP a client that sends no more would count as gone.
    path = scratch()
    address = path + "/http.sock"
    with Daemon(app=APP, dir=path, listen="http:" + address,
                limits={"head": "4K"}):
        differential("lua-fpm", min(SLOW, 1000000), PYTHON,
                     ORACLES + "/oracle_server.py", address)


run(10800 if FULL else 120, needs=(PROGRAM,), over=FCGI)
