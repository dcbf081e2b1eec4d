"""AF_XDP with two workers: each has receive queues of its own, and too few of them are said at the start."""

from runner.client import download, requests
from runner.host import Failure
from runner.servers import make_payload
from runner.workers import TWO, expect_shared, need_two

from . import nat

INTERFACES = ("xdp:eth0", "xdp:eth1")


def run(lab):
    need_two()
    nat.prepare_host(lab)
    host = lab.host("director")
    told = host.attempt("director", "--interface", "xdp:eth0", *TWO, show=True)
    print(f"  {told.stderr.strip()}")
    if told.returncode == 0 or "ethtool -L eth0" not in told.stderr:
        raise Failure("one receive queue for two workers should be refused with the cure")
    switch = lab.host("switch")
    ends = [(lab.host("client"), "eth0"), (host, "eth0"), (host, "eth1"), (switch, "to-director")]
    for owner, interface in ends:
        owner.run("ethtool", "-L", interface, "rx", "2", "tx", "2", show=True)
    director = lab.director(interfaces=INTERFACES, options=TWO)
    director.configure(nat.RULES)
    client = lab.host("client")
    even = {"server1": 20, "server2": 20}
    requests(client, f"http://{nat.VIP}/", count=40, expect=even, alternate=True)
    expect_shared(director, least=20)
    download(client, f"http://{nat.VIP}/payload", make_payload(lab))
    director.ctl("status")
    director.stop()
