"""One that appears after its rule is found by itself, and so is one whose hardware address changes."""

import time

from runner.client import get, requests
from runner.host import Failure, until

from . import nat


def works(client, url):
    """Whether both servers answer."""

    def both():
        try:
            return {get(client, url, seconds=2) for _ in range(2)} == {"server1", "server2"}
        except Failure:
            return False

    return both


def run(lab):
    nat.prepare_host(lab)
    late, client = lab.host("server2"), lab.host("client")
    url = f"http://{nat.VIP}/"
    late.run("ip", "link", "set", "eth0", "down")
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(nat.RULES)
    time.sleep(2)

    late.run("ip", "link", "set", "eth0", "up")
    late.gateway("192.168.0.8")
    began = time.monotonic()
    until(works(client, url), "the late server to be used", 20)
    print(f"  server2 appeared and was in use {time.monotonic() - began:.1f} s later")
    requests(client, url, expect={"server1": 5, "server2": 5})

    late.run("ip", "link", "set", "eth0", "down")
    late.run("ip", "link", "set", "eth0", "address", "02:00:5e:00:53:02")
    late.run("ip", "link", "set", "eth0", "up")
    late.gateway("192.168.0.8")
    # The first word it says makes its address known; from a silent one the kernel learns it within a minute.
    late.run("ping", "-c", "1", "-W", "5", "192.168.0.8")
    began = time.monotonic()
    until(works(client, url), "the server's new hardware address to be used", 10)
    print(f"  its new hardware address was in use {time.monotonic() - began:.1f} s later")
    requests(client, url, expect={"server1": 5, "server2": 5})
    director.ctl("status")
