"""Receives large messages with qpid-proton, one credit at a time, and reads nothing between them; prints the length of each.

proton-slow-consumer.py PORT ADDRESS COUNT
"""

import sys
import time

from proton.utils import BlockingConnection

pause_s = 0.3
port, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = BlockingConnection("127.0.0.1:%s" % port, timeout=20, allowed_mechs="ANONYMOUS")
receiver = connection.create_receiver(address, credit=1)
for _ in range(count):
    # With it in hand, and the rest of it perhaps still on the way, the socket is not read.
    time.sleep(pause_s)
    print(len(receiver.receive().body), flush=True)
    receiver.accept()
connection.close()
