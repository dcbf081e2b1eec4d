"""A director with one interface by NAT, DR and TUN at once, and a virtual address that no host has configured."""

from runner.client import get, requests, who_has
from runner.host import Failure
from runner.servers import quiet_about_vip, receive_ipip, start_nginx

# Both networks on one switch, as in a data centre with one cable to each machine.
OUTSIDE, INSIDE = "172.16.254.8", "192.168.0.8"
VIPS = {"-m": "172.16.254.200", "-g": "172.16.254.201", "-i": "172.16.254.202"}
UNCONFIGURED = "172.16.254.210"
SERVERS = {"server1": "192.168.0.18", "server2": "192.168.0.28"}
EVEN = {"server1": 4, "server2": 4}


def rules(vip, method):
    return f"-A -t {vip}:80 -s rr\n" + "\n".join(f"-a -t {vip}:80 -r {server}:80 {method}" for server in SERVERS.values())


def put_on_one_segment(lab):
    """Clients and servers in networks of their own, on one switch; the director is in both by one interface."""
    lab.build("switched")
    client, host = lab.host("client"), lab.host("director")
    client.run("ip", "address", "flush", "dev", "eth0", "scope", "global")
    client.address("eth0", "172.16.254.10/24")
    host.address("eth0", f"{OUTSIDE}/24", *(f"{vip}/32" for vip in VIPS.values()))
    host.set(ip_forward=1, conf__all__send_redirects=0, conf__eth0__send_redirects=0)
    for name in SERVERS:
        server = lab.host(name)
        receive_ipip(server)
        quiet_about_vip(server, VIPS["-g"], "lo")
        quiet_about_vip(server, VIPS["-i"], "tunnel")
        # Answers of DR and TUN, whose source is the VIP, go straight to the client, those of NAT by the director.
        server.run("ip", "route", "add", "172.16.254.0/24", "dev", "eth0")
        server.run("ip", "rule", "add", "from", SERVERS[name], "lookup", "100")
        server.run("ip", "route", "add", "default", "via", INSIDE, "table", "100")
        start_nginx(server)


def run(lab):
    put_on_one_segment(lab)
    client, host = lab.host("client"), lab.host("director")
    director = lab.director(interfaces=("eth0",), options=("--answer", UNCONFIGURED))
    for method, vip in VIPS.items():
        director.configure(rules(vip, method))
        requests(client, f"http://{vip}/", count=8, expect=EVEN, alternate=True)

    # Nobody else on the segment answers for it, and the director says so in its own name.
    mine = host.run("cat", "/sys/class/net/eth0/address").strip()
    answers = who_has(client, UNCONFIGURED)
    if answers != [mine]:
        raise Failure(f"{UNCONFIGURED} is answered for by {answers}, and not by {mine} alone")
    director.configure(rules(UNCONFIGURED, "-m"))
    requests(client, f"http://{UNCONFIGURED}/", count=8, expect=EVEN, alternate=True)

    # What the host itself is asked for on the same interface is its own as ever.
    client.run("ping", "-c", "2", "-i", "0.2", "-W", "2", OUTSIDE)
    start_nginx(host, port=8080)
    if get(client, f"http://{OUTSIDE}:8080/") != "director":
        raise Failure("the host's own server does not answer beside the services")
    director.ctl("-Ln --stats")
    director.stop()
