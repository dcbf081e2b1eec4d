"""Numbered datagrams at a steady pace, and those that came back.

datagrams.py answer PORT [ADDRESS]...   sends every datagram back, from the address that it came to
datagrams.py ask ADDRESS PORT MILLISECONDS   asks until standard input ends; prints how many were asked and how many
    answered, and the longest time in milliseconds between two answers
"""

import select
import socket
import sys
import time


def answer(port, addresses):
    sockets = []
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        server = socket.socket(family, socket.SOCK_DGRAM)
        server.bind((address, port))
        sockets.append(server)
    while True:
        for ready in select.select(sockets, [], [])[0]:
            data, sender = ready.recvfrom(2048)
            ready.sendto(data, sender)


def ask(address, port, milliseconds):
    client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    client.connect((address, port))
    client.setblocking(False)
    asked, seen, longest, last = 0, set(), 0.0, None
    due = time.monotonic()
    end = None
    while end is None or time.monotonic() < end:
        now = time.monotonic()
        if end is None and now >= due:
            due += milliseconds / 1000
            try:
                client.send(asked.to_bytes(8, "big"))
            except OSError:
                # What an ICMP error about an earlier one told; this one counts as not answered.
                pass
            asked += 1
        ready = select.select([client, sys.stdin] if end is None else [client], [], [], max(0, due - now))[0]
        if client in ready:
            try:
                data = client.recv(2048)
            except OSError:
                continue
            now = time.monotonic()
            if last is not None:
                longest = max(longest, now - last)
            last = now
            seen.add(int.from_bytes(data, "big"))
        if sys.stdin in ready:
            # The last answers may be on their way.
            end = time.monotonic() + 0.2
            due = end
    print(asked, len(seen), f"{longest * 1000:.1f}")


if sys.argv[1] == "answer":
    answer(int(sys.argv[2]), sys.argv[3:] or ["0.0.0.0"])
else:
    ask(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
