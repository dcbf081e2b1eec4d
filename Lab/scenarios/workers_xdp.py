"""AF_XDP with two workers: each has receive queues of its own, and too few of them are said at the start."""

from runner.client import download, requests
from runner.host import Failure, cable, until
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
    client = lab.host("client")
    widen((client, "eth0"), (host, "eth0"), (host, "eth1"), (lab.host("switch"), "to-director"))
    director = lab.director(interfaces=INTERFACES, options=TWO)
    director.configure(nat.RULES)
    even = {"server1": 20, "server2": 20}
    requests(client, f"http://{nat.VIP}/", count=40, expect=even, alternate=True)
    expect_shared(director, least=20)
    download(client, f"http://{nat.VIP}/payload", make_payload(lab))
    # The interface goes and comes back: with one queue first, with which it cannot be served.
    host.run("ip", "link", "del", "eth0")
    cable(client, "eth0", host, "eth0")
    widen((client, "eth0"), (host, "eth0"))
    client.address("eth0", "172.16.254.10/24")
    host.address("eth0", f"{nat.VIP}/24")
    until(lambda: director.told().count("eth0 is served again") == 1, "eth0 to be served again")
    requests(client, f"http://{nat.VIP}/", count=40, expect=even, alternate=True)
    director.ctl("status")
    director.stop()


def widen(*ends):
    """Gives both ends of cables a second queue."""
    for host, interface in ends:
        host.run("ethtool", "-L", interface, "rx", "2", "tx", "2", show=True)
