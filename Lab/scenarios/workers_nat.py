"""NAT with two workers: requests and answers, fragments and 100 MB find their way, whoever takes them."""

from runner.client import download, requests
from runner.servers import make_payload
from runner.workers import TWO, expect_shared, need_two

from . import nat, udp


def run(lab):
    need_two()
    director = nat.prepare(lab, options=TWO)
    client = lab.host("client")
    even = {"server1": 20, "server2": 20}
    requests(client, f"http://{nat.VIP}/", count=40, expect=even, alternate=True)
    expect_shared(director, least=40)
    download(client, f"http://{nat.VIP}/payload", make_payload(lab))
    director.configure(udp.RULES)
    udp.exchange(lab, sizes=(1, 1400, 4000, 9000))
    director.ctl("-Ln --stats")
    director.ctl("status")
    director.stop()
