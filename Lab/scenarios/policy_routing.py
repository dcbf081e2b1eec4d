"""The host's policy rules decide where replies and requests go: `ip rule from`, `to`, tables, `throw` and `blackhole`."""

from runner.bulk import counted
from runner.client import get, requests
from runner.host import Failure, until
from runner.servers import start_nginx
from topologies.two_ways import ROUTERS, VIP

RULES = f"""
    -A -t {VIP}:80 -s rr
    -a -t {VIP}:80 -r 192.168.0.18:80 -m
    -a -t {VIP}:80 -r 10.77.0.28:80 -m
"""
URL = f"http://{VIP}/"


def forwarded(lab):
    return {name: counted(lab.host(name), "IpForwDatagrams") for name in ROUTERS}


def way_of_replies(lab):
    """By which router a request's replies came; the request itself comes by the first."""
    before = forwarded(lab)
    get(lab.host("client"), URL)
    after = forwarded(lab)
    more = {name: after[name] - before[name] for name in ROUTERS}
    if more["router1"] == 0:
        raise Failure("the request did not come by router1: nothing is shown")
    # A request is five packets and more; as many again when the replies come by the same way.
    return "router2" if more["router2"] >= 4 else "router1"


def expect_way(lab, router, why):
    until(lambda: way_of_replies(lab) == router, f"replies to go by {router} ({why})", 5)
    if way_of_replies(lab) != router:
        raise Failure(f"{why}: replies do not go by {router}")
    print(f"  {why}: replies go by {router}")


def run(lab):
    lab.build("two_ways")
    host, client = lab.host("director"), lab.host("client")
    host.set(ip_forward=1)
    for name in ("server1", "server2"):
        start_nginx(lab.host(name))
    # The second server is known in a table of its own, and to the main table as what cannot be reached.
    host.run(*"ip route add blackhole 10.77.0.0/16".split(), show=True)
    host.run(*"ip route add 10.77.0.28 via 192.168.0.28 table 101".split(), show=True)
    host.run(*"ip rule add to 10.77.0.0/16 lookup 101 priority 1000".split(), show=True)
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(RULES)

    requests(client, URL, expect={"server1": 5, "server2": 5}, alternate=True)
    expect_way(lab, "router1", "without a rule")
    host.run(*"ip route add default via 172.16.254.2 table 100".split(), show=True)
    host.run(*f"ip rule add from {VIP} lookup 100 priority 1001".split(), show=True)
    expect_way(lab, "router2", f"from {VIP} lookup 100")
    host.run(*"ip route add throw 10.9.0.0/24 table 100".split(), show=True)
    expect_way(lab, "router1", "with throw in table 100")
    host.run(*"ip route del throw 10.9.0.0/24 table 100".split(), show=True)
    expect_way(lab, "router2", "without throw")
    requests(client, URL, expect={"server1": 5, "server2": 5}, alternate=True)
    host.run(*"ip rule del priority 1001".split(), show=True)
    expect_way(lab, "router1", "after the rule was deleted")

    # A rule for somebody else's packets changes nothing; one that cannot be followed is named.
    host.run(*"ip rule add from 172.16.254.201 lookup 100 priority 1002".split(), show=True)
    host.run(*"ip rule add iif eth1 lookup 100 priority 1003".split(), show=True)
    host.run(*"ip rule add fwmark 7 lookup 100 priority 1004".split(), show=True)
    expect_way(lab, "router1", "with rules for others")
    status = until(lambda: (text := director.ctl("status", show=False)) and "1004" in text and text, "status to name the rule")
    if "1002" in status or "1003" in status or "10.77.0.28" in status:
        raise Failure(f"status complains of rules that are followed:\n{status}")
    host.run(*"ip rule del priority 1000".split(), show=True)
    until(lambda: "10.77.0.28: the route is a blackhole" in director.ctl("status", show=False), "status to name the server")
    print("  a server whose rule is gone is named by status, and so is the rule that is not followed")
    director.stop()
