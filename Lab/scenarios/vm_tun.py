"""Tunnels with every host in a virtual machine; the servers unwrap IPIP by their kernel's own device."""

from runner.client import requests
from runner.host import Failure
from runner.servers import quiet_about_vip, start_nginx
from topologies.switched import VIP

from .tun import RULES
from .vm_dr import build, commands
from .vm_nat import EVEN, set_up


def run(lab):
    build(lab)
    for name in ("server1", "server2"):
        server = lab.host(name)
        server.run("modprobe", "-d", "/run/modules", "ipip")
        server.run("ip", "link", "set", "tunl0", "up")
        # The client's address leads back by eth0, not by the tunnel: a reverse path check would refuse all.
        server.set(conf__all__rp_filter=0, conf__tunl0__rp_filter=0)
        quiet_about_vip(server, VIP, "tunl0")
        start_nginx(server)
    set_up(lab, lab.host("director"), commands(RULES))
    requests(lab.host("client"), f"http://{VIP}/", expect=EVEN, alternate=True)
    lab.host("director").run("ipvsadm", "-Ln", "--stats", show=True)
    for name in ("server1", "server2"):
        counter = "/sys/class/net/tunl0/statistics/rx_packets"
        received = int(lab.host(name).run("cat", counter))
        print(f"  {name}: its tunl0 unwrapped {received} packets")
        if received == 0:
            raise Failure(f"nothing came to {name} by its kernel's own tunnel")
