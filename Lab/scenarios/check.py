"""`director --check` says what a start would find and use, agrees with what the start does, and touches nothing."""

import json

from runner.host import Failure

from . import nat
from .refusals import NO_PRIVILEGE

ONLY_RAW = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all")
# What a director arranges in its host: rules, links and what is on them, policy.
STATE = "nft list ruleset; ip -d link; ip -o address | cut -d\\  -f1-4; ip rule; tc qdisc; tc filter show dev eth0 ingress"


def state(host):
    return host.attempt("sh", "-c", STATE).stdout


def check(host, *options, before=(), ready=True, says=()):
    """Asks, and looks at status, words and whether the two forms agree."""
    command = [*before, "director", "--check", *options]
    done = host.attempt(*command, show=True, timeout=10)
    wanted = 0 if ready else 1
    if done.returncode != wanted:
        raise Failure(f"exit status {done.returncode} and not {wanted}:\n{done.stderr}")
    for word in says:
        if word not in done.stdout:
            raise Failure(f"the report does not name {word}")
    told = json.loads(host.attempt(*command, "--json", timeout=10).stdout)
    if told["ready"] is not ready or len(told["lines"]) < 8:
        raise Failure(f"--json says something else: {told}")
    return told


def run(lab):
    nat.prepare_host(lab)
    host = lab.host("director")
    both = ("--interface", "eth0", "--interface", "eth1")
    rules = lab.file("web.rules")
    rules.write_text(nat.RULES)

    before = state(host)
    told = check(host, *both, "--rules", str(rules), says=["veth", "MTU 1500", "afpacket", "3 rules", "can start"])
    found = {line["subject"] for line in told["lines"] if line["kind"] == "found"}
    if not {"kernel", "packets", "cpu", "memory", "eth0", "eth1", "privileges"} <= found:
        raise Failure(f"found are only {found}")
    check(host, "--interface", "xdp:eth0", says=["xdp in native mode"])
    check(host, "--interface", "nosuch0", ready=False, says=["nosuch0"])
    check(host, "--interface", "dpdk:eth0", ready=False, says=["dpdk", "afpacket"])
    check(host, *both, before=NO_PRIVILEGE, ready=False, says=["CAP_NET_RAW", "CAP_NET_ADMIN"])
    check(host, *both, before=ONLY_RAW, says=["CAP_NET_ADMIN"])
    rules.write_text("-A -t nonsense -s rr\n")
    check(host, *both, "--rules", str(rules), ready=False, says=["line 1", "nonsense"])
    if state(host) != before:
        raise Failure(f"the host is not as it was:\n{before}\n--\n{state(host)}")
    print("  the host is as it was")

    host.run("ip", "link", "set", "eth1", "down")
    check(host, *both, says=["ip link set dev eth1 up"])
    host.run("ip", "link", "set", "eth1", "up")
    host.run("ip", "link", "set", "eth0", "mtu", "9000")
    check(host, "--interface", "xdp:eth0", ready=False, says=["MTU 9000"])
    host.run("ip", "link", "set", "eth0", "mtu", "1500")

    director = lab.director(interfaces=("eth0", "eth1"))
    check(host, *both, ready=False, says=["runs here already"])
    director.stop()
    for words in (("--check", "--clean"), ("--json",)):
        done = host.attempt("director", *words, show=True)
        if done.returncode != 64 or "--" not in done.stderr:
            raise Failure(f"{words}: exit status {done.returncode}: {done.stderr}")
