"""Two directors with keepalived as it is, by NAT: as keepalived-dr, and the servers' gateway moves with the VIP."""

from topologies.pair import GATEWAY, VIP

from .keepalived_dr import Pair, experiments


def run(lab):
    lab.build("pair")
    addresses = (f"{VIP}/24", f"{GATEWAY}/24 dev eth1")
    experiments(Pair(lab, "NAT", VIP, interfaces=("eth0", "eth1"), addresses=addresses))
