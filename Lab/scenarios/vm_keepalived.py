"""A pair with keepalived and lvs_sync_daemon of which one is kernel IPVS in a virtual machine: connections go over to it, and back."""

from runner.guest import make
from runner.host import cable
from runner.servers import quiet_about_vip
from topologies.switched import HOSTS, VIP, six

from .keepalived_dr import SERVERS, Pair
from .keepalived_sync import HEAD, PULSE, downloads_go_on

NETWORK = f"""
    ip address add {HOSTS["director2"]}/24 dev eth0
    ip link set eth0 up
"""


def run(lab):
    make(lab, ["bridge"], {"director2": {"bridges": ["bridge"], "network": NETWORK}})
    switch = lab.host("switch")
    for name in ("client", "director", *SERVERS):
        host = lab.add(name)
        cable(host, "eth0", switch, f"to-{name}")
        switch.run("ip", "link", "set", f"to-{name}", "master", "bridge")
        host.address("eth0", f"{HOSTS[name]}/24", f"{six(HOSTS[name])}/64")
    for name in SERVERS:
        quiet_about_vip(lab.host(name), VIP, "lo")
    downloads_go_on(lab, Pair(lab, "DR", VIP, head=HEAD + PULSE))
