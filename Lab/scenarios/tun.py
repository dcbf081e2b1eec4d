"""The director wraps packets in IPIP; servers hold the VIP on a tunnel device and answer the client themselves."""

from runner.client import requests
from runner.servers import quiet_about_vip, receive_ipip, start_nginx

VIP = "192.168.0.38"
RULES = f"""
    -A -t {VIP}:80 -s rr
    -a -t {VIP}:80 -r 192.168.0.18:80 -i
    -a -t {VIP}:80 -r 192.168.0.28:80 -i
"""


def start_servers(lab):
    """Servers that unwrap what comes in tunnels, and answer for the VIP inside."""
    for name in ("server1", "server2"):
        host = lab.host(name)
        receive_ipip(host)
        quiet_about_vip(host, VIP, "tunnel")
        start_nginx(host)


def prepare(lab, interfaces=("eth0",)):
    lab.build("switched")
    lab.host("director").address("eth0", f"{VIP}/32")
    start_servers(lab)
    director = lab.director(interfaces=interfaces)
    director.configure(RULES)
    return director


def run(lab):
    director = prepare(lab)
    even = {"server1": 5, "server2": 5}
    requests(lab.host("client"), f"http://{VIP}/", expect=even, alternate=True)
    director.ctl("-Ln --stats")
    director.stop()
