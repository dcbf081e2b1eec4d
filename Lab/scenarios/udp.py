"""Datagrams through NAT: sizes up to the MTU alternate over the servers and are answered from the VIP."""

import collections
import sys

from runner.host import Failure, until

from . import nat

RULES = f"""
    -A -u {nat.VIP}:5353 -s rr
    -a -u {nat.VIP}:5353 -r 192.168.0.18:5300 -m
    -a -u {nat.VIP}:5353 -r 192.168.0.28:5300 -m
"""
# Answers every datagram with the server's name and the datagram.
SERVER = """
import socket, sys
door = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
door.bind(("", 5300))
while True:
    data, peer = door.recvfrom(65536)
    door.sendto(sys.argv[1].encode() + b" " + data, peer)
"""
# A socket of its own for each datagram; a connected one takes answers from the VIP's port only.
CLIENT = """
import os, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
for size in [int(word) for word in sys.argv[2:]] * 5:
    with socket.socket(family, socket.SOCK_DGRAM) as door:
        door.settimeout(3)
        door.connect((sys.argv[1], 5353))
        data = os.urandom(size)
        door.send(data)
        name, _, rest = door.recv(65536).partition(b" ")
        print(name.decode() if rest == data else "damaged")
"""


def run(lab):
    director = nat.prepare(lab, rules=RULES)
    exchange(lab, sizes=(1, 100, 1400, 1460))
    director.ctl("-Ln --stats")
    director.ctl("-Lnc")


def exchange(lab, sizes, vip=nat.VIP):
    """Five datagrams of each size are answered as they were sent, by both servers alike."""
    for name in ("server1", "server2"):
        host = lab.host(name)
        host.start(sys.executable, "-c", SERVER, name, log="udp.log")
        until(lambda: ":5300" in host.run("ss", "-lun"), f"the UDP server on {name}")
    words = [str(size) for size in sizes]
    answers = lab.host("client").run(sys.executable, "-c", CLIENT, vip, *words).split()
    print("  " + " ".join(answers))
    half = len(sizes) * 5 // 2
    if collections.Counter(answers) != {"server1": half, "server2": half}:
        raise Failure(f"expected {half} answers of each server")
