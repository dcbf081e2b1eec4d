"""Instructions for tunnels: the director with an alias for the VIP, the servers with a tunnel device, -i."""

from runner.client import requests
from runner.files import director_of_instructions, script

from .tun import VIP, start_servers
from .tutorial_nat import expect_table

DIRECTOR = f"""#!/bin/bash
vip={VIP}
ifconfig eth0:0 $vip broadcast $vip netmask 255.255.255.255 up
route add -host $vip dev eth0:0
ipvsadm -C
ipvsadm -A -t $vip:80 -s rr
ipvsadm -a -t $vip:80 -r 192.168.0.18 -i
ipvsadm -a -t $vip:80 -r 192.168.0.28 -i
"""
TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  192.168.0.38:80 rr
  -> 192.168.0.18:80              Tunnel  1      0          0
  -> 192.168.0.28:80              Tunnel  1      0          0
"""


def run(lab):
    lab.build("switched")
    host = director_of_instructions(lab)
    start_servers(lab)
    director = lab.director(interfaces=("eth0",))
    script(host, "/usr/local/sbin/lvs_tun.sh", DIRECTOR)
    expect_table(host, TABLE)
    requests(lab.host("client"), f"http://{VIP}/", expect={"server1": 5, "server2": 5}, alternate=True)
    director.stop()
