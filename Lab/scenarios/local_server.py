"""Real servers on the director's own host, by NAT, DR and TUN, beside others and still reachable by themselves."""

import sys

from runner.client import get, requests
from runner.host import Failure
from runner.servers import start_nginx
from topologies.routed import VIP

# The director's own address towards the servers.
OWN = "192.168.0.8"
RULES = f"""
    -A -t {VIP}:80 -s rr
    -a -t {VIP}:80 -r 192.168.0.18:80 -m
    -a -t {VIP}:80 -r {OWN}:8080 -m
    -A -t {VIP}:8080 -s rr
    -a -t {VIP}:8080 -r 127.0.0.1:8080 -g
    -A -u {VIP}:5353 -s rr
    -a -u {VIP}:5353 -r {OWN}:5300 -m
"""
METHODS = {f"{OWN}:8080": "Masq", "127.0.0.1:8080": "Route", f"{OWN}:5300": "Masq"}
# Nobody listens at the server's port: the host says so, and the client must hear it from the VIP.
REFUSED = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
    door.settimeout(3)
    door.connect((sys.argv[1], 5353))
    door.send(b"anybody there?")
    try:
        door.recv(100)
    except ConnectionRefusedError:
        print("refused")
"""


def expect_methods(director):
    """Servers of the host's own are listed with the method they were given."""
    lines = director.ctl("-Ln").splitlines()
    for server, method in METHODS.items():
        if not any(server in line and method in line.split() for line in lines):
            raise Failure(f"{server} is not listed as {method}")


def run(lab):
    lab.build("routed")
    host, client = lab.host("director"), lab.host("client")
    client.gateway(VIP)
    start_nginx(lab.host("server1"))
    start_nginx(host, port=8080)
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(RULES)
    expect_methods(director)

    requests(client, f"http://{VIP}/", expect={"server1": 5, "director": 5}, alternate=True)
    requests(client, f"http://{VIP}:8080/", count=4, expect={"director": 4})
    requests(client, f"http://{OWN}:8080/", count=4, expect={"director": 4})
    if get(host, f"http://{OWN}:8080/") != "director":
        raise Failure("the host does not reach its own server")
    told = client.run(sys.executable, "-c", REFUSED, VIP).strip()
    if told != "refused":
        raise Failure(f"a closed port of the host's own server says {told!r}, not 'refused'")
    print("  the host reaches its own server, and a closed port refuses in the VIP's name")

    director.ctl(f"-e -t {VIP}:8080 -r 127.0.0.1:8080 -i")
    requests(client, f"http://{VIP}:8080/", count=4, expect={"director": 4})
    director.ctl("-Ln --stats")
    director.ctl("-Lnc")
    director.stop()
    requests(client, f"http://{OWN}:8080/", count=2, expect={"director": 2})
