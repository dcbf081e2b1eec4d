"""The director only chooses the server's hardware address; servers hold the VIP and answer the client themselves."""

from runner.client import requests
from runner.servers import quiet_about_vip, start_nginx

VIP = "192.168.0.38"
RULES = f"""
    -A -t {VIP}:80 -s rr
    -a -t {VIP}:80 -r 192.168.0.18:80 -g
    -a -t {VIP}:80 -r 192.168.0.28:80 -g
"""
# Then the weights of the usual instructions: three requests to the first server for one to the second.
WEIGHTS = f"""
    -E -t {VIP}:80 -s wrr
    -e -t {VIP}:80 -r 192.168.0.18:80 -g -w 3
    -e -t {VIP}:80 -r 192.168.0.28:80 -g -w 1
"""


def prepare_hosts(lab):
    lab.build("switched")
    lab.host("director").set(ip_forward=1)
    lab.host("director").address("eth0", f"{VIP}/32")
    for name in ("server1", "server2"):
        quiet_about_vip(lab.host(name), VIP, "lo")
        start_nginx(lab.host(name))


def prepare(lab, interfaces=("eth0",), options=()):
    prepare_hosts(lab)
    director = lab.director(interfaces=interfaces, options=options)
    director.configure(RULES)
    return director


def run(lab):
    director = prepare(lab)
    client = lab.host("client")
    requests(client, f"http://{VIP}/", expect={"server1": 5, "server2": 5}, alternate=True)
    director.configure(WEIGHTS)
    requests(client, f"http://{VIP}/", count=8, expect={"server1": 6, "server2": 2})
    director.ctl("-Ln --stats")
    director.stop()
