#!/usr/bin/env python3
"""An echo server of python3-wsproto, a thread for each connection; prints its
port."""

import socketserver

from wsproto import ConnectionType, WSConnection
from wsproto.events import (AcceptConnection, BytesMessage, CloseConnection,
                            Message, Ping, Request, TextMessage)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from threads import serve


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


serve(Echo)
