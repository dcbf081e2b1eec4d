"""A director that is killed and started again in the middle of downloads: by NAT, DR, TUN and FULLNAT none of them fails."""

import sys
import time

from runner.client import HELPERS, digest
from runner.host import Failure, until
from runner.servers import make_payload, start_nginx
from topologies import distant

from . import dr, fullnat, nat, tun

LONG = True
TOOL = (sys.executable, str(HELPERS / "datagrams.py"))
PORT = 9000
KILLS = 3
DOWNLOADS = 4


def hosts_of_fullnat(lab):
    lab.build("distant")
    for name in distant.SERVERS:
        start_nginx(lab.host(name))


def hosts_of_tun(lab):
    lab.build("switched")
    lab.host("director").address("eth0", f"{tun.VIP}/32")
    tun.start_servers(lab)


METHODS = {
    "NAT": (nat.prepare_host, nat.VIP, nat.RULES, "-m", ("eth0", "eth1")),
    "DR": (dr.prepare_hosts, dr.VIP, dr.RULES, "-g", ("eth0",)),
    "TUN": (hosts_of_tun, tun.VIP, tun.RULES, "-i", ("eth0",)),
    "FULLNAT": (hosts_of_fullnat, distant.VIP, fullnat.RULES, "--fullnat", ("eth0", "eth1")),
}


def datagram_rules(vip, rules, option):
    """A service of UDP beside that of the rules, with the same first server."""
    server = next(line for line in rules.splitlines() if f" {vip}:80 -r " in line).split(" -r ")[1].split(":")[0]
    lines = [f"-A -u {vip}:{PORT} -s rr", f"-a -u {vip}:{PORT} -r {server}:{PORT} {option}"]
    if option == "--fullnat":
        lines.append(f"-P -u {vip}:{PORT} -z {distant.LOCAL}")
    return "\n".join(lines)


def run(lab):
    for method, (prepare, vip, rules, option, interfaces) in METHODS.items():
        prepare(lab)
        lines = [line.strip() for line in rules.strip().splitlines()]
        file = lab.file("rules")
        file.write_text("\n".join(lines) + "\n" + datagram_rules(vip, rules, option) + "\n")
        director = lab.director(interfaces=interfaces, options=("--rules", str(file)))
        kill(lab, director, method, vip)
        director.stop()
        lab.clear()


def kill(lab, director, method, vip):
    payload = make_payload(lab)
    client = lab.host("client")
    # Servers that answer the client themselves do so from the virtual address.
    own = [vip] if method in ("DR", "TUN") else []
    for name in ("server1", "server2"):
        lab.host(name).start(*TOOL, "answer", str(PORT), *own, log=f"datagrams-{name}.log")
    asking = client.start(*TOOL, "ask", vip, str(PORT), "1", stdin=-1, stdout=-1, text=True)
    downloads = []
    for number in range(DOWNLOADS):
        target = lab.file(f"downloaded-{number}")
        words = ("curl", "-sS", "--max-time", "60", "--limit-rate", "20M", "-o", str(target))
        downloads.append((target, client.start(*words, f"http://{vip}/payload", stderr=-1, text=True)))
    until(lambda: all(target.exists() for target, _ in downloads), "the downloads to begin")
    for number in range(KILLS):
        time.sleep(0.7)
        if any(process.poll() is not None for _, process in downloads):
            raise Failure("a download ended before the last kill")
        director.kill()
        director.start()
        notes = [line for line in director.told().splitlines() if "taken over" in line]
        if len(notes) != number + 1:
            raise Failure(f"the table was not taken over:\n{director.told()}")
        print(f"  kill {number + 1}: {notes[-1].split(': ')[-1]}")
    director.ctl("-Lnc")
    for target, process in downloads:
        complaint = process.communicate(timeout=70)[1]
        if process.returncode != 0:
            raise Failure(f"a download by {method} failed: {complaint}")
        if digest(target) != digest(payload):
            raise Failure(f"a download by {method} arrived damaged")
        target.unlink()
    asked, answered, gap = asking.communicate("", timeout=10)[0].split()
    print(
        f"  {method}: {DOWNLOADS} downloads over {KILLS} kills, all whole; of {asked} datagrams, one a millisecond, "
        f"{int(asked) - int(answered)} were lost, and at most {gap} ms passed without an answer"
    )
