"""SIGHUP reads the rules file again: the table follows it, open connections stay, a bad file changes nothing."""

import signal

from runner.client import KeepAlive, requests
from runner.host import Failure, until

from . import nat

WITHOUT_SECOND = "\n".join(line for line in nat.RULES.splitlines() if ".28:80" not in line)
WITH_THIRD = nat.RULES + f"-a -t {nat.VIP}:80 -r 192.168.0.68:80 -m -w 0\n"
BAD = nat.RULES + f"-a -t {nat.VIP}:80 -r 192.168.0.300:80 -m\n"


def reload(director, rules, text):
    print("  the rules file is changed, SIGHUP")
    rules.write_text(text)
    director.process.send_signal(signal.SIGHUP)


def run(lab):
    nat.prepare_host(lab)
    rules = lab.file("rules")
    rules.write_text("# Two servers\n\n" + nat.RULES)
    director = lab.director(interfaces=("eth0", "eth1"), options=("--rules", str(rules)))
    client = lab.host("client")
    url = f"http://{nat.VIP}/"
    held = KeepAlive(client, nat.VIP)
    owner = held.get()
    director.ctl(f"-A -t {nat.VIP}:8080 -s rr")

    reload(director, rules, WITH_THIRD)
    until(lambda: "192.168.0.68:80" in director.ctl("-Ln", show=False), "the new server")
    requests(client, url, expect={"server1": 5, "server2": 5})
    if held.get() != owner:
        raise Failure("the open connection changed its server")

    reload(director, rules, WITHOUT_SECOND)
    until(lambda: "192.168.0.28:80" not in director.ctl("-Ln", show=False), "the old server to go")
    requests(client, url, expect={"server1": 10})

    before = director.ctl("-Sn", show=False)
    reload(director, rules, BAD)
    until(lambda: "192.168.0.300" in director.told(), "the director to say what is wrong")
    if director.ctl("-Sn") != before:
        raise Failure("a bad rules file changed the table")
    if f"{nat.VIP}:8080" not in before:
        raise Failure("a service that was not from the file went with the file")
    requests(client, url, expect={"server1": 10})
