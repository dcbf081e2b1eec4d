"""FULLNAT over a queue of netfilter, with local addresses of the host, on one that forwards and on one that does not."""

from runner.client import download, get, requests
from runner.host import Failure
from runner.servers import make_payload
from topologies.distant import HOSTS_LOCAL, LOCAL, SERVERS, SERVERS6, VIP, VIP6

from . import fullnat

HOSTS_LOCAL6 = "2001:db8:168::8"
RULES = (
    "set fullnat_lport_max=30000\n"
    + fullnat.rules(VIP, SERVERS.values(), HOSTS_LOCAL)
    + fullnat.rules(VIP6, SERVERS6.values(), HOSTS_LOCAL6)
)


def run(lab):
    for forwards in (1, 0):
        play(lab, ("nfqueue:0",), forwards)
        lab.clear()


def play(lab, interfaces, forwards=0):
    director = fullnat.prepare(lab, text="", interfaces=interfaces)
    host, client = lab.host("director"), lab.host("client")
    host.set(ip_forward=forwards, ip_local_port_range="32768 60999")
    host.set6(conf__all__forwarding=forwards)
    host.run("ip", "-6", "route", "replace", "2001:db8:254::/64", "dev", "eth0")
    host.run("ip", "-6", "route", "replace", "2001:db8:169::/64", "via", "2001:db8:168::1")
    director.stop()
    director.start()
    director.configure(RULES)
    payload = make_payload(lab)
    for vip in (VIP, f"[{VIP6}]"):
        requests(client, f"http://{vip}/", expect=fullnat.EVEN, alternate=True)
        download(client, f"http://{vip}/payload", payload)
    # The host's own connections to the same servers and ports.
    for name, address in SERVERS.items():
        if get(host, f"http://{address}/") != name:
            raise Failure("the host's own request was lost")
    director.ctl(f"-P -t {VIP}:80 -z {LOCAL}")
    if LOCAL not in director.told() or "ARP" not in director.told():
        raise Failure("nothing says that nobody answers for a local address that the host does not have")
    print(director.told().splitlines()[-1])
    director.ctl("-Ln --stats")
    director.ctl("status")
    director.stop()
