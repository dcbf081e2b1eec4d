"""NAT with both interfaces served by AF_XDP: the same rules, the same answers, and nothing beside them."""

from runner.client import requests
from runner.host import Failure

from . import nat


def run(lab):
    nat.prepare_host(lab)
    director = lab.director(interfaces=("xdp:eth0", "xdp:eth1"))
    director.configure(nat.RULES)
    for interface in ("eth0", "eth1"):
        if "prog/xdp" not in lab.host("director").run("ip", "link", "show", "dev", interface):
            raise Failure(f"{interface} has no XDP program")
    even = {"server1": 5, "server2": 5}
    requests(lab.host("client"), f"http://{nat.VIP}/", expect=even, alternate=True)
    # What is not served stays the host's.
    lab.host("client").run("ping", "-c", "2", "-W", "1", nat.VIP, show=True)
    director.ctl("-Ln --stats")
    director.ctl("status")
    director.stop()
    for interface in ("eth0", "eth1"):
        if "prog/xdp" in lab.host("director").run("ip", "link", "show", "dev", interface):
            raise Failure(f"{interface} still has an XDP program")
