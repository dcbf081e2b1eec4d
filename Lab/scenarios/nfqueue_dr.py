"""DR and TUN over a queue of netfilter: packets are taken out of the kernel and sent by packet sockets, super-frames cut to fit."""

import re
import sys

from runner.client import digest, download, requests
from runner.host import Failure, until
from runner.servers import make_payload

from . import dr, tun
from .nfqueue_nat import EVEN, ways

# Takes what a client sends, and answers with its sha256.
SINK = """
import hashlib, socket
server = socket.create_server(("", 8080))
while True:
    connection, _ = server.accept()
    seen = hashlib.sha256()
    while data := connection.recv(1 << 20):
        seen.update(data)
    connection.sendall(seen.hexdigest().encode())
    connection.close()
"""
SOURCE = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 8080), timeout=60)
with open(sys.argv[2], "rb") as file:
    connection.sendfile(file)
connection.shutdown(socket.SHUT_WR)
print(connection.recv(100).decode())
"""


def run(lab):
    for method, letter in ((dr, "g"), (tun, "i")):
        director = method.prepare(lab, interfaces=("nfqueue:0",))
        client, server = lab.host("client"), lab.host("server1")
        payload = make_payload(lab)
        requests(client, f"http://{method.VIP}/", expect=EVEN, alternate=True)
        download(client, f"http://{method.VIP}/payload", payload)
        server.start(sys.executable, "-c", SINK, log="sink.log")
        until(lambda: ":8080" in server.run("ss", "-ltn"), "the sink on server1")
        director.ctl(f"-A -t {method.VIP}:8080")
        director.ctl(f"-a -t {method.VIP}:8080 -r 192.168.0.18:8080 -{letter}")
        # Super-frames come this way: whoever sends is on the far end of a veth.
        seen = client.run(sys.executable, "-c", SOURCE, method.VIP, str(payload), timeout=70).strip()
        print(f"  upload: sha256 {seen}")
        if seen != digest(payload):
            raise Failure("what the client sent arrived damaged")
        director.ctl("-Ln --stats")
        status = director.ctl("status")
        frames, size = map(int, re.search(r"in  (\d+) frames, (\d+) bytes", status).groups())
        if size < 3000 * frames:
            raise Failure(f"packets of {size // frames} bytes on average: super-frames do not come whole")
        if ways(director)["sent"] < 100:
            raise Failure("packet sockets were not used")
        director.stop()
        lab.clear()
