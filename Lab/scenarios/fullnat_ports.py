"""Local ports that run out, and local addresses that the director's host has itself: its own ports stay its own."""

import re

from runner.client import KeepAlive, get, requests, who_has
from runner.host import Failure, until
from runner.servers import start_nginx
from topologies.distant import HOSTS_LOCAL, LOCAL, SERVERS, VIP

from .fullnat import hardware, rules
from .refusals import refused

ONE = [SERVERS["server1"]]
RESERVED = "/proc/sys/net/ipv4/ip_local_reserved_ports"


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
    """With two ports there is no third connection; after one has ended and its port has rested there is."""
    client = lab.host("client")
    director.configure(rules(VIP, ONE, LOCAL))
    director.ctl("set fullnat_lport_max=5001")
    director.ctl("set fullnat_lport_min=5000")
    director.ctl("--set 0 2 0")
    open_ones = [KeepAlive(client, VIP) for _ in range(2)]
    for connection in open_ones:
        if connection.get() != "server1":
            raise Failure("a page of another server")
    done = client.attempt("curl", "-sS", "--max-time", "5", f"http://{VIP}/", show=True)
    print("  " + done.stderr.strip())
    if done.returncode != 7 or "refused" not in done.stderr.lower():
        raise Failure(f"a third connection should have been refused: {done.stdout}{done.stderr}")
    status = director.ctl("status")
    if not re.search(r"no_local_port|no local port", status):
        raise Failure("status does not show connections without a local port")
    listed = director.ctl("-G")
    if not re.search(rf"{re.escape(LOCAL)} +[1-9]\d* +2\b", listed):
        raise Failure("-G shows other than two connections and refused ones")
    for connection in open_ones:
        connection.close()
    # The client's side closes, so the director has them in TIME_WAIT, which --set made 2 s... or FIN_WAIT.
    until(
        lambda: client.attempt("curl", "-sf", "--max-time", "2", f"http://{VIP}/").returncode == 0,
        "a new connection after the ports have rested",
        seconds=150,
    )
    print("  after the ports have rested a new connection is made")


def shared(lab, director):
    """A local address of the host: its ports are reserved, or the command is refused; its own connections go on."""
    client, host, router = lab.host("client"), lab.host("director"), lab.host("router")
    host.set(ip_local_port_range="32768 60999", ip_local_reserved_ports="2049")
    director.configure(rules(VIP, SERVERS.values(), ""))
    add = ("directorctl", "-P", "-t", f"{VIP}:80", "-z", HOSTS_LOCAL)
    refused(host, *add, says=["32768-60999", "fullnat_lport_max", "32767"])
    if HOSTS_LOCAL in director.ctl("-G", show=False) or host.run("cat", RESERVED).strip() != "2049":
        raise Failure("a refused command has changed something")
    director.ctl("set fullnat_lport_max=32767")
    director.ctl(f"-P -t {VIP}:80 -z {HOSTS_LOCAL}")
    expect_reserved(host, "1024-32767")
    director.ctl("status")
    requests(client, f"http://{VIP}/", expect={"server1": 5, "server2": 5}, alternate=True)
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
    refused(host, "directorctl", "set", "fullnat_lport_max=65535", says=["32768-60999", "fullnat_lport_max"])
    if director.ctl("get fullnat_lport_max", show=False).split()[-1] != "32767":
        raise Failure("a refused setting has changed")
    expect_reserved(host, "1024-32767")

    # An address that the host gets while it is in use, and loses again.
    director.ctl(f"-Q -t {VIP}:80 -z {HOSTS_LOCAL}")
    until(lambda: host.run("cat", RESERVED).strip() == "2049", "the ports to be free again", seconds=150)
    director.ctl(f"-P -t {VIP}:80 -z {LOCAL}")
    requests(client, f"http://{VIP}/", expect={"server1": 5, "server2": 5})
    host.run("ip", "address", "add", f"{LOCAL}/24", "dev", "eth1", show=True)
    until(lambda: host.run("cat", RESERVED).strip() != "2049", "the ports to be reserved")
    requests(client, f"http://{VIP}/", expect={"server1": 5, "server2": 5})
    host.run("ip", "address", "del", f"{LOCAL}/24", "dev", "eth1", show=True)
    until(lambda: host.run("cat", RESERVED).strip() == "2049", "the ports to be free again")
    requests(client, f"http://{VIP}/", expect={"server1": 5, "server2": 5})
    host.run("ip", "address", "add", f"{LOCAL}/24", "dev", "eth1", show=True)
    until(lambda: host.run("cat", RESERVED).strip() != "2049", "the ports to be reserved")
    director.stop()
    if host.run("cat", RESERVED).strip() != "2049":
        raise Failure("reserved ports are left behind")
    print("  nothing of it is left behind")


def expect_reserved(host, ports):
    listed = host.run("cat", RESERVED).strip()
    print(f"  reserved: {listed}")
    if listed != ports:
        raise Failure(f"reserved should be {ports}")
