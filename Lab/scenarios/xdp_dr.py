"""DR over AF_XDP: frames leave with another hardware address, from the memory they came in."""

from runner.client import requests

from . import dr


def run(lab):
    dr.prepare_hosts(lab)
    director = lab.director(interfaces=("xdp:eth0",))
    director.configure(dr.RULES)
    client = lab.host("client")
    even = {"server1": 5, "server2": 5}
    requests(client, f"http://{dr.VIP}/", expect=even, alternate=True)
    director.configure(dr.WEIGHTS)
    requests(client, f"http://{dr.VIP}/", count=8, expect={"server1": 6, "server2": 2})
    director.ctl("-Ln --stats")
    director.stop()
