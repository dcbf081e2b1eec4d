"""100 MB arrive unharmed by NAT over AF_XDP, alone and beside packet sockets, which take super-frames whole."""

from runner.client import download
from runner.host import Failure
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
        for name in interfaces:
            # The client and the servers are at virtual cables, and the servers send in bulk.
            wanted = 1 if name == "xdp:eth1" else 0
            count = director.told().count(f"use afpacket:{name.removeprefix('xdp:')}")
            if name.startswith("xdp:") and count != wanted:
                raise Failure(f"the advice on bulk TCP for {name} was given {count} times:\n" + director.told())
        director.stop()
        lab.clear()
