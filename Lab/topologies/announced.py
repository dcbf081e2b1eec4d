"""Announced: clients behind a router that spreads packets over those directors that announce the VIP to it.

    client 10.9.0.10, and as other clients 10.9.0.11 to .74
       │ 10.9.0.0/24
    eth0 10.9.0.1
    router
    eth1 192.168.0.1
       │ 192.168.0.0/24 (switch)
       ├── director1 192.168.0.11
       ├── director2 192.168.0.12
       ├── director3 192.168.0.13
       ├── server1   192.168.0.18
       ├── server2   192.168.0.28
       └── server3   192.168.0.68

The VIP, 203.0.113.80, is on no segment: the router sends it where it is told to. Everybody's gateway is the router.
"""

from runner.host import cable

from .switched import make_switch

VIP = "203.0.113.80"
CLIENTS = [f"10.9.0.{number}" for number in range(11, 75)]
ROUTER = "192.168.0.1"
DIRECTORS = {f"director{number}": f"192.168.0.1{number}" for number in (1, 2, 3)}
SERVERS = {"server1": "192.168.0.18", "server2": "192.168.0.28", "server3": "192.168.0.68"}


def build(lab):
    client, router = lab.add("client"), lab.add("router")
    cable(client, "eth0", router, "eth0")
    members = DIRECTORS | SERVERS
    make_switch(lab, {"router": "eth1"} | {name: "eth0" for name in members})
    client.address("eth0", "10.9.0.10/24", *(f"{address}/24" for address in CLIENTS))
    client.gateway("10.9.0.1")
    router.address("eth0", "10.9.0.1/24")
    router.address("eth1", f"{ROUTER}/24")
    # Servers answer by the router past the directors, whichever of them a packet came by.
    router.set(ip_forward=1, conf__all__rp_filter=0, conf__eth1__rp_filter=0)
    for name, address in members.items():
        lab.host(name).address("eth0", f"{address}/24")
        lab.host(name).gateway(ROUTER)
