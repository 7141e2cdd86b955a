"""Uses addresses of a network with qpid-proton, as a client of two routers; prints one line for each thing that holds.

proton-client.py PORT FAR-PORT

The near client sends, in the main thread; the far one receives, in a thread and on a connection of its own.
"""

import sys
import threading
import time

from proton import Condition, Delivery, Message, Terminus
from proton.reactor import AtMostOnce, LinkOption
from proton.utils import BlockingConnection, LinkDetached


def say(*words):
    print(*words, flush=True)


def connect(port):
    return BlockingConnection("127.0.0.1:%s" % port, timeout=15, allowed_mechs="ANONYMOUS")


ready = threading.Event()
bodies = []


def end(receiver, state, prepare=lambda local: None):
    """Settles the oldest message of a receiver with an outcome."""
    received = receiver.fetcher.unsettled.popleft()
    prepare(received.local)
    received.update(state)
    received.settle()


def sold_out(local):
    local.condition = Condition("shop:sold-out", "no more")


def failed(local):
    local.failed = True
    local.undeliverable = True


def receive():
    far = connect(sys.argv[2])
    orders = far.create_receiver("orders", credit=10)
    events = far.create_receiver("events", credit=10)
    questions = far.create_receiver("questions", credit=10)
    ready.set()
    bodies.append(orders.receive().body)
    orders.accept()
    orders.receive()
    end(orders, Delivery.REJECTED, sold_out)
    orders.receive()
    end(orders, Delivery.RELEASED)
    orders.receive()
    end(orders, Delivery.MODIFIED, failed)
    bodies.append(events.receive().body)
    events.accept()
    question = questions.receive()
    questions.accept()
    far.create_sender(None).send(Message(address=question.reply_to, body=question.body * 2))
    # Settled by its sender: there is nothing to accept.
    bodies.append(orders.receive().body)
    bodies.append(orders.receive(timeout=20).body)
    orders.accept()
    far.close()


thread = threading.Thread(target=receive, daemon=True)
thread.start()
ready.wait(15)
near = connect(sys.argv[1])


def sender(address, **options):
    """A sender that has credit: its address has a consumer that is known here."""
    link = near.create_sender(address, **options)
    near.wait(lambda: link.link.credit > 0, timeout=15)
    return link


def outcome(link, body, **properties):
    delivery = link.link.send(Message(body=body, inferred=isinstance(body, bytes), **properties))
    near.wait(lambda: delivery.settled, timeout=20)
    return delivery


orders = sender("orders")
say("anycast", str(outcome(orders, "hello").remote_state).lower(), bodies[0])
say("rejected", outcome(orders, "two").remote.condition.name)
say(str(outcome(orders, "three").remote_state).lower())
remote = outcome(orders, "four").remote
say("modified", remote.failed, remote.undeliverable)

inbox = near.create_receiver("events", credit=10)
events = sender("events")
time.sleep(0.5)
delivery = events.link.send(Message(body="news"))
copies = [inbox.receive().body]
inbox.accept()
near.wait(lambda: delivery.settled, timeout=15)
say("multicast", len(copies + bodies[1:]))

replies = near.create_receiver(None, dynamic=True, credit=1)
outcome(sender("questions"), 21, reply_to=replies.link.remote_source.address)
say("reply", replies.receive().body)
replies.accept()

settled = sender("orders", name="settled", options=AtMostOnce())
settled.link.send(Message(body="five"))
near.wait(lambda: len(bodies) > 2, timeout=15)
say("settled by sender", bodies[2])


class Coordinator(LinkOption):
    def apply(self, link):
        link.target.type = Terminus.COORDINATOR


def refused(what, make):
    try:
        make()
        say(what, "not refused")
    except LinkDetached as error:
        say(what, "refused", error.condition)


refused("transactions", lambda: near.create_sender(None, options=Coordinator()))
refused("management", lambda: near.create_sender("$management"))

body = b"x" * 20000000
state = outcome(orders, body).remote_state
near.wait(lambda: len(bodies) > 3, timeout=15)
say("large", str(state).lower(), bytes(bodies[3]) == body)
near.close()
