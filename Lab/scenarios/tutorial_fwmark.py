"""Services by firewall mark as the usual instructions set them up: marks by the host's own iptables, followed at once."""

from runner.client import requests
from runner.host import Failure, until
from runner.servers import quiet_about_vip, start_nginx
from topologies.tutorial import HOSTS, VIP, VIP6

ONE_BY_ONE = f"""
    iptables -t mangle -A PREROUTING -p tcp --dport 80 -d {VIP} -j MARK --set-mark 10
    iptables -t mangle -A PREROUTING -p tcp --dport 443 -d {VIP} -j MARK --set-mark 10
    ipvsadm -A -f 10 -s rr
    ipvsadm -a -f 10 -r 192.168.10.200
    ipvsadm -a -f 10 -r 192.168.10.201
"""
MULTIPORT = f"""
    iptables -t mangle -F
    ipvsadm -C
    iptables -t mangle -A PREROUTING -d {VIP} -p tcp -m multiport --dports 443,80 -j MARK --set-mark 3
    ipvsadm -A -f 3 -s rr
    ipvsadm -a -f 3 -r 192.168.10.200 -g -w 1
    ipvsadm -a -f 3 -r 192.168.10.201 -g -w 1
"""
# A whole network that is local by its mark alone; the director is the client's way there.
NETWORK = "172.30.0.0/16"
BY_ROUTE = f"""
    iptables -t mangle -F
    ipvsadm -C
    ip rule add fwmark 1 lookup 100
    ip route add local 0.0.0.0/0 dev lo table 100
    iptables -t mangle -A PREROUTING -p tcp --dport 80 -j MARK --set-mark 1
    ipvsadm -A -f 1 -s rr
    ipvsadm -a -f 1 -r 192.168.10.200 -g
    ipvsadm -a -f 1 -r 192.168.10.201 -g
"""
# The same over IPv6.
VERSION_6 = f"""
    ip6tables -t mangle -A PREROUTING -d {VIP6} -p tcp -m multiport --dports 443,80 -j MARK --set-mark 3
    ipvsadm -A -f 3 -6 -s rr
    ipvsadm -a -f 3 -6 -r fd00:10::200 -g
    ipvsadm -a -f 3 -6 -r fd00:10::201 -g
"""
BOTH = {"server1": 5, "server2": 5}


def prepare_hosts(lab):
    lab.build("tutorial")
    lab.host("director").set(ip_forward=1)
    for name in ("server1", "server2"):
        quiet_about_vip(lab.host(name), VIP, "lo")
        lab.host(name).run("ip", "address", "add", f"{VIP6}/128", "dev", "lo", "nodad")
        lab.host(name).run("ip", "route", "add", "local", NETWORK, "dev", "lo")
        start_nginx(lab.host(name))


def prepare(lab):
    prepare_hosts(lab)
    return lab.director(interfaces=("eth0",))


def type_in(director, text):
    """Every line as it stands in the instructions; directorctl is their ipvsadm."""
    for line in text.strip().splitlines():
        words = line.split()
        if words[0] == "ipvsadm":
            director.ctl(" ".join(words[1:]))
        else:
            director.host.run(*words, show=True)


def expect_followed(director, text, seconds=2):
    """The director knows the rule before two seconds are over."""
    known = lambda: text in director.ctl("mark -L", show=False)
    until(known, f"mark -L to show {text!r}", seconds=seconds)


def expect_refused(client, address):
    """Nobody balances this any more; the director's host has no server of its own."""
    refused = lambda: client.attempt("curl", "-sS", "--max-time", "1", f"http://{address}/").returncode != 0
    until(refused, f"requests to {address} to fail", seconds=4)


def run(lab):
    director = prepare(lab)
    client = lab.host("client")

    type_in(director, ONE_BY_ONE)
    expect_followed(director, "--dport 443 -j MARK")
    director.ctl("mark -L")
    requests(client, f"http://{VIP}/", expect=BOTH, alternate=True)
    director.host.run(
        *f"iptables -t mangle -D PREROUTING -p tcp --dport 80 -d {VIP} -j MARK --set-mark 10".split(), show=True
    )
    expect_refused(client, VIP)

    type_in(director, MULTIPORT)
    expect_followed(director, "-m multiport --dports 443,80 -j MARK")
    requests(client, f"http://{VIP}/", expect=BOTH, alternate=True)
    director.host.run(*"iptables -t mangle -A PREROUTING -m string --algo bm --string x -j MARK --set-mark 9".split())
    director.host.run(*"iptables -t mangle -A PREROUTING -m ttl --ttl-eq 3 -j MARK --set-mark 9".split())
    until(lambda: "match 'ttl' is not supported" in director.ctl("status", show=False), "status to name the rule", 2)
    director.ctl("status")
    refusal = director.host.attempt(
        *"directorctl mark -D -p tcp -m multiport --dports 443,80 -j MARK --set-mark 3".split(), *("-d", VIP)
    )
    if refusal.returncode == 0 or "the host's own" not in refusal.stderr:
        raise Failure(f"a rule of the host is not explained: {refusal.stderr}")

    type_in(director, VERSION_6)
    expect_followed(director, "# ip6tables: -A PREROUTING -d fd00:10::101/128")
    requests(client, f"http://[{VIP6}]/", expect=BOTH, alternate=True)

    type_in(director, BY_ROUTE)
    expect_followed(director, "--set-xmark 0x1/")
    client.run("ip", "route", "add", NETWORK, "via", HOSTS["director"])
    requests(client, "http://172.30.4.5/", expect=BOTH, alternate=True)
    # The host keeps what is not marked, and answers for itself what is marked and not balanced.
    client.run("ping", "-c", "1", "-W", "2", HOSTS["director"])
    director.ctl("-Ln --stats")
    type_in(director, "iptables -t mangle -F PREROUTING\nip6tables -t mangle -F PREROUTING")
    until(lambda: not director.ctl("mark -L", show=False), "mark -L to be empty", 2)
    director.stop()

