"""Routed: the director stands between the clients' network and the servers' network, as in NAT.

    client 172.16.254.10
       │ 172.16.254.0/24
    eth0 172.16.254.200 (VIP)
    director
    eth1 192.168.0.8
       │ 192.168.0.0/24  (switch)
       ├── server1 192.168.0.18
       ├── server2 192.168.0.28
       └── server3 192.168.0.68

The same over IPv6, with the same last numbers: 2001:db8:254::/64 outside, 2001:db8:168::/64 inside.
"""

from runner.host import cable

from .switched import make_switch, six

VIP = "172.16.254.200"
VIP6 = "2001:db8:254::200"
SERVERS = {"server1": "192.168.0.18", "server2": "192.168.0.28", "server3": "192.168.0.68"}


def build(lab):
    client, director = lab.add("client"), lab.add("director")
    cable(client, "eth0", director, "eth0")
    client.address("eth0", "172.16.254.10/24", "2001:db8:254::10/64")
    director.address("eth0", f"{VIP}/24", f"{VIP6}/64")

    switch = make_switch(lab, {"director": "eth1"} | {name: "eth0" for name in SERVERS})
    director.address("eth1", "192.168.0.8/24", "2001:db8:168::8/64")
    for name, address in SERVERS.items():
        lab.host(name).address("eth0", f"{address}/24", f"{six(address)}/64")
        lab.host(name).gateway("192.168.0.8")
        lab.host(name).gateway("2001:db8:168::8")
    return switch
