"""A client of the control socket, and a daemon that has one."""

from harness import *


def controlled(**how):
    """A Daemon with a control socket, which is at its .control."""
    d = Daemon(**how)
    d.control = d.top["control"] = d.dir + "/control.sock"
    d.sockets.add(d.control)
    return d


class Asker:
    """One connection to the control socket."""

    def __init__(self, d, path=None):
        self.sock = socket.socket(socket.AF_UNIX)
        # Blocking, so that a full queue makes us wait (unix(7): EAGAIN).
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                             struct.pack("ll", PATIENCE, 0))
        self.sock.connect(path or d.control)
        self.sock.settimeout(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def answer(self):
        """(was it "ok"?, the rest)."""
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while True:
                piece = self.sock.recv(65536)
                if not piece:
                    break
                got += piece
        verdict, _, text = got.decode().partition("\n")
        assert verdict in ("ok", "failed"), got
        return verdict == "ok", text


def ask(d, line, path=None):
    with Asker(d, path) as c:
        c.send(line.encode() + b"\n")
        return c.answer()


class Fake:
    """A control socket that says what a test wants it to say."""

    def __init__(self, text=b"ok\n"):
        self.dir = scratch()
        self.path = self.dir + "/control.sock"
        self.text = text  # or a function of the line; or pieces of it
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(self.path)
        self.sock.listen(16)
        self.asked = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            with conn, contextlib.suppress(OSError):
                line = conn.makefile("rb").readline()
                self.asked.append(line)
                text = self.text(line) if callable(self.text) else self.text
                for piece in [text] if isinstance(text, bytes) else text:
                    conn.sendall(piece)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def worker(pid, state="Idle", uri="/", took=1000, **more):
    return {"pid": pid, "state": state, "requests": 10,
            "request duration": took, "request method": "GET",
            "request uri": uri, "lua heap": 100000,
            "resident memory": 5000000, **more}


def pool_status(name, workers=(), **more):
    return {"pool": name, "state": "serving", "process manager": "static",
            "start since": 100, "requests": 1000, "listen queue": 0,
            "idle processes": sum(w["state"] == "Idle" for w in workers),
            "active processes": sum(w["state"] == "Running" for w in workers),
            "total processes": len(workers), "slow requests": 1,
            "timeouts": 2, "crashes": 3, "backoff": {"state": "none"},
            "processes": list(workers), **more}


def status(*pools):
    """What the daemon says to "status"."""
    import json
    return b"ok\n" + json.dumps({
        "version": "0.1.0", "pid": 4711, "state": "running",
        "start time": int(time.time()) - 100,
        "pools": pools}).encode() + b"\n"
