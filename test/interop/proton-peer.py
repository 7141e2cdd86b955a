"""A peer on qpid-proton for the interoperability test; prints one line for each thing that happens.

    proton-peer.py echo-server            listens, prints its port, sends every message back to the link `back`
    proton-peer.py client PORT SCENARIO   dials and plays `send`, `receive`, `outcomes`, `plain`, `idle` or `drain`
"""

import hashlib
import sys

from proton import Delivery, Message, symbol
from proton.handlers import MessagingHandler
from proton.reactor import Container

MEGABYTE = bytes((i * 7 + (i >> 8)) & 0xFF for i in range(1048576))


def say(*words):
    print(*words, flush=True)


def digest(body):
    return hashlib.sha256(bytes(body)).hexdigest()


class EchoServer(MessagingHandler):
    def on_start(self, event):
        self.acceptor = event.container.listen("127.0.0.1:0")
        self.senders = {}
        import socket

        sock = socket.fromfd(self.acceptor._selectable.fileno(), socket.AF_INET, socket.SOCK_STREAM)
        say("port", sock.getsockname()[1])
        sock.close()

    def on_link_opening(self, event):
        link = event.link
        link.source.address = link.remote_source.address
        link.target.address = link.remote_target.address
        if link.is_sender:
            self.senders[event.connection] = link

    def on_message(self, event):
        say("received", digest(event.message.body))
        self.senders[event.connection].send(Message(body=event.message.body, inferred=True))


class Client(MessagingHandler):
    def __init__(self, port, scenario):
        super().__init__(prefetch=0 if scenario == "drain" else 10, auto_accept=scenario != "reject")
        self.url = "127.0.0.1:%s" % port
        self.scenario = scenario
        self.sent = 0
        self.settled = 0
        self.received = 0

    def on_start(self, event):
        options = {"reconnect": False, "sasl_enabled": True, "allowed_mechs": "ANONYMOUS"}
        if self.scenario == "plain":
            options.update(user="u", password="p", allowed_mechs="PLAIN", allow_insecure_mechs=True)
        if self.scenario == "idle":
            options["heartbeat"] = 0.5
        if self.scenario == "send":
            options["max_frame_size"] = 4096
        connection = event.container.connect(self.url, **options)
        if self.scenario in ("send", "outcomes"):
            event.container.create_sender(connection, "q")
        elif self.scenario in ("receive", "drain"):
            self.receiver = event.container.create_receiver(connection, "q")
        elif self.scenario == "idle":
            event.container.schedule(2, self)

    def on_connection_opened(self, event):
        say("opened", event.connection.remote_container)
        if self.scenario == "plain":
            event.connection.close()

    def on_link_opened(self, event):
        if self.scenario == "drain":
            event.link.drain(10)

    def on_sendable(self, event):
        count = 4 if self.scenario == "outcomes" else 1
        while event.sender.credit and self.sent < count:
            self.sent += 1
            event.sender.send(Message(body=MEGABYTE if self.scenario == "send" else b"%d" % self.sent, inferred=True))

    def on_settled(self, event):
        self.settled += 1
        say("outcome", event.delivery.remote_state)
        if self.settled == (4 if self.scenario == "outcomes" else 1):
            event.connection.close()

    def on_message(self, event):
        self.received += 1
        say("received", digest(event.message.body))
        if self.scenario == "receive":
            self.accept(event.delivery)
            event.connection.close()

    def on_link_flow(self, event):
        if self.scenario == "drain" and event.link.is_receiver and event.link.credit == 0 and event.link.draining is not None:
            say("drained", self.received)
            event.connection.close()

    def on_timer_task(self, event):
        say("still open")
        self.closing = True
        for connection in [self.connection] if hasattr(self, "connection") else []:
            connection.close()

    def on_connection_remote_open(self, event):
        self.connection = event.connection

    def on_transport_error(self, event):
        say("error", event.transport.condition.name)

    def on_connection_error(self, event):
        say("error", event.connection.remote_condition.name)


if sys.argv[1] == "echo-server":
    Container(EchoServer()).run()
else:
    Container(Client(sys.argv[2], sys.argv[3])).run()
    say("done")
