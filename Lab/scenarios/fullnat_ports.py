"""Local ports that run out, and local addresses that the director's host has itself: its own ports stay its own."""

import re
import sys

from runner.client import get, requests, who_has
from runner.host import Failure, until
from runner.servers import start_nginx
from topologies.distant import HOSTS_LOCAL, LOCAL, SERVERS, VIP

from .fullnat import EVEN, hardware, rules
from .refusals import refused

LONG = True

ONE = [SERVERS["server1"]]
RESERVED = "/proc/sys/net/ipv4/ip_local_reserved_ports"
# Two connections that live until told otherwise, and then end at once, by a reset.
HOLDER = """
import socket, struct, sys
doors = [socket.create_connection((sys.argv[1], 80), timeout=5) for _ in range(2)]
for door in doors:
    door.sendall(b"GET / HTTP/1.1\\r\\nHost: lab\\r\\n\\r\\n")
    assert door.recv(4096).startswith(b"HTTP/1.1 200")
print("open", flush=True)
sys.stdin.readline()
for door in doors:
    door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    door.close()
"""
# What becomes of one more.
THIRD = """
import errno, socket, sys
with socket.socket() as door:
    door.settimeout(5)
    print(errno.errorcode.get(door.connect_ex((sys.argv[1], 80)), "made"))
"""


def run(lab):
    lab.build("distant")
    for name in SERVERS:
        start_nginx(lab.host(name))
    director = lab.director(interfaces=("eth0", "eth1"))
    exhausted(lab, director)
    director.stop()
    director.start()
    shared(lab, director)


def exhausted(lab, director):
    """With two ports there is no third connection; when both have ended and their ports have rested there is."""
    client = lab.host("client")
    director.configure(rules(VIP, ONE, LOCAL))
    director.ctl("set fullnat_lport_min=5000")
    director.ctl("set fullnat_lport_max=5001")
    holder = client.start(sys.executable, "-c", HOLDER, VIP, stdin=-1, stdout=-1, text=True)
    if holder.stdout.readline() != "open\n":
        raise Failure("two connections should have been made")
    director.ctl("-Lnc")
    said = client.run(sys.executable, "-c", THIRD, VIP).strip()
    print(f"  a third connection: {said}")
    if said != "ECONNREFUSED":
        raise Failure("a third connection should have been refused")
    status = director.ctl("status", show=False)
    shown = re.search(r"^.*no.?local.?port.*$", status, re.MULTILINE | re.IGNORECASE)
    if not shown:
        raise Failure(f"status does not name the drop:\n{status}")
    print(shown[0])
    listed = director.ctl("-G")
    if not re.search(rf"{re.escape(LOCAL)} +[1-9]\d* +2\b", listed):
        raise Failure("-G shows other than two connections and refused ones")
    holder.communicate("\n", timeout=10)
    until(
        lambda: client.attempt("curl", "-sf", "--max-time", "2", f"http://{VIP}/").returncode == 0,
        "a new connection after the ports have rested",
        seconds=40,
    )
    print("  after the ports have rested a new connection is made")


def shared(lab, director):
    """A local address of the host: its ports are reserved, or the command is refused; its own connections go on."""
    client, host, router = lab.host("client"), lab.host("director"), lab.host("router")
    host.set(ip_local_port_range="32768 60999", ip_local_reserved_ports="2049")
    director.configure(rules(VIP, SERVERS.values(), ""))
    refused(host, "directorctl", "-P", "-t", f"{VIP}:99", "-z", HOSTS_LOCAL, says=["service"])
    expect_reserved(host, "2049")
    director.ctl(f"-P -t {VIP}:80 -z {HOSTS_LOCAL}")
    expect_reserved(host, "1024-32767")
    director.ctl("set fullnat_lport_min=33000")
    expect_reserved(host, "2049,61000-65535")
    refused(host, "directorctl", "set", "fullnat_lport_max=60900", says=["32768-60999", "fullnat_lport_min"])
    if director.ctl("get fullnat_lport_max", show=False).split()[-1] != "65535":
        raise Failure("a refused setting has changed")
    expect_reserved(host, "2049,61000-65535")
    director.ctl("set fullnat_lport_min=1024")
    expect_reserved(host, "1024-32767")
    director.ctl("set fullnat_lport_max=30000")
    expect_reserved(host, "1024-30000")
    director.ctl(f"-Q -t {VIP}:80 -z {HOSTS_LOCAL}")
    expect_reserved(host, "2049")

    # An address that the host gets while connections have it, and loses again.
    director.ctl(f"-P -t {VIP}:80 -z {LOCAL}")
    requests(client, f"http://{VIP}/", expect=EVEN)
    for change, ports in (("add", "1024-30000"), ("del", "2049")) * 2:
        host.run("ip", "address", change, f"{LOCAL}/24", "dev", "eth1", show=True)
        expect_reserved(host, ports)
        requests(client, f"http://{VIP}/", expect=EVEN)
        if set(who_has(router, LOCAL)) != {hardware(host, "eth1")}:
            raise Failure(f"nobody answers for {LOCAL}, or somebody else")
    director.ctl(f"-Q -t {VIP}:80 -z {LOCAL}")

    director.ctl(f"-P -t {VIP}:80 -z {HOSTS_LOCAL}")
    requests(client, f"http://{VIP}/", expect=EVEN, alternate=True)
    if get(client, f"http://{VIP}/client") != HOSTS_LOCAL:
        raise Failure("the servers see another client")
    # Health checks and pings of the host itself, to the same servers and ports, and back.
    for name, address in SERVERS.items():
        if get(host, f"http://{address}/") != name:
            raise Failure("the host's own request was lost")
    host.run("ping", "-c", "2", "-W", "1", SERVERS["server1"], show=True)
    lab.host("server1").run("ping", "-c", "2", "-W", "1", HOSTS_LOCAL, show=True)
    if who_has(router, HOSTS_LOCAL) != [hardware(host, "eth1")]:
        raise Failure("other than the host answers for the host's address, or more than once")
    director.ctl("status")
    director.stop()
    expect_reserved(host, "2049")
    print("  nothing of it is left behind")


def expect_reserved(host, ports):
    until(lambda: host.run("cat", RESERVED).strip() == ports, f"{ports} to be reserved", seconds=5)
    print(f"  reserved by {host.name}: {ports}")
