"""Tutorial: one segment with the addresses that the instructions for services by firewall mark use.

    192.168.10.0/24 (switch)
       ├── client   192.168.10.50
       ├── director 192.168.10.100, VIP 192.168.10.101
       ├── server1  192.168.10.200
       └── server2  192.168.10.201

IPv6 addresses are fd00:10:: with the last number of the IPv4 address.
"""

from .switched import make_switch

VIP = "192.168.10.101"
VIP6 = "fd00:10::101"
HOSTS = {
    "client": "192.168.10.50",
    "director": "192.168.10.100",
    "server1": "192.168.10.200",
    "server2": "192.168.10.201",
}


def build(lab):
    make_switch(lab, {name: "eth0" for name in HOSTS})
    for name, address in HOSTS.items():
        lab.host(name).address("eth0", f"{address}/24", f"fd00:10::{address.split('.')[3]}/64")
    lab.host("director").address("eth0", f"{VIP}/32", f"{VIP6}/128")
