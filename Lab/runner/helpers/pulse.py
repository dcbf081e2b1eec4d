"""Sends a datagram to ADDRESS PORT each 5 ms, from one port, and notes when answers come.

At each line of standard input it says the longest time without an answer since the last line, in milliseconds.
"""

import select
import socket
import sys
import time

door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
door.connect((sys.argv[1], int(sys.argv[2])))
door.setblocking(False)
answered, longest, next_send = time.monotonic(), 0.0, 0.0
while True:
    ready, _, _ = select.select([door, sys.stdin], [], [], 0.002)
    now = time.monotonic()
    longest = max(longest, now - answered)
    if door in ready:
        try:
            door.recv(64)
            answered = now
        except OSError:
            # A port unreachable of a host that has just lost the address: no answer.
            pass
    if sys.stdin in ready:
        if not sys.stdin.readline():
            break
        print(f"{longest * 1000:.0f}", flush=True)
        longest = 0.0
    if now >= next_send:
        next_send = now + 0.005
        try:
            door.send(b"?")
        except OSError:
            pass
