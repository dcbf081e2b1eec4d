"""DR with two workers, which share the one interface."""

from runner.client import download, requests
from runner.servers import make_payload
from runner.workers import TWO, expect_shared, need_two

from . import dr


def run(lab):
    need_two()
    director = dr.prepare(lab, options=TWO)
    client = lab.host("client")
    even = {"server1": 20, "server2": 20}
    requests(client, f"http://{dr.VIP}/", count=40, expect=even, alternate=True)
    expect_shared(director, least=20)
    download(client, f"http://{dr.VIP}/payload", make_payload(lab))
    director.ctl("-Ln --stats")
    director.stop()
