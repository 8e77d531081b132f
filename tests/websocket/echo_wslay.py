#!/usr/bin/env python3
"""An echo server of wslay, the library in C, a thread for each connection;
prints its port.  The handshake is ours: wslay has none."""

import ctypes
import os
import socketserver
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_client import accept_of, read_head
from threads import serve

LIMIT = int(sys.argv[1]) if len(sys.argv) > 1 else 16 << 20
FAILURE, WOULDBLOCK = -400, -401  # wslay_error

lib = ctypes.CDLL("libwslay.so.1")
CONTEXT, SIZE = ctypes.c_void_p, ctypes.c_size_t
for name, rest in (("want_read", []), ("want_write", []), ("recv", []),
                   ("send", []), ("context_free", []),
                   ("set_error", [ctypes.c_int]),
                   ("queue_msg", [ctypes.c_void_p]),
                   ("config_set_max_recv_msg_length", [ctypes.c_uint64])):
    getattr(lib, "wslay_event_" + name).argtypes = [CONTEXT, *rest]
BYTES = ctypes.POINTER(ctypes.c_uint8)


class Arg(ctypes.Structure):
    """wslay_event_on_msg_recv_arg"""
    _fields_ = [("rsv", ctypes.c_uint8), ("opcode", ctypes.c_uint8),
                ("msg", BYTES), ("msg_length", SIZE),
                ("status_code", ctypes.c_uint16)]


class Msg(ctypes.Structure):
    """wslay_event_msg"""
    _fields_ = [("opcode", ctypes.c_uint8), ("msg", ctypes.c_char_p),
                ("msg_length", SIZE)]


RECV = ctypes.CFUNCTYPE(ctypes.c_ssize_t, CONTEXT, BYTES, SIZE, ctypes.c_int,
                        ctypes.c_void_p)
SEND = ctypes.CFUNCTYPE(ctypes.c_ssize_t, CONTEXT, BYTES, SIZE, ctypes.c_int,
                        ctypes.c_void_p)
ON_MSG = ctypes.CFUNCTYPE(None, CONTEXT, ctypes.POINTER(Arg), ctypes.c_void_p)


class Callbacks(ctypes.Structure):
    """wslay_event_callbacks"""
    _fields_ = [("recv", RECV), ("send", SEND), ("mask", ctypes.c_void_p),
                ("start", ctypes.c_void_p), ("chunk", ctypes.c_void_p),
                ("end", ctypes.c_void_p), ("message", ON_MSG)]


class Request:
    """A socket whose first bytes look like a response."""

    def __init__(self, sock):
        self.sock, self.first = sock, b"HTTP/1.1 200 "

    def recv(self, n):
        data = self.sock.recv(n)
        first, self.first = self.first, b""
        return data and first + data


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        # A request line is read as if it were a status line.
        _, headers, self.rest = read_head(Request(self.request))
        self.request.sendall((
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" %
            accept_of(headers["sec-websocket-key"])).encode())
        callbacks = Callbacks(RECV(self.recv), SEND(self.send), None, None,
                              None, None, ON_MSG(self.message))
        ctx = CONTEXT()
        lib.wslay_event_context_server_init(ctypes.byref(ctx),
                                            ctypes.byref(callbacks), None)
        lib.wslay_event_config_set_max_recv_msg_length(
            ctx, LIMIT)
        while lib.wslay_event_want_read(ctx) or \
                lib.wslay_event_want_write(ctx):
            self.may_read = True
            if lib.wslay_event_want_read(ctx) and lib.wslay_event_recv(ctx):
                break
            if lib.wslay_event_want_write(ctx) and lib.wslay_event_send(ctx):
                break
        lib.wslay_event_context_free(ctx)

    def recv(self, ctx, buffer, length, flags, data):
        """Once a turn, and then say that there is no more."""
        if not self.rest:
            if not self.may_read:
                lib.wslay_event_set_error(ctx, WOULDBLOCK)
                return -1
            self.may_read = False
            try:
                self.rest = self.request.recv(1 << 18)
            except OSError:
                self.rest = b""
            if not self.rest:
                lib.wslay_event_set_error(ctx, FAILURE)
                return -1
        n = min(length, len(self.rest))
        ctypes.memmove(buffer, self.rest, n)
        self.rest = self.rest[n:]
        return n

    def send(self, ctx, buffer, length, flags, data):
        try:
            return self.request.send(ctypes.string_at(buffer, length))
        except OSError:
            lib.wslay_event_set_error(ctx, FAILURE)
            return -1

    def message(self, ctx, arg, data):
        a = arg.contents
        if a.opcode in (1, 2):
            payload = ctypes.string_at(a.msg, a.msg_length)
            lib.wslay_event_queue_msg(ctx, ctypes.byref(
                Msg(a.opcode, payload, a.msg_length)))


serve(Echo)
