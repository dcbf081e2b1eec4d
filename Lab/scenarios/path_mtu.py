"""A narrow way to the servers by NAT, DR and TUN: with DF the client learns the MTU and goes on, without it is cut."""

from runner.bulk import counted, datagram, rules, start_bulk, upload
from runner.host import Failure
from runner.servers import quiet_about_vip, receive_ipip
from topologies import routed, switched

NARROW = 1400


def expect_narrow(lab, client, server, vip, mtu):
    """`vip` is reached by a way of `mtu` bytes to `server`, from the client's point of view."""
    headers = 48 if ":" in vip else 28
    ask = lambda count, df, told: datagram(client, vip, count, df, told)
    speed = upload(client, vip)
    learned = client.run("ip", "route", "get", vip)
    if f"mtu {mtu}" not in learned:
        raise Failure(f"the client has not learned that {mtu} is the path's MTU: {learned}")
    print(f"  8 MB by TCP arrive unharmed ({speed:.0f} MB/s), and the client has learned MTU {mtu}")
    # What TCP has taught the client is forgotten, so that a datagram has to find out by itself.
    client.run("ip", "-6" if ":" in vip else "-4", "route", "flush", "cache")
    ask(1500 - headers, True, f"too long {mtu}")
    ask(mtu - headers, True, "answered")
    if ":" in vip:
        # Nobody on the way cuts packets of IPv6; the client, which knows the MTU now, does.
        return ask(1500 - headers, False, "answered")
    client.run("ip", "route", "flush", "cache")
    whole = "Ip6ReasmOKs" if ":" in vip else "IpReasmOKs"
    before = counted(server, whole)
    ask(1500 - headers, False, "answered")
    ask(4000, False, "answered")
    if counted(server, whole) < before + 2:
        raise Failure("the server put no fragments together: nothing was cut")


def nat(lab):
    lab.build("routed")
    lab.host("client").gateway(routed.VIP6)
    server = lab.host("server1")
    start_bulk(server, "192.168.0.18", "2001:db8:168::18")
    host = lab.host("director")
    host.run("ip", "route", "change", "192.168.0.0/24", "dev", "eth1", "src", "192.168.0.8", "mtu", str(NARROW))
    host.run("ip", "-6", "route", "add", "2001:db8:168::/64", "dev", "eth1", "metric", "100", "mtu", str(NARROW))
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(rules(routed.VIP, ["192.168.0.18"], "-m"))
    director.configure(rules(f"[{routed.VIP6}]", ["[2001:db8:168::18]"], "-m"))
    expect_narrow(lab, lab.host("client"), server, routed.VIP, NARROW)
    expect_narrow(lab, lab.host("client"), server, routed.VIP6, NARROW)
    return director


def on_one_segment(lab, method, mtu, interface):
    lab.build("switched")
    host, server = lab.host("director"), lab.host("server1")
    host.address("eth0", f"{switched.VIP}/32")
    if interface == "tunnel":
        receive_ipip(server)
    quiet_about_vip(server, switched.VIP, interface)
    start_bulk(server, switched.VIP)
    host.run("ip", "route", "change", "192.168.0.0/24", "dev", "eth0", "src", "192.168.0.8", "mtu", str(NARROW))
    director = lab.director(interfaces=("eth0",))
    director.configure(rules(switched.VIP, ["192.168.0.18"], method))
    expect_narrow(lab, lab.host("client"), server, switched.VIP, mtu)
    return director


def run(lab):
    for what, play in (
        ("NAT", lambda: nat(lab)),
        ("DR", lambda: on_one_segment(lab, "-g", NARROW, "lo")),
        ("TUN", lambda: on_one_segment(lab, "-i", NARROW - 20, "tunnel")),
    ):
        print(f"-- {what}")
        director = play()
        director.ctl("status")
        lab.clear()
