"""Two directors tell each other under load, by several ports over IPv6, both in both roles; their cable goes and comes back."""

import re

from runner.client import KeepAlive, requests
from runner.host import Failure, cable, until
from runner.servers import quiet_about_vip, start_nginx
from topologies.switched import VIP

LONG = True
RULES = f"""
    -A -t {VIP}:80 -s rr
    -a -t {VIP}:80 -r 192.168.0.18:80 -g
    -a -t {VIP}:80 -r 192.168.0.28:80 -g
    -A -t {VIP}:8080 -s rr
    -a -t {VIP}:8080 -r 192.168.0.18:8080 -g
    -a -t {VIP}:8080 -r 192.168.0.28:8080 -g
"""
# Ports of clients that no connection of the load has used before, so that all of these are told.
PAGE = f"http://{VIP}:8080/"
EVEN = {"server1": 10, "server2": 10}
PLACE = "--mcast-interface sync0 --mcast-group ff02::81 --mcast-port 9000 --mcast-ttl 3 --sync-maxlen 700"


def section(director, name):
    """Lines of one section of the status."""
    lines = director.ctl("status", show=False).splitlines()
    if f"{name}:" not in lines:
        return []
    rest = lines[lines.index(f"{name}:") + 1 :]
    return rest[: next((place for place, line in enumerate(rest) if not line.startswith("  ")), len(rest))]


def messages(director, name):
    """How many messages a daemon has sent or heard."""
    counts = [re.match(r"  (\d+) messages, ", line) for line in section(director, name)]
    return next((int(count[1]) for count in counts if count), 0)


def lost(director):
    return [line for line in section(director, "master daemon") if "lost: " in line]


def lay_cable(one, other):
    cable(one, "sync0", other, "sync0")
    for host in (one, other):
        host.set6(conf__sync0__accept_dad=0)


def run(lab):
    lab.build("switched")
    for name in ("server1", "server2"):
        quiet_about_vip(lab.host(name), VIP, "lo")
        start_nginx(lab.host(name), more="listen 8080;")
    hosts, client = [lab.host("director"), lab.host("director2")], lab.host("client")
    hosts[0].address("eth0", f"{VIP}/24")
    lay_cable(*hosts)
    directors = [
        lab.director(host.name, interfaces=("eth0",), options=("--state", str(lab.file(f"state-{host.name}"))))
        for host in hosts
    ]
    for number, director in enumerate(directors):
        director.configure(RULES)
        director.ctl("set sync_ports=4")
        # Each hears the other, and not itself.
        director.ctl(f"--start-daemon master --syncid {number + 1} {PLACE}")
        director.ctl(f"--start-daemon backup --syncid {2 - number} {PLACE}")
    first, second = directors
    first.ctl("-L --daemon")
    held = KeepAlive(client, VIP)
    server = held.get()

    client.run("wrk", "-t1", "-c32", "-d4", "-H", "Connection: close", f"http://{VIP}/", show=True)
    expect_all_heard(first, second)
    if messages(first, "backup daemon"):
        raise Failure("a director hears itself, or one that has nothing to tell")

    # The interface goes down: messages are lost and counted, packets are forwarded.
    hosts[0].run("ip", "link", "set", "sync0", "down", show=True)
    requests(client, PAGE, count=20, expect=EVEN)
    until(lambda: lost(first), "lost messages to be counted")
    hosts[0].run("ip", "link", "del", "sync0", show=True)
    until(lambda: any("sends nothing now" in line for line in section(first, "master daemon")), "the status to say so")
    lay_cable(*hosts)
    until(lambda: not any(" nothing now" in line for name in ("master", "backup") for director in directors
                          for line in section(director, f"{name} daemon")), "all daemons to be back")
    before = messages(second, "backup daemon")
    requests(client, PAGE, count=20, expect=EVEN)
    until(lambda: messages(second, "backup daemon") > before, "messages by the new cable")
    print("\n".join(section(first, "master daemon") + section(second, "backup daemon")))

    # The daemons of a director that was killed are there again with its state.
    first.ctl("save-state")
    first.kill()
    first.start()
    first.ctl("-L --daemon")
    requests(client, PAGE, count=20, expect=EVEN)
    until(lambda: messages(first, "master daemon"), "messages of the restarted director")
    hosts[0].run("ip", "address", "del", f"{VIP}/24", "dev", "eth0")
    hosts[1].address("eth0", f"{VIP}/24")
    client.run("ip", "neighbour", "flush", "dev", "eth0")
    # Told anew with every fiftieth packet only.
    for _ in range(60):
        if held.get() != server:
            raise Failure("the connection that was open all the time meets another server")
    print(f"  the connection that was open all the time goes on by {second.host.name}")
    until(lambda: messages(second, "master daemon"), "the second director to tell the first one")
    held.close()
    for director in directors:
        director.stop()


def expect_all_heard(first, second):
    """Nothing is lost between the daemons, and the tables hold the same connections."""
    if lost(first):
        raise Failure("\n".join(lost(first)))
    until(lambda: messages(first, "master daemon") == messages(second, "backup daemon") > 0, "all messages to be heard")
    one, other = ({tuple(line.split()[3:]) for line in d.ctl("-Lnc", show=False).splitlines()} for d in (first, second))
    print("\n".join(section(first, "master daemon") + section(second, "backup daemon")))
    print(f"  {len(one)} connections on {first.host.name}, {len(one & other)} of them on {second.host.name}")
    # The last requests are still in messages that wait for more.
    if len(one - other) > 100 or not other <= one:
        raise Failure(f"{len(one - other)} connections were not told, {len(other - one)} are nowhere else")
