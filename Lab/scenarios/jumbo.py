"""MTU 9000 on every cable: long frames and super-frames by NAT and TUN; AF_XDP says what it makes of them."""

from runner.bulk import datagram, rules, start_bulk, upload
from runner.client import download
from runner.host import Failure
from runner.servers import make_payload, quiet_about_vip, receive_ipip, start_nginx
from topologies import routed, switched

MTU = 9000
HTTP = f"-A -t {routed.VIP}:80 -s rr\n-a -t {routed.VIP}:80 -r 192.168.0.18:80 -m"


def widen(lab):
    """Every interface of every host takes jumbo frames."""
    for host in lab.hosts.values():
        for line in host.run("ip", "-o", "link").splitlines():
            name = line.split(": ")[1].split("@")[0]
            if name != "lo":
                host.run("ip", "link", "set", name, "mtu", str(MTU))


COUNT = 20_000_000


def expect_jumbo(lab, director, vip, longest):
    client = lab.host("client")
    print(f"  {COUNT:,} bytes to the server: {upload(client, vip, COUNT):.0f} MB/s")
    datagram(client, vip, longest - 28, True, "answered")
    datagram(client, vip, 20_000, False, "answered")
    # Without super-frames each frame is a jumbo one.
    client.run("ethtool", "-K", "eth0", "tso", "off", "gso", "off", "tx", "off")
    print(f"  {COUNT:,} bytes in frames of {longest}: {upload(client, vip, COUNT):.0f} MB/s")
    status = director.ctl("status")
    for loss in ("made-frames-used-up", "truncated"):
        if loss in status:
            raise Failure(f"frames were lost: {loss}")


def nat(lab):
    lab.build("routed")
    widen(lab)
    server = lab.host("server1")
    start_bulk(server, "192.168.0.18")
    start_nginx(server)
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(rules(routed.VIP, ["192.168.0.18"], "-m"))
    director.configure(HTTP)
    download(lab.host("client"), f"http://{routed.VIP}/payload", make_payload(lab))
    expect_jumbo(lab, director, routed.VIP, MTU)
    director.stop()


def tun(lab):
    lab.build("switched")
    widen(lab)
    server = lab.host("server1")
    receive_ipip(server)
    server.run("ip", "link", "set", "tunnel", "mtu", str(MTU - 20))
    quiet_about_vip(server, switched.VIP, "tunnel")
    lab.host("director").address("eth0", f"{switched.VIP}/32")
    start_bulk(server, switched.VIP)
    director = lab.director(interfaces=("eth0",))
    director.configure(rules(switched.VIP, ["192.168.0.18"], "-i"))
    expect_jumbo(lab, director, switched.VIP, MTU - 20)
    director.stop()


def xdp(lab):
    """It either serves the interface and says how, or refuses it and says what to do."""
    lab.build("routed")
    widen(lab)
    host = lab.host("director")
    done = host.attempt("timeout", "--preserve-status", "2", "director", "--interface", "xdp:eth0", timeout=10)
    said = done.stderr.strip().splitlines()
    print("  xdp: " + said[0])
    if not any("xdp" in line.lower() and (str(MTU) in line or "generic" in line) for line in said):
        raise Failure(f"AF_XDP says nothing of MTU {MTU}: {said}")


def run(lab):
    for what in (nat, tun, xdp):
        print(f"-- {what.__name__}")
        what(lab)
        lab.clear()
