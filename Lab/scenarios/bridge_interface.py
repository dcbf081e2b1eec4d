"""The director's interface is a bridge of its own host: client and servers hang on its ports."""

from runner.client import download, requests
from runner.host import Failure
from runner.servers import make_payload, quiet_about_vip, start_nginx
from topologies.bridged import ROUTED_VIP, VIP

RULES = f"""
    -A -t {ROUTED_VIP}:80 -s rr
    -a -t {ROUTED_VIP}:80 -r 192.168.0.18:80 -m
    -a -t {ROUTED_VIP}:80 -r 192.168.0.28:80 -m
    -A -t {VIP}:80 -s rr
    -a -t {VIP}:80 -r 192.168.0.18:80 -g
    -a -t {VIP}:80 -r 192.168.0.28:80 -g
"""


def prepare(lab):
    lab.build("bridged")
    lab.host("director").set(ip_forward=1, conf__all__send_redirects=0, conf__br0__send_redirects=0)
    for name in ("server1", "server2"):
        lab.host(name).gateway("192.168.0.8")
        quiet_about_vip(lab.host(name), VIP, "lo")
        start_nginx(lab.host(name))


def serve(lab, interfaces):
    """NAT and DR over the interfaces that the director chooses or is told."""
    client = lab.host("client")
    director = lab.director(interfaces=interfaces)
    director.configure(RULES)
    for vip in (ROUTED_VIP, VIP):
        requests(client, f"http://{vip}/", count=6, expect={"server1": 3, "server2": 3}, alternate=True)
    return director


def run(lab):
    prepare(lab)
    payload, client = make_payload(lab), lab.host("client")
    director = serve(lab, ("br0",))
    download(client, f"http://{ROUTED_VIP}/payload", payload)
    # What is not the director's is bridged past it as ever.
    client.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "192.168.0.18")
    if director.ctl("status", show=False).count("br0: afpacket") != 1:
        raise Failure("status does not name the bridge")
    director.stop()
    # Without being told, it takes the bridge and leaves its ports alone.
    director = serve(lab, ())
    served = director.ctl("status")
    if "br0: " not in served or "to-client: " in served:
        raise Failure("without --interface the bridge's ports are served, or the bridge is not")
    director.stop()
