"""What is none of the director's business reaches its host, and after SIGTERM the host is as it was."""

import sys

from runner.client import requests
from runner.host import Failure, until

from . import nat

# What the director might leave behind. Counters and lifetimes are not shown by these.
TRACES = (
    "nft -s list ruleset",
    "ip -o link show",
    "ip rule show",
    "ip route show table all",
    "ip -6 route show table all",
    "tc qdisc show",
    "sysctl -a -r ^net.ipv4.(ip_|conf.*(rp_filter|forwarding|accept_local|arp_))",
)
LISTENER = """
import socket
listener = socket.create_server(("", 2222))
while True:
    peer, _ = listener.accept()
    peer.sendall(b"the director's host\\n")
    peer.close()
"""


def traces(host):
    return {line: host.run(*line.split()) for line in TRACES}


def expect_host(client):
    """The VIP's port without a service, and its echo, belong to the host."""
    read = f"exec 3<>/dev/tcp/{nat.VIP}/2222; cat <&3"
    said = client.run("timeout", "5", "bash", "-c", read).strip()
    if said != "the director's host":
        raise Failure(f"port 2222 of the VIP says {said!r}")
    client.run("ping", "-c", "2", "-i", "0.2", "-W", "2", nat.VIP)
    closed = client.attempt("curl", "-sS", "--max-time", "3", f"http://{nat.VIP}:81/")
    if closed.returncode != 7:
        raise Failure(f"a closed port of the VIP is not refused at once: {closed.stderr.strip()}")
    print("  the host's own service, its echo and its closed ports answer as ever")


def run(lab):
    nat.prepare_host(lab)
    host, client = lab.host("director"), lab.host("client")
    host.start(sys.executable, "-c", LISTENER, log="listener.log")
    until(lambda: ":2222" in host.run("ss", "-ltn"), "the listener")
    expect_host(client)
    before = traces(host)

    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(nat.RULES)
    requests(client, f"http://{nat.VIP}/", expect={"server1": 5, "server2": 5})
    expect_host(client)
    from_host = host.run("curl", "-sS", "--max-time", "5", "http://192.168.0.18/").strip()
    if from_host != "server1":
        raise Failure("the host cannot check the health of a server itself")
    print("  the host reaches a real server itself")

    director.stop()
    after = traces(host)
    for line in TRACES:
        if after[line] != before[line]:
            raise Failure(f"`{line}` said before:\n{before[line]}\nand says now:\n{after[line]}")
    print("  after SIGTERM the host has the rules, devices, routes and settings it had before")
    expect_host(client)
