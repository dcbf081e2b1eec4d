"""Instructions for NAT as they are given: a script on the director with weighted round robin, then single commands."""

from runner.client import requests
from runner.files import director_of_instructions, script, type_in
from runner.host import Failure
from runner.servers import start_nginx

VIP = "172.16.254.200"
SCRIPT = f"""#! /bin/bash
# The director is a router that sends no redirects and masquerades what the servers begin.
echo 1 > /proc/sys/net/ipv4/ip_forward
for where in all default eth0 eth1
do
    echo 0 > /proc/sys/net/ipv4/conf/$where/send_redirects
done
iptables -t nat -F
iptables -t nat -X
iptables -t nat -A POSTROUTING -s 192.168.0.0/24 -j MASQUERADE
IPVSADM='/sbin/ipvsadm'
$IPVSADM -C
$IPVSADM -A -t {VIP}:80 -s wrr
$IPVSADM -a -t {VIP}:80 -r 192.168.0.18:80 -m -w 1
$IPVSADM -a -t {VIP}:80 -r 192.168.0.28:80 -m -w 1
"""
TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  172.16.254.200:80 wrr
  -> 192.168.0.18:80              Masq    1      0          0
  -> 192.168.0.28:80              Masq    1      0          0
"""
# The shortest way of saying it, and a service whose one server is reached by it on the same port.
GLUED = f"""
    ipvsadm -C
    ipvsadm -At {VIP}:80 -s rr
    ipvsadm -at {VIP}:80 -r 192.168.0.18 -m
    ipvsadm -at {VIP}:80 -r 192.168.0.28 -m
    ipvsadm -A -t {VIP}:7000 -s rr
    ipvsadm -a -t {VIP}:7000 -r 192.168.0.68:7000 -m
"""


def run(lab):
    lab.build("routed")
    host, client = director_of_instructions(lab), lab.host("client")
    for name in ("server1", "server2"):
        start_nginx(lab.host(name))
    start_nginx(lab.host("server3"), port=7000)
    director = lab.director(interfaces=("eth0", "eth1"))

    script(host, "/usr/local/sbin/lvs_nat.sh", SCRIPT)
    expect_table(host, TABLE)
    requests(client, f"http://{VIP}/", expect={"server1": 5, "server2": 5}, alternate=True)
    type_in(host, f"ipvsadm -e -t {VIP}:80 -r 192.168.0.28:80 -m -w 3")
    requests(client, f"http://{VIP}/", count=8, expect={"server1": 2, "server2": 6})

    type_in(host, GLUED)
    requests(client, f"http://{VIP}/", expect={"server1": 5, "server2": 5}, alternate=True)
    requests(client, f"http://{VIP}:7000/", count=3, expect={"server3": 3})
    requests(client, f"http://{VIP}:7000/client", count=1, expect={"172.16.254.10": 1})
    director.stop()


def expect_table(host, expected):
    """What `ipvsadm -ln` prints, to the letter apart from blanks at the ends of lines."""
    lines = host.run("ipvsadm", "-ln", show=True).splitlines()
    shown = "".join(line.rstrip() + "\n" for line in lines)
    if shown != expected:
        raise Failure(f"ipvsadm -ln should print\n{expected}and printed\n{shown}")
