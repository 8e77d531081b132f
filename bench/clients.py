"""Who asks the servers: lua-fcgi over FastCGI, wrk over HTTP."""

import http.client
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from typing import NamedTuple

import contenders

# What wrk says at its end, for us.  A connection may wait for as long as there
# are more of them than workers of uWSGI; each of the other errors is a failure.
WRK_DONE = """
function done(summary)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status
  io.write(('{ "answered": %d, "bytes": %d, "seconds": %f, "failed": %d }\\n')
    :format(summary.requests, summary.bytes, summary.duration / 1e6, failed))
end
"""
PATIENCE = 2  # seconds, for one answer


class Load(NamedTuple):
    answered: int
    bytes: int
    seconds: float
    client: float  # processor time, seconds


def wrk():
    return shutil.which("wrk")


def run(server, command, stop_after=None):
    """The Load of which the last line that it prints tells; stop_after:
    seconds until it is told to end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(command, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        if stop_after is not None:
            time.sleep(stop_after)
            process.send_signal(signal.SIGINT)
        out, errors = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        result = json.loads(out.splitlines()[-1])
        failed = process.returncode or result["failed"]
    except (ValueError, IndexError):
        failed = True
    if failed:
        raise server.failure(out + errors)
    return Load(result["answered"], result["bytes"], result["seconds"],
                after.ru_utime + after.ru_stime - before.ru_utime -
                before.ru_stime)


class LuaFcgi:
    def __init__(self, program):
        self.program = program

    def _command(self, spec, server):
        command = [self.program]
        if spec.keep:
            command.append("-k")
        if spec.upload:
            path = "%s-upload-%d" % (server.base, spec.upload)
            if not os.path.exists(path):
                contenders.write(path, "x" * spec.upload)
            command += ["-d", "@" + path, "-H",
                        "Content-Type: application/octet-stream"]
        return command + server.kind.client_options(server.base)

    def ask(self, spec, server):
        """The body of a whole answer, or None; and what was said of it."""
        done = subprocess.run([*self._command(spec, server), "-t",
                               "%ds" % PATIENCE, server.base + ".sock", "/"],
                              capture_output=True, check=False)
        return done.stdout if done.returncode == 0 else None, done.stderr

    def load(self, spec, server, seconds, clients):
        return run(server, [
            *self._command(spec, server), "-j", "-T",
            "%dms" % (seconds * 1000), "-c", str(clients),
            server.base + ".sock", "/"])


class Wrk:
    """Ends by itself after whole seconds only, but at any time on SIGINT."""

    def __init__(self, program):
        self.program = program

    def ask(self, spec, server):  # pylint: disable=unused-argument
        try:
            connection = http.client.HTTPConnection(
                "127.0.0.1", server.port, timeout=PATIENCE)
            connection.request("GET", "/")
            answer = connection.getresponse()
            body = answer.read()
            return body if answer.status == 200 else None, body
        except (OSError, http.client.HTTPException) as e:
            return None, str(e).encode()

    def load(self, spec, server, seconds, clients):
        script = server.base + "-wrk.lua"
        if not os.path.exists(script):
            contenders.write(script, WRK_DONE)
        command = [self.program, "-t", "1", "-c", str(clients), "-d", "1h",
                   "-s", script]
        if not spec.keep:
            command += ["-H", "Connection: close"]
        return run(server, [*command, "http://127.0.0.1:%d/" % server.port],
                   seconds)
