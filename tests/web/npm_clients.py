#!/usr/bin/env python3
"""Clients of HTTP that Debian does not have, from npm: autocannon and undici,
which send requests before the answers to those before have come."""

import json
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from http_raw import *

CLIENTS = ("autocannon@7", "undici@6")
HELLO = "return { accept = function(env) return {}, env.SCRIPT_NAME end }"
UNDICI = """
const assert = require("assert");
const { Pool } = require("undici");
(async () => {
    const pool = new Pool(process.argv[2], { connections: 3, pipelining: 10 });
    const ask = async n => {
        const { statusCode, body } = await pool.request(
            { path: "/" + n, method: "GET" });
        assert.deepEqual([statusCode, await body.text()], [200, "/" + n]);
    };
    await Promise.all([...Array(3000).keys()].map(ask));
    await pool.close();
})().catch(e => { console.error(e); process.exitCode = 1; });
"""

# A connection that ends leaves what was sent after its last request unanswered.
d = HttpDaemon(app=HELLO, workers=2, http={"keepalive_requests": 10 ** 6})
dir = scratch()


@test
def installed():
    """npm has them"""
    d.start()
    code, _, err = tool("install", "--silent", "--prefix", dir, *CLIENTS,
                        program="npm", timeout=240)
    if code != 0:
        raise Skip("no clients: " + (err.splitlines() or ["npm failed"])[-1])


@test
def autocannon():
    """autocannon, ten requests at once over each of ten connections: each has
    its answer"""
    if not os.path.exists(dir + "/node_modules/autocannon"):
        raise Skip("no autocannon")
    code, out, err = tool(
        dir + "/node_modules/autocannon/autocannon.js", "--json", "-c", "10",
        "-p", "10", "-a", "50000", "http://%s/x" % d.tcp, program="node", timeout=120)
    equal(code, 0, err)
    got = json.loads(out)
    # It does not wait for the nine that each connection has asked last.
    equal([got[k] for k in ("2xx", "non2xx", "errors", "timeouts",
                            "mismatches")], [50000 - 10 * 9, 0, 0, 0, 0])


@test
def undici():
    """undici, ten at once over each of three: each has its own answer"""
    if not os.path.exists(dir + "/node_modules/undici"):
        raise Skip("no undici")
    write(dir + "/ask.js", UNDICI)
    code, out, err = tool(dir + "/ask.js", "http://" + d.tcp, program="node", timeout=120)
    equal((code, out, err), (0, "", ""))


@test
def stops():
    """nothing is left"""
    shutil.rmtree(dir)
    d.stop()


run(limit=400, needs=("npm", "node"), over=FCGI)
