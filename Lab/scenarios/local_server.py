"""Real servers on the director's own host, by NAT, DR and TUN, beside others and still reachable by themselves."""

import sys

from runner.client import get, requests
from runner.host import Failure
from runner.servers import start_nginx
from topologies.routed import VIP, VIP6

# The director's own addresses towards the servers.
OWN = "192.168.0.8"
OWN6 = "[2001:db8:168::8]"
RULES = f"""
    -A -t {VIP}:80 -s rr
    -a -t {VIP}:80 -r 192.168.0.18:80 -m
    -a -t {VIP}:80 -r {OWN}:8080 -m
    -A -t {VIP}:8080 -s rr
    -a -t {VIP}:8080 -r 127.0.0.1:8080 -g
    -A -u {VIP}:5353 -s rr
    -a -u {VIP}:5353 -r {OWN}:5300 -m
    -A -t [{VIP6}]:80 -s rr
    -a -t [{VIP6}]:80 -r [2001:db8:168::18]:80 -m
    -a -t [{VIP6}]:80 -r {OWN6}:8080 -m
    -A -t [{VIP6}]:8080 -s rr
    -a -t [{VIP6}]:8080 -r [::1]:8080 -g
    -A -u [{VIP6}]:5353 -s rr
    -a -u [{VIP6}]:5353 -r {OWN6}:5300 -m
"""
METHODS = {
    f"{OWN}:8080": "Masq",
    "127.0.0.1:8080": "Route",
    f"{OWN}:5300": "Masq",
    f"{OWN6}:8080": "Masq",
    "[::1]:8080": "Route",
    f"{OWN6}:5300": "Masq",
}
# Nobody listens at the server's port: the host says so, and the client must hear it from the VIP.
REFUSED = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as door:
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


def expect_served(host, client, vip, own):
    """`vip` and `own` as they stand in URLs."""
    requests(client, f"http://{vip}/", expect={"server1": 5, "director": 5}, alternate=True)
    requests(client, f"http://{vip}:8080/", count=4, expect={"director": 4})
    requests(client, f"http://{own}:8080/", count=4, expect={"director": 4})
    client.run("ping", "-c", "2", "-i", "0.2", "-W", "2", own.strip("[]"))
    if get(host, f"http://{own}:8080/") != "director":
        raise Failure("the host does not reach its own server")
    told = client.run(sys.executable, "-c", REFUSED, vip.strip("[]")).strip()
    if told != "refused":
        raise Failure(f"a closed port of the host's own server says {told!r}, not 'refused'")
    print("  the host reaches its own server, and a closed port refuses in the VIP's name")


def run(lab):
    lab.build("routed")
    host, client = lab.host("director"), lab.host("client")
    client.gateway(VIP)
    client.gateway(VIP6)
    start_nginx(lab.host("server1"))
    start_nginx(host, port=8080)
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(RULES)
    expect_methods(director)
    expect_served(host, client, VIP, OWN)
    expect_served(host, client, f"[{VIP6}]", OWN6)

    director.ctl(f"-e -t {VIP}:8080 -r 127.0.0.1:8080 -i")
    requests(client, f"http://{VIP}:8080/", count=4, expect={"director": 4})
    director.ctl("-Ln --stats")
    director.ctl("-Lnc")
    director.stop()
    requests(client, f"http://{OWN}:8080/", count=2, expect={"director": 2})
    requests(client, f"http://{OWN6}:8080/", count=2, expect={"director": 2})
