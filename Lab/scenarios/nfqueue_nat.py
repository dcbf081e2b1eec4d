"""NAT over a queue of netfilter, IPv4 and IPv6, on a host that forwards and on one that does not; super-frames stay whole."""

import re

from runner.client import download, requests
from runner.host import Failure, until
from runner.servers import make_payload
from topologies.routed import VIP6

from . import nat

RULES = nat.RULES.rstrip() + f"""
    -A -t [{VIP6}]:80 -s wrr
    -a -t [{VIP6}]:80 -r [2001:db8:168::18]:80 -m -w 1
    -a -t [{VIP6}]:80 -r [2001:db8:168::28]:80 -m -w 1
"""
EVEN = {"server1": 5, "server2": 5}
WAYS = {
    "untouched": r"(\d+) accepted as they came",
    "rewritten": r"(\d+) accepted with new contents",
    "sent": r"(\d+) sent by packet sockets",
}


def ways(director):
    """How many packets went back which way."""
    status = director.ctl("status", show=False)
    return {name: int(re.search(pattern, status)[1]) for name, pattern in WAYS.items()}


def expect_tables(host, there):
    """The director's tables stand in netfilter, or none does."""
    tables = host.run("nft", "list", "tables").split("\n")
    found = [f"table {family} director" in tables for family in ("ip", "ip6")]
    if found != [there, there]:
        raise Failure(f"the director's nft tables are {'not ' if there else ''}there:\n{tables}")


def expect_whole(director):
    """Super-frames came whole: packets were far longer than an MTU on average."""
    status = director.ctl("status")
    sizes = [int(size) // max(1, int(count)) for count, size in re.findall(r"in  (\d+) frames, (\d+) bytes", status)]
    if max(sizes) < 3000:
        raise Failure(f"packets of {sizes} bytes on average: super-frames do not come whole")
    if "lost:" in status or "refused" in status:
        raise Failure("the queue lost packets")


def run(lab):
    nat.prepare_host(lab)
    host, client = lab.host("director"), lab.host("client")
    host.set6(conf__all__forwarding=1)
    payload = make_payload(lab)
    director = lab.director(interfaces=("nfqueue:0",))
    director.configure(RULES)
    expect_tables(host, True)
    for vip in (nat.VIP, f"[{VIP6}]"):
        requests(client, f"http://{vip}/", expect=EVEN, alternate=True)
        download(client, f"http://{vip}/payload", payload)
    # What is not served stays the host's.
    client.run("ping", "-c", "2", "-W", "1", nat.VIP, show=True)
    expect_whole(director)
    forwarded = ways(director)
    if forwarded["rewritten"] < 100:
        raise Failure(f"the kernel's forwarding was not used: {forwarded}")

    host.set(ip_forward=0)
    host.set6(conf__all__forwarding=0)
    host.run("ip", "-6", "route", "replace", "2001:db8:254::/64", "dev", "eth0")
    until(lambda: "hook forward" in host.run("nft", "list", "ruleset"), "chains")
    until(lambda: not re.search(r"chain forward \{[^}]*jump", host.run("nft", "list", "ruleset")), "replies to be led")
    for vip in (nat.VIP, f"[{VIP6}]"):
        requests(client, f"http://{vip}/", expect=EVEN, alternate=True)
        download(client, f"http://{vip}/payload", payload)
    unforwarded = ways(director)
    if unforwarded["sent"] - forwarded["sent"] < 100:
        raise Failure(f"packet sockets were not used: {forwarded}, then {unforwarded}")
    director.ctl("-Ln --stats")
    director.ctl("status")
    director.stop()
    expect_tables(host, False)
