#!/usr/bin/env python3
"""An echo server of python3-wsproto, a thread for each connection; prints its
port."""

import socket
import socketserver
import sys

from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection,
                            Message, Ping, Request, TextMessage)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError


class Echo(socketserver.BaseRequestHandler):
    """wsproto reads frames as they come: a message is put together here."""

    def handle(self):
        self.ws = WSConnection(ConnectionType.SERVER)
        self.parts = []
        while True:
            try:
                data = self.request.recv(1 << 18)
            except OSError:
                return
            if not data:
                return
            try:
                self.ws.receive_data(data)
                for event in self.ws.events():
                    self.act(event)
            except RemoteProtocolError as e:
                if e.event_hint:
                    self.send(e.event_hint)
                return
            except (LocalProtocolError, OSError):
                return
            if self.over:
                return

    over = False

    def send(self, event):
        self.request.sendall(self.ws.send(event))

    def act(self, event):
        if isinstance(event, Request):
            self.send(AcceptConnection())
        elif isinstance(event, Ping):
            self.send(event.response())
        elif isinstance(event, Message):
            self.parts.append(event.data)
            if event.message_finished:
                text = isinstance(event, TextMessage)
                data = ("" if text else b"").join(self.parts)
                self.parts = []
                self.send(TextMessage(data=data) if text else
                          BytesMessage(data=bytes(data)))
        elif isinstance(event, CloseConnection):
            self.over = True
            self.send(event.response())


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def get_request(self):
        sock, peer = super().get_request()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock, peer


with Server(("127.0.0.1", 0), Echo) as server:
    print(server.server_address[1], flush=True)
    server.serve_forever()
