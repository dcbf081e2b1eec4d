"""The tutorials' services by mark with the marks of netfilter itself, over a queue: iptables before and after the director."""

from runner.client import requests
from runner.host import until
from topologies.tutorial import HOSTS, VIP, VIP6

from . import tutorial_fwmark as lesson
from .nfqueue_nat import expect_tables

# As the lesson has it, and a rule whose words the director itself does not know.
MARK = f"iptables -t mangle -{{}} PREROUTING -d {VIP} -p tcp --dport 80 -j MARK --set-mark 1"
UNKNOWN = f"iptables -t mangle -{{}} PREROUTING -d {VIP} -p tcp --dport 80 -m ttl --ttl-gt 1 -j MARK --set-mark 8"
SERVICE = """
    ipvsadm -A -f {0} -s rr
    ipvsadm -a -f {0} -r 192.168.10.200 -g
    ipvsadm -a -f {0} -r 192.168.10.201 -g
"""


def run(lab):
    lesson.prepare_hosts(lab)
    host, client = lab.host("director"), lab.host("client")
    url = f"http://{VIP}/"
    # The marks stand first.
    host.run(*MARK.format("A").split(), show=True)
    director = lab.director(interfaces=("nfqueue:0",))
    lesson.type_in(director, SERVICE.format(1))
    requests(client, url, expect=lesson.BOTH, alternate=True)
    # Without the mark the host answers for itself.
    host.run(*MARK.format("D").split(), show=True)
    lesson.expect_refused(client, VIP)
    # And they come while the director runs, behind its own chain in time.
    host.run(*MARK.format("A").split(), show=True)
    requests(client, url, expect=lesson.BOTH, alternate=True)
    director.ctl("-C")
    lesson.type_in(director, SERVICE.format(8))
    lesson.expect_refused(client, VIP)
    host.run(*UNKNOWN.format("A").split(), show=True)
    requests(client, url, expect=lesson.BOTH, alternate=True)
    director.ctl("status")
    director.ctl("-C")
    for table in ("iptables", "ip6tables"):
        host.run(table, "-t", "mangle", "-F", "PREROUTING")

    for text, wanted in ((lesson.ONE_BY_ONE, url), (lesson.MULTIPORT, url), (lesson.VERSION_6, f"http://[{VIP6}]/")):
        lesson.type_in(director, text)
        requests(client, wanted, expect=lesson.BOTH, alternate=True)
    lesson.type_in(director, lesson.BY_ROUTE)
    client.run("ip", "route", "add", lesson.NETWORK, "via", HOSTS["director"])
    requests(client, "http://172.30.4.5/", expect=lesson.BOTH, alternate=True)
    client.run("ping", "-c", "1", "-W", "2", HOSTS["director"])
    director.ctl("-Ln --stats")
    director.ctl("status")
    # A flushed ruleset, and a director that is killed: its rules stay, and the next one has them.
    host.run("nft", "delete", "table", "ip", "director")
    host.run("nft", "delete", "table", "ip6", "director")
    until(lambda: "table ip director" in host.run("nft", "list", "tables"), "the rules to stand again")
    requests(client, "http://172.30.4.5/", expect=lesson.BOTH, alternate=True)
    director.kill()
    expect_tables(host, True)
    host.run("director", "--clean", show=True)
    expect_tables(host, False)
