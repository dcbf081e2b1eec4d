"""Distant: servers behind a router of their own, who know no way to the clients, as FULLNAT allows.

    client 172.16.254.10
       │ 172.16.254.0/24
    eth0 172.16.254.200 (VIP)
    director
    eth1 192.168.0.8, and local addresses from 192.168.0.100 on
       │ 192.168.0.0/24
    eth0 192.168.0.1
    router
    eth1 192.168.1.1
       │ 192.168.1.0/24  (switch)
       ├── server1 192.168.1.18
       └── server2 192.168.1.28

The router is the servers' default gateway and has itself no route to 172.16.254.0/24. The same over IPv6, with the same
last numbers: 2001:db8:254::/64, 2001:db8:168::/64 and 2001:db8:169::/64.
"""

from runner.host import cable

from .switched import make_switch

VIP = "172.16.254.200"
VIP6 = "2001:db8:254::200"
LOCAL = "192.168.0.100"
LOCAL6 = "2001:db8:168::100"
# An address that the director's host has itself, on the servers' side.
HOSTS_LOCAL = "192.168.0.8"
SERVERS = {"server1": "192.168.1.18", "server2": "192.168.1.28"}
SERVERS6 = {"server1": "2001:db8:169::18", "server2": "2001:db8:169::28"}


def build(lab):
    client, director, router = lab.add("client"), lab.add("director"), lab.add("router")
    cable(client, "eth0", director, "eth0")
    cable(director, "eth1", router, "eth0")
    client.address("eth0", "172.16.254.10/24", "2001:db8:254::10/64")
    director.address("eth0", f"{VIP}/24", f"{VIP6}/64")
    director.address("eth1", "192.168.0.8/24", "2001:db8:168::8/64")
    router.address("eth0", "192.168.0.1/24", "2001:db8:168::1/64")
    make_switch(lab, {"router": "eth1"} | {name: "eth0" for name in SERVERS})
    router.address("eth1", "192.168.1.1/24", "2001:db8:169::1/64")
    router.set(ip_forward=1)
    router.set6(conf__all__forwarding=1)
    director.run("ip", "route", "add", "192.168.1.0/24", "via", "192.168.0.1")
    director.run("ip", "-6", "route", "add", "2001:db8:169::/64", "via", "2001:db8:168::1")
    for name in SERVERS:
        server = lab.host(name)
        server.address("eth0", f"{SERVERS[name]}/24", f"{SERVERS6[name]}/64")
        server.gateway("192.168.1.1")
        server.gateway("2001:db8:169::1")
