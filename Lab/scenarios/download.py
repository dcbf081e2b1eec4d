"""100 MB through NAT, DR and TUN arrive unharmed."""

from runner.client import download
from runner.servers import make_payload

from . import dr, nat, tun


def run(lab):
    for method in (nat, dr, tun):
        director = method.prepare(lab)
        payload = make_payload(lab)
        download(lab.host("client"), f"http://{method.VIP}/payload", payload)
        director.ctl("-Ln --stats")
        lab.clear()
