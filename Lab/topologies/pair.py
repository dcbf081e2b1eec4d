"""Pair: two directors between the clients' network and the servers' network, one of which has the virtual addresses.

    client 172.16.254.10
       │ 172.16.254.0/24 (switch outside)
       ├── eth0 172.16.254.8  director  eth1 192.168.0.8  ──┤
       ├── eth0 172.16.254.58 director2 eth1 192.168.0.58 ──┤
                                192.168.0.0/24 (switch inside)
                                 ├── server1 192.168.0.18
                                 └── server2 192.168.0.28

The VIP 172.16.254.200 and the servers' gateway 192.168.0.1 are configured by those who use the topology.
"""

from .switched import make_switch

VIP = "172.16.254.200"
GATEWAY = "192.168.0.1"
SERVERS = {"server1": "192.168.0.18", "server2": "192.168.0.28"}
DIRECTORS = {"director": 8, "director2": 58}


def build(lab):
    make_switch(lab, {name: "eth0" for name in ["client", *DIRECTORS]}, "outside")
    make_switch(lab, {name: "eth1" for name in DIRECTORS} | {name: "eth0" for name in SERVERS}, "inside")
    lab.host("client").address("eth0", "172.16.254.10/24")
    for name, number in DIRECTORS.items():
        lab.host(name).address("eth0", f"172.16.254.{number}/24")
        lab.host(name).address("eth1", f"192.168.0.{number}/24")
    for name, address in SERVERS.items():
        lab.host(name).address("eth0", f"{address}/24")
        lab.host(name).gateway(GATEWAY)
