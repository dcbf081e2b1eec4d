"""100 MB arrive unharmed by NAT over AF_XDP, alone and beside packet sockets, which take super-frames whole."""

from runner.client import download
from runner.servers import make_payload

from . import nat


def run(lab):
    for interfaces in (("xdp:eth0", "xdp:eth1"), ("xdp:eth0", "eth1"), ("eth0", "xdp:eth1")):
        nat.prepare_host(lab)
        director = lab.director(interfaces=interfaces)
        director.configure(nat.RULES)
        payload = make_payload(lab)
        download(lab.host("client"), f"http://{nat.VIP}/payload", payload)
        director.ctl("status")
        director.stop()
        lab.clear()
