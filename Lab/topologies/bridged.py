"""Bridged: the director's host is the switch, and its interface is the bridge.

    director br0: 192.168.0.8, 172.16.254.8, VIPs 192.168.0.38 (DR) and 172.16.254.200 (NAT)
       ├── client  192.168.0.10, 172.16.254.10
       ├── server1 192.168.0.18
       └── server2 192.168.0.28
"""

from runner.host import cable

VIP, ROUTED_VIP = "192.168.0.38", "172.16.254.200"
HOSTS = {"client": "192.168.0.10", "server1": "192.168.0.18", "server2": "192.168.0.28"}


def build(lab):
    host = lab.add("director")
    host.run("ip", "link", "add", "name", "br0", "type", "bridge", "stp_state", "0")
    for name, address in HOSTS.items():
        member = lab.add(name)
        cable(member, "eth0", host, f"to-{name}")
        host.run("ip", "link", "set", f"to-{name}", "master", "br0")
        member.address("eth0", f"{address}/24")
    host.address("br0", "192.168.0.8/24", f"{VIP}/32", "172.16.254.8/24", f"{ROUTED_VIP}/32")
    # The clients of NAT are in a network of their own.
    lab.host("client").address("eth0", "172.16.254.10/24")
