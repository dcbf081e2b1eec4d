"""Instructions for direct routing as they are given: scripts with ifconfig and route, weights 3 and 1."""

from runner.client import requests
from runner.files import director_of_instructions, own_files, script, type_in, write
from runner.servers import start_nginx

from .tutorial_nat import expect_table

VIP = "192.168.0.38"
DIRECTOR = f"""#!/bin/bash
echo 1 > /proc/sys/net/ipv4/ip_forward
ipv=/sbin/ipvsadm
vip={VIP}
rs1=192.168.0.18
rs2=192.168.0.28
ifconfig eth0:0 down
ifconfig eth0:0 $vip broadcast $vip netmask 255.255.255.255 up
route add -host $vip dev eth0:0
$ipv -C
$ipv -A -t $vip:80 -s wrr
$ipv -a -t $vip:80 -r $rs1:80 -g -w 3
$ipv -a -t $vip:80 -r $rs2:80 -g -w 1
"""
SERVER = f"""#!/bin/bash
vip={VIP}
ifconfig lo:0 $vip broadcast $vip netmask 255.255.255.255 up
route add -host $vip lo:0
for where in lo all
do
    echo "1" > /proc/sys/net/ipv4/conf/$where/arp_ignore
    echo "2" > /proc/sys/net/ipv4/conf/$where/arp_announce
done
"""
# The other way of the instructions: settings in a file, and only then the address.
SETTINGS = "".join(
    f"net.ipv4.conf.{where}.{name} = {value}\n"
    for where in ("eth0", "all")
    for name, value in (("arp_announce", 2), ("arp_ignore", 1))
)
BY_HAND = f"""
    sysctl -p
    ifconfig lo:0 {VIP} netmask 255.255.255.255 up
    route add -host {VIP} dev lo:0
"""
# One server, another port, the shortest way of saying it.
GLUED = f"""
    ipvsadm -C
    ipvsadm -At {VIP}:81 -s rr
    ipvsadm -at {VIP}:81 -r 192.168.0.18 -g
"""
TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.0.38:80 wrr
  -> 192.168.0.18:80              Route   3      0          0
  -> 192.168.0.28:80              Route   1      0          0
"""


def run(lab):
    lab.build("switched")
    host = director_of_instructions(lab)
    for name in ("server1", "server2"):
        server = lab.host(name)
        own_files(server)
        if name == "server1":
            script(server, "/usr/local/sbin/lvs_dr_rs.sh", SERVER)
        else:
            write(server, "/etc/sysctl.conf", SETTINGS)
            type_in(server, BY_HAND)
        start_nginx(server, more="listen 81;")
    director = lab.director(interfaces=("eth0",))
    # The alias that it first takes down is not there yet.
    script(host, "/usr/local/sbin/lvs_dr.sh", DIRECTOR, expected="SIOCSIFFLAGS: Cannot assign requested address")
    expect_table(host, TABLE)
    requests(lab.host("client"), f"http://{VIP}/", count=40, expect={"server1": 30, "server2": 10})
    host.run("ipvsadm", "-Ln", "--stats", show=True)
    type_in(host, GLUED)
    requests(lab.host("client"), f"http://{VIP}:81/", count=4, expect={"server1": 4})
    director.stop()
