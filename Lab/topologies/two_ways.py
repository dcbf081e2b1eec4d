"""Two ways: clients beyond two routers, either of which leads to them; the director's host chooses by policy rules.

    far client 10.9.0.10 (by default by router1)
       │ 10.9.0.0/24 (switch far)
       ├── router1 10.9.0.1, 172.16.254.1
       ├── router2 10.9.0.2, 172.16.254.2
       │ 172.16.254.0/24 (switch outside)
    eth0 172.16.254.8, VIP 172.16.254.200
    director
    eth1 192.168.0.8
       │ 192.168.0.0/24 (switch inside)
       ├── server1 192.168.0.18
       └── server2 192.168.0.28, and 10.77.0.28 behind itself
"""

from .switched import make_switch

VIP = "172.16.254.200"
ROUTERS = {"router1": 1, "router2": 2}
SERVERS = {"server1": "192.168.0.18", "server2": "192.168.0.28"}


def build(lab):
    make_switch(lab, {"client": "eth0"} | {name: "eth0" for name in ROUTERS}, "far")
    make_switch(lab, {"director": "eth0"} | {name: "eth1" for name in ROUTERS}, "outside")
    make_switch(lab, {"director": "eth1"} | {name: "eth0" for name in SERVERS}, "inside")
    client, director = lab.host("client"), lab.host("director")
    client.address("eth0", "10.9.0.10/24")
    client.gateway("10.9.0.1")
    for name, number in ROUTERS.items():
        lab.host(name).address("eth0", f"10.9.0.{number}/24")
        lab.host(name).address("eth1", f"172.16.254.{number}/24")
        lab.host(name).set(ip_forward=1)
    # Packets may come by one way and leave by the other.
    for host in (client, director, *(lab.host(name) for name in ROUTERS)):
        host.set(conf__all__rp_filter=0, conf__default__rp_filter=0, conf__eth0__rp_filter=0)
    director.address("eth0", "172.16.254.8/24", f"{VIP}/32")
    director.address("eth1", "192.168.0.8/24")
    director.gateway("172.16.254.1")
    for name, address in SERVERS.items():
        lab.host(name).address("eth0", f"{address}/24")
        lab.host(name).gateway("192.168.0.8")
    lab.host("server2").run("ip", "address", "add", "10.77.0.28/32", "dev", "lo")
