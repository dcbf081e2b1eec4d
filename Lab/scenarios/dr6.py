"""DR over IPv6: the director only chooses the server's hardware address; servers hold the VIP and answer the client themselves."""

from runner.client import download, requests
from runner.servers import make_payload, start_nginx
from topologies.switched import VIP6

RULES = f"""
    -A -t [{VIP6}]:80 -s rr
    -a -t [{VIP6}]:80 -r [2001:db8:168::18]:80 -g
    -a -t [{VIP6}]:80 -r [2001:db8:168::28]:80 -g
"""
WEIGHTS = f"""
    -E -t [{VIP6}]:80 -s wrr
    -e -t [{VIP6}]:80 -r [2001:db8:168::18]:80 -g -w 3
    -e -t [{VIP6}]:80 -r [2001:db8:168::28]:80 -g -w 1
"""


def run(lab):
    lab.build("switched")
    client = lab.host("client")
    lab.host("director").address("eth0", f"{VIP6}/128")
    make_payload(lab)
    for name in ("server1", "server2"):
        # An address of the loopback device is not answered for on another: no more is needed.
        lab.host(name).address("lo", f"{VIP6}/128")
        start_nginx(lab.host(name))
    director = lab.director(interfaces=("eth0",))
    director.configure(RULES)
    requests(client, f"http://[{VIP6}]/", expect={"server1": 5, "server2": 5}, alternate=True)
    director.configure(WEIGHTS)
    requests(client, f"http://[{VIP6}]/", count=8, expect={"server1": 6, "server2": 2})
    download(client, f"http://[{VIP6}]/payload", expected=lab.file("payload"))
    director.ctl("-Ln --stats")
    director.stop()
