"""Twins: a director and a host beside it that gets the same packets, on one segment.

    192.168.0.0/24 (switch)
       ├── client    192.168.0.10
       ├── director  192.168.0.8, VIP 192.168.0.38 on lo
       ├── reference 192.168.0.9, VIP 192.168.0.38 on lo
       └── servers   192.168.0.100
"""

from .switched import make_switch

VIP = "192.168.0.38"
HOSTS = {
    "client": "192.168.0.10",
    "director": "192.168.0.8",
    "reference": "192.168.0.9",
    "servers": "192.168.0.100",
}


def build(lab):
    make_switch(lab, {name: "eth0" for name in HOSTS})
    for name, address in HOSTS.items():
        lab.host(name).address("eth0", f"{address}/24")
    for name in ("director", "reference"):
        lab.host(name).address("lo", f"{VIP}/32")
