"""Switched: everything on one segment, as in DR.

    192.168.0.0/24 (switch)
       ├── client    192.168.0.10
       ├── director  192.168.0.8
       ├── director2 192.168.0.58
       ├── server1   192.168.0.18
       ├── server2   192.168.0.28
       └── server3   192.168.0.68

The same over IPv6, with the same last numbers: 2001:db8:168::/64.

The VIP, 192.168.0.38 or 2001:db8:168::38, is configured by those who use the topology, on whom they need it.
"""

from runner.host import cable

VIP = "192.168.0.38"
VIP6 = "2001:db8:168::38"
HOSTS = {
    "client": "192.168.0.10",
    "director": "192.168.0.8",
    "director2": "192.168.0.58",
    "server1": "192.168.0.18",
    "server2": "192.168.0.28",
    "server3": "192.168.0.68",
}


def build(lab):
    make_switch(lab, {name: "eth0" for name in HOSTS})
    for name, address in HOSTS.items():
        lab.host(name).address("eth0", f"{address}/24", f"{six(address)}/64")


def six(address):
    """The IPv6 address of whoever has this one on the segment."""
    return f"2001:db8:168::{address.rpartition('.')[2]}"


def make_switch(lab, members, name="switch"):
    """A bridge in a name space of its own; `members` names the interface by which each host is joined to it."""
    switch = lab.add(name)
    switch.run("ip", "link", "add", "name", "bridge", "type", "bridge", "stp_state", "0")
    switch.run("ip", "link", "set", "bridge", "up")
    # A switch does not look into what it carries; where br_netfilter is loaded a bridge would.
    for family in ("ip", "ip6", "arp"):
        switch.attempt("sysctl", "-qw", f"net.bridge.bridge-nf-call-{family}tables=0")
    for member, interface in members.items():
        host = lab.hosts.get(member) or lab.add(member)
        cable(host, interface, switch, f"to-{member}")
        switch.run("ip", "link", "set", f"to-{member}", "master", "bridge")
    return switch
