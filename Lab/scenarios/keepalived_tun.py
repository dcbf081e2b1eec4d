"""Two directors with keepalived as it is, by TUN: as keepalived-dr, and the servers hold the VIP on a tunnel device."""

from runner.servers import quiet_about_vip, receive_ipip
from topologies.switched import VIP

from .keepalived_dr import SERVERS, Pair, experiments


def run(lab):
    lab.build("switched")
    for name in SERVERS:
        receive_ipip(lab.host(name))
        quiet_about_vip(lab.host(name), VIP, "tunnel")
    experiments(Pair(lab, "TUN", VIP))
