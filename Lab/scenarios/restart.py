"""While a killed director is away its host does not answer for the VIP, and clients only wait."""

import time

from runner.client import requests
from runner.host import Failure, stop, until

from . import nat


def run(lab):
    nat.prepare_host(lab)
    rules = lab.file("rules")
    rules.write_text(nat.RULES)
    options = ("--rules", str(rules))
    director = lab.director(interfaces=("eth0", "eth1"), options=options)
    client = lab.host("client")
    url = f"http://{nat.VIP}/"
    requests(client, url, count=4)

    capture = lab.file("resets.pcap")
    watch = client.start(
        *("tcpdump", "-U", "-i", "eth0", "-w", str(capture)),
        "(tcp[tcpflags] & tcp-rst != 0 or icmp) and src host " + nat.VIP,
        log="tcpdump.log",
    )
    until(lambda: "listening" in lab.file("tcpdump.log").read_text(), "tcpdump to listen")

    director.kill()
    print("  the director is killed; a request begins")
    waiting = client.start(
        "curl", "-sS", "--max-time", "20", url, stdout=-1, stderr=-1, text=True
    )
    time.sleep(1.5)
    if waiting.poll() is not None:
        raise Failure("the request ended without a director: " + waiting.communicate()[1])
    director.start()
    page, complaint = waiting.communicate(timeout=30)
    if waiting.returncode != 0:
        raise Failure(f"the request that began without a director failed: {complaint}")
    print(f"  it is answered by {page.strip()} once the director is back")
    requests(client, url, expect={"server1": 5, "server2": 5})

    stop(watch)
    seen = client.run("tcpdump", "-n", "-r", str(capture))
    if seen.strip():
        raise Failure("the director's host answered for the VIP:\n" + seen)
    print("  no reset and no ICMP error came from the VIP")
