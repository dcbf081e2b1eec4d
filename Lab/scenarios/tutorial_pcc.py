"""Persistence over all ports (port 0, 1800 s) and of each port: HTTP and SSH of a client meet one server, or one each."""

import collections
import sys

from runner.client import HELPERS
from runner.files import director_of_instructions, type_in
from runner.host import Failure, until
from runner.servers import quiet_about_vip, start_nginx
from topologies.tutorial import VIP

from .tutorial_nat import expect_table

# One service takes every port of the VIP.
ALL_PORTS = f"""
    ipvsadm -C
    ipvsadm -A -t {VIP}:0 -s rr -p 1800
    ipvsadm -a -t {VIP}:0 -r 192.168.10.200 -g
    ipvsadm -a -t {VIP}:0 -r 192.168.10.201 -g
"""
ALL_PORTS_TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.10.101:0 rr persistent 1800
  -> 192.168.10.200:0             Route   1      0          0
  -> 192.168.10.201:0             Route   1      0          0
"""
# One service a port, with the servers in another order, so that the two decide differently.
EACH_PORT = f"""
    ipvsadm -C
    ipvsadm -A -t {VIP}:80 -s rr -p 1800
    ipvsadm -A -t {VIP}:22 -s rr -p 1800
    ipvsadm -a -t {VIP}:80 -r 192.168.10.200 -g
    ipvsadm -a -t {VIP}:80 -r 192.168.10.201 -g
    ipvsadm -a -t {VIP}:22 -r 192.168.10.201 -g
    ipvsadm -a -t {VIP}:22 -r 192.168.10.200 -g
"""
CLIENTS = ["192.168.10.50", "192.168.10.51", "192.168.10.52", "192.168.10.53"]
ROUNDS = 5


def prepare(lab):
    """The segment of these instructions with a director, servers for HTTP and SSH, and a client of four addresses."""
    lab.build("tutorial")
    client = lab.host("client")
    client.address("eth0", *(f"{address}/24" for address in CLIENTS[1:]))
    for name in ("server1", "server2"):
        server = lab.host(name)
        quiet_about_vip(server, VIP, "lo")
        start_nginx(server)
        server.start(sys.executable, str(HELPERS / "banner.py"), "22", name, log=f"{name}.log")
        until(lambda server=server: greeting(server, "127.0.0.1", "127.0.0.1", False), f"the greeting of {name}")
    director_of_instructions(lab)
    return lab.director(interfaces=("eth0",))


def page(host, address, url, *options):
    """What a client of this address gets by HTTP."""
    return host.run("curl", "-sS", "--max-time", "10", "--interface", address, *options, url).strip()


def greeting(host, address, target, must=True):
    """The name of the server that a client of this address meets on port 22."""
    program = (
        "import socket, sys;"
        "s = socket.create_connection((sys.argv[2], 22), 5, (sys.argv[1], 0));"
        "print(s.makefile().readline())"
    )
    done = host.attempt(sys.executable, "-c", program, address, target)
    if must and not done.stdout.startswith("SSH-2.0-"):
        raise Failure(f"{target} does not greet {address} on port 22: {done.stderr or done.stdout}")
    return done.stdout.strip().removeprefix("SSH-2.0-")


def met(client, address):
    """Servers that one client met by HTTP and by SSH, asking in turn."""
    pages, greetings = set(), set()
    for _ in range(ROUNDS):
        pages.add(page(client, address, f"http://{VIP}/"))
        greetings.add(greeting(client, address, VIP))
    print(f"  {address}: HTTP from {' and '.join(sorted(pages))}, SSH from {' and '.join(sorted(greetings))}")
    if len(pages) != 1 or len(greetings) != 1:
        raise Failure(f"the client {address} does not stay with one server: HTTP {pages}, SSH {greetings}")
    return pages.pop(), greetings.pop()


def run(lab):
    director = prepare(lab)
    host, client = lab.host("director"), lab.host("client")

    type_in(host, ALL_PORTS)
    expect_table(host, ALL_PORTS_TABLE)
    answers = {address: met(client, address) for address in CLIENTS}
    host.run("ipvsadm", "-Lnc", show=True)
    for address, (web, shell) in answers.items():
        if web != shell:
            raise Failure(f"HTTP of {address} went to {web} and its SSH to {shell}")
    expect_both(web for web, _ in answers.values())

    type_in(host, EACH_PORT)
    answers = {address: met(client, address) for address in CLIENTS}
    host.run("ipvsadm", "-Ln", "--persistent-conn", show=True)
    expect_both(web for web, _ in answers.values())
    expect_both(shell for _, shell in answers.values())
    if any(web == shell for web, shell in answers.values()):
        raise Failure(f"the two services do not decide for themselves: {answers}")
    director.stop()


def expect_both(servers):
    """Half of the clients each."""
    counts = collections.Counter(servers)
    if counts != {"server1": len(CLIENTS) // 2, "server2": len(CLIENTS) // 2}:
        raise Failure(f"the clients are not spread evenly: {dict(counts)}")
