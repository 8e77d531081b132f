#!/usr/bin/env python3
"""lua-fcgi against FastCGI servers good and bad: what its user sees."""

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

signal.alarm(240)

BUILD = os.environ.get("TOP_BUILDDIR") or os.getcwd()
CLIENT = os.environ.get("LUA_FCGI") or os.path.join(BUILD, "lua-fcgi")
SCRATCH = tempfile.mkdtemp(prefix="lua-fcgi.")
BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = range(1, 8)


# ---- a small FastCGI server -------------------------------------------------

def record(kind, content=b"", ident=1, padding=0, version=1):
    return struct.pack(">BBHHBB", version, kind, ident, len(content),
                       padding, 0) + content + b"\0" * padding


def end(app=0, protocol=0, ident=1):
    return record(END, struct.pack(">IB3x", app, protocol), ident)


def answer(text, app=0):
    return record(STDOUT, text) + record(STDOUT) + end(app)


OK = answer(b"Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n")


class Gone(Exception):
    pass


class Request:
    """One request, read to its end from a stream of records."""

    def __init__(self, stream):
        self.params, self.body, self.flags = [], b"", 0
        raw, open_streams = b"", {PARAMS, STDIN}
        while open_streams:
            kind, content = self.record(stream)
            if kind == BEGIN:
                self.role, self.flags = struct.unpack(">HB5x", content)
            elif kind in open_streams and not content:
                open_streams.remove(kind)
            elif kind == PARAMS:
                raw += content
            elif kind == STDIN:
                self.body += content
        while raw:
            raw = self.pair(raw)

    @staticmethod
    def record(stream):
        head = stream.read(8)
        if len(head) < 8:
            raise Gone
        _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", head)
        content = stream.read(length)
        stream.read(padding)
        return kind, content

    def pair(self, raw):
        sizes = []
        for _ in range(2):
            if raw[0] < 128:
                sizes.append(raw[0])
                raw = raw[1:]
            else:
                sizes.append(struct.unpack(">I", raw[:4])[0] & 0x7fffffff)
                raw = raw[4:]
        name, value = sizes
        self.params.append((raw[:name].decode(),
                            raw[name:name + value].decode()))
        return raw[name + value:]

    def all(self, name):
        return [v for n, v in self.params if n == name]

    def get(self, name):
        return (self.all(name) or [None])[0]


class Server:
    """Serves each connection in a thread: talk(request, connection, nth)."""

    def __init__(self, talk, family=socket.AF_UNIX, raw=False):
        self.talk, self.raw = talk, raw
        self.requests, self.accepted = [], 0
        self.lock = threading.Lock()
        self.listener = socket.socket(family)
        if family == socket.AF_UNIX:
            self.name = tempfile.mktemp(dir=SCRATCH)
            self.listener.bind(self.name)
        else:
            self.listener.bind(("127.0.0.1" if family == socket.AF_INET
                                else "::1", 0))
            host, port = self.listener.getsockname()[:2]
            self.name = ("[%s]:%d" if ":" in host else "%s:%d") % (host, port)
        self.listener.listen(511)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with self.lock:
                    self.accepted += 1
                    nth = self.accepted
                threading.Thread(target=self.serve, args=(connection, nth),
                                 daemon=True).start()

    def serve(self, connection, nth):
        with connection, contextlib.suppress(Gone, OSError):
            if self.raw:
                self.talk(None, connection, nth)
                return
            stream = connection.makefile("rb")
            while True:
                request = Request(stream)
                with self.lock:
                    self.requests.append(request)
                self.talk(request, connection, nth)
                if not request.flags & 1:
                    return


def says(data, **options):
    return Server(lambda request, connection, nth: connection.sendall(data),
                  **options)


# ---- the tests --------------------------------------------------------------

class Result:
    def __init__(self, done):
        self.code = done.returncode
        self.out, self.err = done.stdout, done.stderr.decode()

    def __repr__(self):
        return "exit %d, out %.300r, err %.300r" % (self.code, self.out,
                                                    self.err)


def run(*args, **options):
    return Result(subprocess.run([CLIENT, *args], capture_output=True,
                                 timeout=60, check=False, **options))


def expect(what, result, code=None, out=None, err=None):
    """Holds what was seen against what a user should see."""
    if code is not None:
        assert result.code == code, "%s: %r" % (what, result)
    if out is not None:
        assert result.out == out, "%s: %r" % (what, result)
    if err is not None:
        found = err in result.err if err else not result.err
        assert found, "%s: %r" % (what, result)


def load(*args):
    result = run("-j", *args)
    return result.code, json.loads(result.out)


def test_body_goes_to_stdout():
    expect("plain", run(says(OK).name, "/"), 0, b"hello\n", "")


def test_include_prints_the_head_as_it_came():
    expect("-i", run("-i", says(OK).name, "/"), 0, b"Status: 200 OK\r\n"
           b"Content-Type: text/plain\r\n\r\nhello\n", "")
    expect("no Status", run("-i", says(answer(b"A: b\n\nx")).name), 0,
           b"Status: 200\r\nA: b\n\nx", "")


def test_stderr_stream_goes_to_stderr():
    data = record(STDERR, b"warning: x\n") + OK
    expect("stderr", run(says(data).name), 0, b"hello\n", "warning: x\n")


def test_exit_code_tells_the_status():
    for status, code in ((100, 0), (204, 0), (302, 0), (399, 0), (400, 4),
                         (404, 4), (499, 4), (500, 5), (503, 5), (999, 5)):
        data = answer(b"Status: %d\r\n\r\nx" % status)
        expect(status, run(says(data).name), code)


def test_parameters_are_those_of_nginx():
    server = says(OK)
    run(server.name, "/a%20b/c?x=1&y=%20")
    request = server.requests[0]
    assert request.role == 1 and request.flags == 0 and request.body == b""
    wanted = {
        "REQUEST_METHOD": "GET", "REQUEST_URI": "/a%20b/c?x=1&y=%20",
        "SCRIPT_NAME": "/a b/c", "DOCUMENT_URI": "/a b/c",
        "QUERY_STRING": "x=1&y=%20", "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "", "SERVER_PROTOCOL": "HTTP/1.1",
        "GATEWAY_INTERFACE": "CGI/1.1", "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost"}
    for name, value in wanted.items():
        assert request.all(name) == [value], (name, request.all(name))


def test_headers_and_parameters_of_the_user():
    server = says(OK)
    run(server.name, "/", "-X", "PUT", "-H", "Cookie: a=1", "-H",
        "Cookie: b=2", "-H", "Host: example.org", "-p", "A=1", "-p", "A=2",
        "-p", "EMPTY=", "-p", "SERVER_NAME", "-s", "/srv/x.php", "-d", "")
    request = server.requests[0]
    assert request.all("HTTP_COOKIE") == ["a=1", "b=2"]
    assert request.all("HTTP_HOST") == ["example.org"]
    assert request.all("A") == ["1", "2"]
    assert request.all("EMPTY") == [""]
    assert request.all("SERVER_NAME") == []
    assert request.get("SCRIPT_FILENAME") == "/srv/x.php"
    assert request.get("REQUEST_METHOD") == "PUT"


def test_body_from_argument_file_and_stdin():
    server = says(OK)
    big = os.urandom(1000) * 300
    path = os.path.join(SCRATCH, "body")
    with open(path, "wb") as f:
        f.write(big)
    run(server.name, "/", "-d", "a=1", "-d", "b=2")
    run(server.name, "/", "-d", "@" + path, "-H", "Content-Type: x/y")
    run(server.name, "/", "-d", "@-", input=big)
    form, upload, piped = server.requests
    assert form.body == b"a=1&b=2" and form.get("CONTENT_LENGTH") == "7"
    assert form.get("REQUEST_METHOD") == "POST"
    assert form.get("CONTENT_TYPE") == "application/x-www-form-urlencoded"
    assert upload.body == big and upload.get("CONTENT_TYPE") == "x/y"
    assert upload.get("CONTENT_LENGTH") == "300000"
    assert piped.body == big


def test_ipv4_ipv6_and_host_names():
    expect("v4", run(says(OK, family=socket.AF_INET).name), 0, b"hello\n")
    port = says(OK, family=socket.AF_INET).name.split(":")[1]
    expect("name", run("localhost:" + port), 0, b"hello\n")
    if os.path.exists("/proc/net/if_inet6") and \
            open("/proc/net/if_inet6", encoding="ascii").read().strip():
        expect("v6", run(says(OK, family=socket.AF_INET6).name), 0,
               b"hello\n")


def test_unix_path_without_slash():
    server = says(OK)
    expect("relative", run(os.path.basename(server.name), cwd=SCRATCH), 0,
           b"hello\n")


def test_body_arrives_while_the_server_still_sends():
    gate = threading.Event()

    def talk(request, connection, nth):
        connection.sendall(record(STDOUT, b"A: b\n\nfirst"))
        gate.wait(30)
        connection.sendall(record(STDOUT, b"second") + end())

    with subprocess.Popen([CLIENT, Server(talk).name],
                          stdout=subprocess.PIPE) as client:
        first = os.read(client.stdout.fileno(), 100)
        gate.set()
        rest = client.stdout.read()
    assert (first, rest, client.returncode) == (b"first", b"second", 0)


def test_large_response_and_binary_safety():
    blob = bytes(range(256)) * 4000
    data = record(STDOUT, b"A: b\r\n\r\n") + b"".join(
        record(STDOUT, blob[i:i + 65535], padding=7)
        for i in range(0, len(blob), 65535)) + end()
    expect("blob", run(says(data).name), 0, blob, "")


def test_server_that_answers_without_reading_the_body():
    def talk(request, connection, nth):
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    result = run(Server(talk, raw=True).name, "/", "-d", "@-",
                 input=b"x" * 5000000)
    expect("early answer", result, 0, b"hello\n", "")


def test_application_status_is_an_error():
    expect("app", run(says(answer(b"A: b\n\nx", app=3)).name), 1, b"x",
           "application status 3")
    expect("app and 500", run(says(answer(b"Status: 500\n\n", app=3)).name),
           5, b"", "application status 3")


def test_cut_responses_are_errors():
    head = record(STDOUT, b"Content-Length: 10\r\n\r\nhello")
    expect("no end", run(says(head).name), 1, b"hello", "closed")
    expect("nothing", run(says(b"").name), 1, b"", "closed")
    expect("amid a record", run(says(OK[:20]).name), 1, b"", "closed")
    expect("short", run(says(head + end()).name), 1, b"hello",
           "Content-Length is 10")
    expect("no head", run(says(end()).name), 1, b"", "before it began")
    expect("cut", run(says(head + record(ABORT, b"")).name), 1, b"hello",
           "cut the response off")


def test_head_needs_no_body():
    data = answer(b"Content-Length: 10\r\n\r\n")
    expect("HEAD", run("-X", "HEAD", says(data).name), 0, b"", "")
    expect("GET", run(says(data).name), 1)


def test_malformed_servers():
    expect("http", run(says(b"HTTP/1.1 400 Bad\r\n\r\n").name), 1, b"",
           "no FastCGI")
    expect("version", run(says(record(STDOUT, b"\n", version=2)).name), 1)
    expect("html", run(says(answer(b"<html>\n\n")).name), 1, b"", "malformed")
    expect("status", run(says(answer(b"Status: x\n\n")).name), 1, b"",
           "malformed Status")
    expect("role", run(says(end(protocol=3)).name), 1, b"", "role")
    expect("endless head", run(says(record(STDOUT, b"x" * 65535) * 100,
                                    raw=True).name), 1, b"",
           "bytes of headers")


def test_odd_records_are_ignored_with_a_warning():
    data = record(99, b"?") + record(STDOUT, b"not ours", ident=2) + OK
    result = run(says(data).name)
    expect("odd", result, 0, b"hello\n", "unexpected type")
    expect("odd", result, err="another request")


def test_endless_stream_ends_at_the_limit():
    def talk(request, connection, nth):
        connection.sendall(record(STDOUT, b"A: b\n\n"))
        while True:
            connection.sendall(record(STDERR, b""))

    expect("endless", run("-t", "300ms", Server(talk).name), 2, b"",
           "time limit")


def test_silent_server_ends_at_the_limit():
    silent = Server(lambda request, connection, nth: connection.recv(1))
    expect("silent", run("-t", "100ms", silent.name), 2, b"", "time limit")


def test_full_listen_queue_ends_at_the_limit():
    with socket.socket(socket.AF_UNIX) as listener, \
            contextlib.ExitStack() as stack:
        path = tempfile.mktemp(dir=SCRATCH)
        listener.bind(path)
        listener.listen(0)
        for _ in range(4):
            s = stack.enter_context(socket.socket(socket.AF_UNIX))
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.connect(path)
        expect("full", run("-t", "100ms", path), 2, b"", "time limit")
        code, tally = load("-t", "100ms", "-n", "2", path)
        assert code == 1 and tally["failures"]["timeout"] == 2, tally


def test_no_server():
    expect("missing", run(os.path.join(SCRATCH, "none")), 1, b"",
           "cannot connect")
    expect("refused", run("127.0.0.1:1"), 1, b"", "cannot connect")
    expect("HTTP", run("http:127.0.0.1:1"), 64, b"",
           "http:127.0.0.1:1: HTTP is spoken there, not FastCGI")


def test_usage():
    for args in ((), ("a", "/b", "c"), ("-Q", "a"), ("-c", "1", "a"),
                 ("-n", "0", "a"), ("-n", "x", "a"), ("-T", "0", "a"),
                 ("-t", "1y", "a"), ("a", "path"), ("-H", "x", "a"),
                 ("-p", "=x", "a"), ("a:",), (":1",), ("x" * 200,),
                 ("-d", "@/nonexistent", "a")):
        result = run(*args)
        expect(args, result, 64, b"")
        assert result.err, args
    expect("-h", run("-h"), 0, err="")
    assert b"usage: lua-fcgi" in run("-h").out
    assert run("-V").out.startswith(b"lua-fcgi ")


def test_load_fresh_connections():
    server = says(OK)
    code, tally = load("-n", "500", "-c", "8", server.name, "/x")
    assert code == 0 and tally["answered"] == 500, tally
    assert tally["failed"] == 0 and tally["status"] == {"200": 500}
    assert tally["bytes"] == 500 * len(OK), tally
    assert len(server.requests) == 500 and server.accepted == 500
    us = tally["latency_us"]
    assert 0 < us["min"] <= us["p50"] <= us["p99"] <= us["max"], us
    assert all(r.flags == 0 and r.get("REQUEST_URI") == "/x"
               for r in server.requests)


def test_load_kept_connections():
    server = says(OK)
    code, tally = load("-k", "-n", "500", "-c", "8", server.name)
    assert code == 0 and tally["answered"] == 500, tally
    assert len(server.requests) == 500 and server.accepted == 8
    assert tally["reconnects"] == 0
    assert all(r.flags == 1 for r in server.requests)


def test_load_survives_kept_connections_being_closed():
    def talk(request, connection, nth):
        connection.sendall(OK)
        if len(server.requests) % 3 == 0:
            connection.shutdown(socket.SHUT_RDWR)

    server = Server(talk)
    code, tally = load("-k", "-n", "300", "-c", "4", server.name)
    assert code == 0 and tally["answered"] == 300, tally
    assert tally["reconnects"] > 0 and tally["failed"] == 0
    assert server.accepted >= 4 + tally["reconnects"]


def test_load_over_tcp():
    server = says(OK, family=socket.AF_INET)
    code, tally = load("-n", "200", "-c", "4", server.name)
    assert code == 0 and tally["answered"] == 200, tally
    code, tally = load("-n", "20", "127.0.0.1:1")
    assert code == 1 and tally["failures"]["connect"] == 20, tally


def test_load_with_a_large_body():
    server = says(OK)
    body = b"x" * 2000000
    result = run("-j", "-n", "6", "-c", "3", "-d", "@-", server.name,
                 input=body)
    code, tally = result.code, json.loads(result.out)
    assert code == 0 and tally["answered"] == 6, tally
    assert all(r.body == body for r in server.requests)


FAULTS = [
    (b"", "cut"), (OK[:30], "cut"), (answer(b"Content-Length: 9\n\n"), "cut"),
    (record(STDOUT, b"A: b\n\nhalf") + record(ABORT, b""), "cut"),
    (end(), "cut"), (b"HTTP/1.1 200", "protocol"), (OK + b"x", "protocol"),
    (answer(b"rubbish\n\n"), "protocol"), (end(protocol=2), "protocol"),
    (answer(b"A: b\n\n", app=1), "application"),
    (answer(b"Status: 404\n\n"), "status"),
    (answer(b"Status: 503\n\n", app=1), "status")]


def test_load_counts_failures_by_kind():
    """Every third request fails, in one way after the other."""
    for data, kind in FAULTS:
        lock, served = threading.Lock(), [0]

        def talk(request, connection, nth, data=data, lock=lock,
                 served=served):
            with lock:
                served[0] += 1
                bad = served[0] % 3 == 0
            connection.sendall(data if bad else OK)

        code, tally = load("-n", "30", "-c", "3", Server(talk).name)
        wanted = dict.fromkeys(("connect", "cut", "status", "application",
                                "protocol", "timeout"), 0)
        wanted[kind] = 10
        assert code == 1 and tally["failures"] == wanted, (data, tally)
        whole = kind in ("application", "status")
        assert tally["answered"] == (30 if whole else 20), (data, tally)


def test_load_gives_up_silent_requests():
    def talk(request, connection, nth):
        if nth % 5 == 0:
            connection.recv(1)
        else:
            connection.sendall(OK)

    code, tally = load("-t", "200ms", "-n", "50", "-c", "10",
                       Server(talk).name)
    assert code == 1 and tally["failures"]["timeout"] == 10, tally
    assert tally["answered"] == 40, tally


def test_load_for_a_time():
    code, tally = load("-T", "300ms", "-c", "2", says(OK).name)
    assert code == 0 and tally["answered"] > 0, tally
    assert 0.3 <= tally["seconds"] < 30, tally


def test_load_reports_for_people():
    result = run("-n", "10", says(answer(b"Status: 500\n\n")).name)
    expect("report", result, 1, err="")
    for part in (b"10 answered, 10 failed", b"requests/s", b"p99.9",
                 b"500: 10", b"status: 10 (500)"):
        assert part in result.out, result


def main():
    tests = [(n, f) for n, f in globals().items() if n.startswith("test_")]
    print("1..%d" % len(tests))
    failed = 0
    for number, (name, test) in enumerate(tests, 1):
        what = name[5:].replace("_", " ")
        try:
            test()
            print("ok %d - %s" % (number, what))
        except Exception as e:  # whatever it is, the next test runs
            failed += 1
            print("not ok %d - %s" % (number, what))
            print("# %s: %s" % (type(e).__name__,
                                str(e).replace("\n", "\n# ")))
        sys.stdout.flush()
    shutil.rmtree(SCRATCH)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
