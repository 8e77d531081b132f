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
        self.sock.settimeout(PATIENCE)
        self.sock.connect(path or d.control)

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
