"""Two workers without CAP_BPF: requests and answers of a connection meet different ones, and nothing is lost or late."""

from runner.client import download, requests
from runner.host import Failure
from runner.servers import make_payload
from runner.workers import TWO, expect_shared, need_two

from . import nat, workers_order

# All that packet sockets and the host's side need.
LESS = ("setpriv", "--bounding-set=-all,+net_admin,+net_raw,+chown", "--inh-caps=-all")
SHARED = "shared by a hash of both ends (CAP_BPF is missing)"


def run(lab):
    need_two()
    nat.prepare_host(lab)
    director = lab.director(interfaces=("eth0", "eth1"), options=TWO, under=LESS)
    director.configure(nat.RULES)
    if SHARED not in director.ctl("status"):
        raise Failure(f"the status should say: {SHARED}")
    even = {"server1": 20, "server2": 20}
    requests(lab.host("client"), f"http://{nat.VIP}/", count=40, expect=even, alternate=True)
    download(lab.host("client"), f"http://{nat.VIP}/payload", make_payload(lab))
    expect_shared(director, least=40)
    director.stop()
    lab.clear()
    workers_order.watch(lab, under=LESS)
