"""Requests and answers pass the director, which rewrites addresses."""

from runner.client import requests
from runner.servers import start_nginx

VIP = "172.16.254.200"
RULES = f"""
    -A -t {VIP}:80 -s wrr
    -a -t {VIP}:80 -r 192.168.0.18:80 -m -w 1
    -a -t {VIP}:80 -r 192.168.0.28:80 -m -w 1
"""


def prepare_host(lab):
    """The director's host as the usual instructions for NAT leave it: a router that also masquerades."""
    lab.build("routed")
    host = lab.host("director")
    host.set(ip_forward=1, conf__all__send_redirects=0, conf__default__send_redirects=0)
    host.set(conf__eth0__send_redirects=0, conf__eth1__send_redirects=0)
    host.run(
        *("iptables", "-t", "nat", "-A", "POSTROUTING"),
        *("-s", "192.168.0.0/24", "-j", "MASQUERADE"),
        show=True,
    )
    for name in ("server1", "server2"):
        start_nginx(lab.host(name))


def prepare(lab, options=(), rules=RULES):
    prepare_host(lab)
    director = lab.director(interfaces=("eth0", "eth1"), options=options)
    director.configure(rules)
    return director


def run(lab):
    director = prepare(lab)
    even = {"server1": 5, "server2": 5}
    requests(lab.host("client"), f"http://{VIP}/", expect=even, alternate=True)
    director.ctl("-Ln --stats")
    director.ctl("-Lnc")
    director.stop()
