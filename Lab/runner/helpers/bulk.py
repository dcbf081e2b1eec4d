"""Bytes by TCP, and datagrams with and without DF.

`bulk.py serve PORT ADDRESS...` takes connections and answers each, when its end has come, with the sha256 of what came;
on the same port of UDP it answers every datagram to one of the addresses, from that address, with length and sha256.
`bulk.py send ADDRESS PORT BYTES` sends random bytes and prints `same` or `DIFFERS`, and MB/s.
`bulk.py datagram ADDRESS PORT BYTES df|cut` sends one datagram a few times, with DF or without, and prints what came
of it: `answered`, `damaged`, `silence`, or `too long MTU` with the path's MTU when the kernel has learned it.
"""

import hashlib
import os
import socket
import sys
import threading
import time

# Numbers of linux/in.h and linux/in6.h that Python has no names for.
OPTIONS = {
    socket.AF_INET: (socket.IPPROTO_IP, 10, 14),  # IP_MTU_DISCOVER, IP_MTU
    socket.AF_INET6: (socket.IPPROTO_IPV6, 23, 24),  # IPV6_MTU_DISCOVER, IPV6_MTU
}
NEVER, ALWAYS = 0, 2


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def take(connection):
    with connection:
        digest = hashlib.sha256()
        while data := connection.recv(1 << 18):
            digest.update(data)
        connection.sendall(digest.hexdigest().encode())


def answer(door):
    while True:
        data, peer = door.recvfrom(65536)
        door.sendto(f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode(), peer)


def serve(port, addresses):
    for address in addresses:
        datagrams = socket.socket(family(address), socket.SOCK_DGRAM)
        datagrams.bind((address, port))
        threading.Thread(target=answer, args=(datagrams,), daemon=True).start()
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as door:
        while True:
            threading.Thread(target=take, args=(door.accept()[0],), daemon=True).start()


def send(address, port, count):
    piece = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with socket.create_connection((address, port), timeout=20) as connection:
        began = time.monotonic()
        left = count
        while left > 0:
            # No two pieces alike, so that none can take another's place.
            data = left.to_bytes(8, "big") + piece[: left - 8]
            connection.sendall(data)
            digest.update(data)
            left -= len(data)
        connection.shutdown(socket.SHUT_WR)
        told = connection.recv(64).decode()
        took = time.monotonic() - began
    print("same" if told == digest.hexdigest() else "DIFFERS", round(count / took / 1e6, 1))


def datagram(address, port, count, has_df):
    level, discover, mtu = OPTIONS[family(address)]
    with socket.socket(family(address), socket.SOCK_DGRAM) as door:
        door.setsockopt(level, discover, ALWAYS if has_df else NEVER)
        door.settimeout(1)
        door.connect((address, port))
        for _ in range(4):
            data = os.urandom(count)
            try:
                door.send(data)
                told = door.recv(200).decode()
            except TimeoutError:
                continue
            except OSError as error:
                if error.errno != 90:  # EMSGSIZE
                    raise
                return f"too long {door.getsockopt(level, mtu)}"
            return "answered" if told == f"{count} {hashlib.sha256(data).hexdigest()}" else "damaged"
        return "silence"


match sys.argv[1:]:
    case ["serve", port, *addresses]:
        serve(int(port), addresses)
    case ["send", address, port, count]:
        send(address, int(port), int(count))
    case ["datagram", address, port, count, df]:
        print(datagram(address, int(port), int(count), df == "df"))
    case _:
        sys.exit(__doc__)
