"""Two directors hold the same table, and only the one told to answers for the VIP."""

from runner.client import requests, who_has
from runner.host import Failure
from runner.servers import quiet_about_vip, start_nginx

from . import dr


def expect_answers(client, count):
    answers = who_has(client, dr.VIP)
    print(f"  who has {dr.VIP}? {', '.join(answers) or 'nobody answers'}")
    if len(answers) != count:
        raise Failure(f"expected {count} ARP answer(s) for the VIP, got {len(answers)}")
    return answers


def run(lab):
    lab.build("switched")
    client = lab.host("client")
    for name in ("server1", "server2"):
        quiet_about_vip(lab.host(name), dr.VIP, "lo")
        start_nginx(lab.host(name))
    standby = lab.director("director2", interfaces=("eth0",))
    standby.configure(dr.RULES)
    expect_answers(client, 0)

    owner = lab.director(interfaces=("eth0",), options=("--answer", dr.VIP))
    owner.configure(dr.RULES)
    answers = expect_answers(client, 1)
    hardware = owner.host.run("cat", "/sys/class/net/eth0/address").strip()
    if answers != [hardware]:
        raise Failure(f"the answer is not the owner's address {hardware}")
    even = {"server1": 5, "server2": 5}
    requests(client, f"http://{dr.VIP}/", expect=even, alternate=True)
    owner.ctl("-Ln --stats")
    standby.ctl("-Ln --stats")
