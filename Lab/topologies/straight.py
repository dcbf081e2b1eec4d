"""Straight: one client, one director, one server, joined by two cables and nothing else, for what measures.

    client 172.16.254.10, and 10.64.0.0/12 for frames of the lab's own making
       │ 172.16.254.0/24
    eth0 172.16.254.200 (VIP)
    director
    eth1 192.168.0.8
       │ 192.168.0.0/24
    server1 192.168.0.18

Neighbours are fixed, so that no figure contains an ARP exchange. The kernels of client and server leave frames from and
to 10.64.0.0/12 alone: these are for the lab's own programs, which see them before.
"""

import json

from runner.host import cable

VIP = "172.16.254.200"
SERVER = "192.168.0.18"
# Clients that are addresses only.
CROWD = "10.64.0.0"
CROWD_NETWORK = "10.64.0.0/12"


def build(lab):
    client, director, server = lab.add("client"), lab.add("director"), lab.add("server1")
    cable(client, "eth0", director, "eth0")
    cable(director, "eth1", server, "eth0")
    client.address("eth0", "172.16.254.10/24")
    director.address("eth0", f"{VIP}/24")
    director.address("eth1", "192.168.0.8/24")
    server.address("eth0", f"{SERVER}/24")
    client.gateway(VIP)
    server.gateway("192.168.0.8")
    introduce_all(lab)
    keep_from_kernel(client, "daddr")
    keep_from_kernel(server, "saddr")


def introduce_all(lab):
    """The neighbours and the crowd's route, which a host forgets with its link."""
    client, director, server = lab.host("client"), lab.host("director"), lab.host("server1")
    director.run("ip", "route", "replace", CROWD_NETWORK, "via", "172.16.254.10")
    introduce(client, "eth0", VIP, hardware(director, "eth0"))
    introduce(director, "eth0", "172.16.254.10", hardware(client, "eth0"))
    introduce(director, "eth1", SERVER, hardware(server, "eth0"))
    introduce(server, "eth0", "192.168.0.8", hardware(director, "eth1"))


def hardware(host, interface):
    """The hardware address of an interface."""
    (link,) = json.loads(host.run("ip", "-j", "link", "show", interface))
    return link["address"]


def introduce(host, interface, address, hardware_address):
    """Gives a host a neighbour for good."""
    host.run(*("ip", "neighbour", "replace", address, "lladdr", hardware_address), *("dev", interface, "nud", "permanent"))


def keep_from_kernel(host, field):
    """Drops the crowd's frames behind the lab's programs and before the host's own stack."""
    host.run(
        "nft",
        "add table netdev lab;"
        " add chain netdev lab ingress { type filter hook ingress device eth0 priority 0; };"
        f" add rule netdev lab ingress ip {field} {CROWD_NETWORK} drop",
    )
