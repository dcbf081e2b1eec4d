"""A backup daemon takes in what a kernel's master multicasts; nonsense and floods harm nobody."""

import itertools
import os
import pathlib
import sys

from runner.client import get
from runner.host import Failure, until

from . import nat
from .refusals import refused

MESSAGES = pathlib.Path(__file__).resolve().parents[2] / "Tests/SyncTests/Fixtures/messages.txt"
FLOOD = int(os.environ.get("LVS_MESSAGES", "100000"))
# Services that the kernel's messages are about, and one whose servers answer here.
RULES = f"""
    -A -t 10.1.0.100:80 -s rr
    -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m
    -a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m
    -A -t 10.1.0.100:21 -s rr
    -a -t 10.1.0.100:21 -r 10.2.0.11:21 -m
    -a -t 10.1.0.100:21 -r 10.2.0.12:21 -m
    -A -u {nat.VIP}:5353 -s rr
    -a -u {nat.VIP}:5353 -r 192.168.0.18:5300 -m -w 1
    -a -u {nat.VIP}:5353 -r 192.168.0.28:5300 -m -w 0
"""
START = "--start-daemon backup --mcast-interface eth1 --syncid 7"
# Sends each hexadecimal line of its input to the group.
SENDER = """
import socket, sys
group = sys.argv[1]
info = socket.getaddrinfo(group, 8848, type=socket.SOCK_DGRAM)[0]
door = socket.socket(info[0], socket.SOCK_DGRAM)
index = socket.if_nametoindex("eth0")
if info[0] == socket.AF_INET:
    door.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, bytes(8) + index.to_bytes(4, sys.byteorder))
else:
    door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
for line in sys.stdin:
    door.sendto(bytes.fromhex(line), info[4])
"""
# Nonsense of all lengths and whole messages of connections that nobody has, without a pause.
FLOODER = """
import os, random, socket, sys
door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
index = socket.if_nametoindex("eth0")
door.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, bytes(8) + index.to_bytes(4, sys.byteorder))
numbers = random.Random(9)
for count in range(int(sys.argv[1])):
    if count % 2:
        body = b"".join(
            bytes([0, 6]) + numbers.randbytes(2) + bytes.fromhex("00501f90") + numbers.randbytes(4)
            + bytes.fromhex("0a0100640a02000c00000001") for _ in range(50))
        data = bytes([50, 7]) + (len(body) + 4).to_bytes(2, "big") + body
    else:
        data = numbers.randbytes(numbers.randrange(1400))
    door.sendto(data, ("224.0.0.81", 8848))
"""
# Answers every datagram with the server's name.
SERVER = """
import socket, sys
door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
door.bind(("", 5300))
while True:
    data, peer = door.recvfrom(65536)
    door.sendto(sys.argv[1].encode(), peer)
"""
CLIENT = """
import socket, sys
door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
door.settimeout(3)
door.bind(("", int(sys.argv[2])))
door.connect((sys.argv[1], 5353))
door.send(b"who?")
print(door.recv(100).decode())
"""


def send(host, lines, group="224.0.0.81"):
    host.run(sys.executable, "-c", SENDER, group, input="\n".join(lines) + "\n")


def show(director):
    """How full the table is, and what the daemon has heard."""
    lines = director.ctl("status", show=False).splitlines()
    heard = lines.index("backup daemon:")
    print("  " + lines[1])
    print("\n".join(itertools.takewhile(lambda line: line.startswith("  "), lines[heard + 1 :])))


def told(port):
    """A message of format 1: a client's datagrams from a port go to the second server."""
    addresses = bytes([172, 16, 254, 10, 172, 16, 254, 200, 192, 168, 0, 28])
    ports = b"".join(number.to_bytes(2, "big") for number in (port, 5353, 5300))
    entry = bytes([0, 17, 0, 36, 0, 0, 1, 0, 0, 0]) + ports + bytes(4) + (300).to_bytes(4, "big") + addresses
    return (bytes([0, 7]) + (8 + len(entry)).to_bytes(2, "big") + bytes([1, 1, 0, 0]) + entry).hex()


def run(lab):
    nat.prepare_host(lab)
    state = lab.file("state")
    # After the flood a director shall begin with an empty table, and not with a full one that it takes over.
    options = ("--state", str(state), "--table", "anonymous")
    director = lab.director(interfaces=("eth0", "eth1"), options=options)
    host, master, client = lab.host("director"), lab.host("server1"), lab.host("client")
    director.configure(nat.RULES)
    director.configure(RULES)
    wrong = START.replace("eth1", "nosuch")
    refused(host, "directorctl", *wrong.split(), says=["No such device"])
    director.ctl(START)

    lines = [line.split()[1] for line in MESSAGES.read_text().splitlines()]
    send(master, lines)
    until(lambda: f"{len(lines)} messages" in director.ctl("status", show=False), "all messages to be heard")
    show(director)
    connections = director.ctl("-Lnc", show=False)
    if connections.count("ESTABLISHED") < 3 or "ASSURED" not in connections or "[2001:db8" not in connections:
        raise Failure(f"the connections of a kernel's messages are not there:\n{connections}")
    print(f"  {len(connections.splitlines()) - 2} connections and templates came by {len(lines)} messages")
    director.ctl("-Ln")

    answers(lab, director, master, client, 5555)
    flood(lab, director, master, client)

    director.ctl("save-state")
    director.kill()
    director.start()
    answers(lab, director, master, client, 5556)
    director.ctl("--stop-daemon backup")
    director.ctl(f"{START} --mcast-group ff02::81")
    send(master, [told(5557)], group="ff02::81")
    until(lambda: ":5557" in director.ctl("-Lnc", show=False), "a message by IPv6")
    director.ctl("--stop-daemon backup")
    send(master, [told(5558)], group="ff02::81")
    send(master, [told(5558)])
    if ":5558" in director.ctl("-Lnc", show=False):
        raise Failure("a stopped daemon hears")
    interface_gone(director)
    director.stop()


def interface_gone(director):
    """The daemon waits for an interface that was taken away, and listens again when there is one of that name."""
    host = director.host
    host.run("ip", "link", "add", "sync0", "up", "type", "veth", "peer", "sync1")
    director.ctl(START.replace("eth1", "sync0"))
    host.run("ip", "link", "del", "sync0")
    deaf = "hears nothing now: interface sync0"
    until(lambda: deaf in director.ctl("status", show=False), "status to say that nothing is heard")
    host.run("ip", "link", "add", "sync0", "up", "type", "veth", "peer", "sync1")
    until(lambda: deaf not in director.ctl("status", show=False), "the daemon to listen again")
    if "sync0" not in host.run("ip", "maddr", "show", "dev", "sync0") or "224.0.0.81" not in host.run("ip", "maddr"):
        raise Failure("the daemon has not joined its group again")
    print("  an interface that went away and came again is listened on again")


def answers(lab, director, master, client, port):
    """A told connection leads to its server, which would get no new one."""
    send(master, [told(port)])
    until(lambda: f":{port} " in director.ctl("-Lnc", show=False), "the message to be heard")
    second = lab.host("server2")
    server = second.start(sys.executable, "-c", SERVER, "server2", log="udp.log")
    until(lambda: ":5300" in second.run("ss", "-lun"), "the UDP server")
    name = client.run(sys.executable, "-c", CLIENT, nat.VIP, str(port)).strip()
    server.kill()
    server.wait()
    if name != "server2":
        raise Failure(f"the told connection leads to {name}")
    print(f"  a told connection from port {port} leads to {name}")


def flood(lab, director, master, client):
    """A flood of messages: requests go on, commands are answered, the table holds what it can."""
    sender = master.start(sys.executable, "-c", FLOODER, str(FLOOD), log="flood.log")
    names = []
    while sender.poll() is None:
        names.append(get(client, f"http://{nat.VIP}/"))
        director.ctl("get drop_entry", show=False)
    if sender.wait() != 0 or len(names) < 4:
        raise Failure(f"no flood: {len(names)} requests meanwhile, status {sender.returncode}")
    if set(names) != {"server1", "server2"}:
        raise Failure(f"who answered during the flood: {names}")
    print(f"  {len(names)} requests and as many commands were answered during a flood of {FLOOD} datagrams")
    show(director)
    director.ctl("-C")
    director.configure(nat.RULES)
    director.configure(RULES)
