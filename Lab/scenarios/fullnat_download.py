"""100 MB through FULLNAT arrive unharmed, over both families, with one worker and with two."""

from runner.client import download
from runner.servers import make_payload
from topologies.distant import VIP, VIP6

from . import fullnat

LONG = True


def run(lab):
    for workers in (1, 2):
        director = fullnat.prepare(lab, options=("--workers", str(workers)))
        payload = make_payload(lab)
        for vip in (VIP, f"[{VIP6}]"):
            download(lab.host("client"), f"http://{vip}/payload", payload)
        director.ctl("-Ln --stats")
        director.stop()
        lab.clear()
