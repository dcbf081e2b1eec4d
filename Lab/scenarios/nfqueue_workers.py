"""NAT over two queues of netfilter with a worker each: both directions of a flow meet one worker; rules of one's own instead."""

import re

from runner.client import download, requests
from runner.host import Failure
from runner.servers import make_payload

from . import nat
from .nfqueue_nat import EVEN, expect_tables

OWN_RULES = f"""
    iptables -t mangle -A PREROUTING -d {nat.VIP} -p tcp --dport 80 -j NFQUEUE --queue-num 7
    iptables -t mangle -A FORWARD -s 192.168.0.0/24 -p tcp --sport 80 -j NFQUEUE --queue-num 7
"""


def run(lab):
    nat.prepare_host(lab)
    host, client = lab.host("director"), lab.host("client")
    payload = make_payload(lab)
    refused = host.attempt("director", "--interface", "nfqueue:0", "--workers", "2")
    if refused.returncode == 0 or "write nfqueue:0-1 or --workers 1" not in refused.stderr:
        raise Failure(f"two workers with one queue are not refused: {refused.stderr}")
    unprivileged = host.attempt(
        *("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"),
        *("director", "--interface", "nfqueue:0"),
    )
    if unprivileged.returncode == 0 or "needs CAP_NET_ADMIN" not in unprivileged.stderr:
        raise Failure(f"a missing privilege is not named: {unprivileged.stderr}")
    director = lab.director(interfaces=("nfqueue:0-1",), options=("--workers", "2"))
    director.configure(nat.RULES)
    for _ in range(4):
        requests(client, f"http://{nat.VIP}/", expect=EVEN, alternate=True)
    download(client, f"http://{nat.VIP}/payload", payload)
    status = director.ctl("status")
    shares = [int(number) for number in re.findall(r"(\d+) accepted with new contents", status)]
    if len(shares) != 2 or min(shares) < 50:
        raise Failure(f"the two queues got {shares} packets")
    director.stop()
    expect_tables(host, False)

    for line in OWN_RULES.strip().splitlines():
        host.run(*line.split(), show=True)
    director = lab.director(interfaces=("nfqueue:7",), options=("--no-queue-rules",))
    director.configure(nat.RULES)
    expect_tables(host, False)
    requests(client, f"http://{nat.VIP}/", expect=EVEN, alternate=True)
    director.ctl("status")
    director.stop()
