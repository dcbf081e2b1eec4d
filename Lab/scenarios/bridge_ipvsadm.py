"""Debian's ipvsadm behind director-run commands the director and prints what it prints on a kernel."""

import sys

from runner.client import HELPERS, requests
from runner.host import Failure
from runner.lab import ROOT

from . import nat
from .refusals import refused

FIXTURES = ROOT / "Tests" / "ControlTests" / "Fixtures" / "ipvsadm-cli.jsonl"
# Every so-many-th of the recorded lines: each takes a dozen starts of ipvsadm.
STEP = 4


def ipvsadm(host, line, show=True):
    return host.run("director-run", "ipvsadm", *line.split(), show=show)


def run(lab):
    nat.prepare_host(lab)
    director = lab.director(interfaces=("eth0", "eth1"))
    host, client = director.host, lab.host("client")
    for line in nat.RULES.strip().splitlines():
        ipvsadm(host, line.strip())
    even = {"server1": 5, "server2": 5}
    requests(client, f"http://{nat.VIP}/", expect=even, alternate=True)
    for line in ("-Ln", "-Ln --stats", "-Sn", "-L --timeout"):
        ours, theirs = director.ctl(line, show=False), ipvsadm(host, line)
        if ours != theirs:
            raise Failure(f"directorctl {line} prints\n{ours}and ipvsadm\n{theirs}")
    connections = ipvsadm(host, "-Lnc")
    if connections.count(f"{nat.VIP}:80") != 10 or "192.168.0.28:80" not in connections:
        raise Failure("ipvsadm -Lnc does not show the ten connections")
    text = host.run("director-run", "cat", "/proc/net/ip_vs", "/proc/self/net/ip_vs_stats", show=True)
    for word in ("TCP  AC10FEC8:0050 wrr", "C0A80012:0050      Masq", "   Total Incoming Outgoing"):
        if word not in text:
            raise Failure(f"/proc/net has no '{word}'")

    saved = host.run("director-run", "sh", "-c", "ipvsadm -Sn > rules && ipvsadm -C", cwd=lab.directory)
    if saved or director.ctl("-Sn", show=False):
        raise Failure("ipvsadm -C left something in the table")
    host.run("director-run", "sh", "-c", "ipvsadm -R < rules", cwd=lab.directory, show=True)
    if ipvsadm(host, "-Sn") != lab.file("rules").read_text():
        raise Failure("what ipvsadm saved it does not restore")
    refused(host, "director-run", "ipvsadm", "-d", "-t", f"{nat.VIP}:81", "-r", "192.168.0.18", says=["service not defined"])
    refused(host, "director-run", "--control", says=["--control needs a value"])
    refused(host, "director-run", "no-such-program", says=["there is no such program"])

    # The recordings are of tables without connections.
    director.stop()
    director.start()
    words = [sys.executable, str(HELPERS / "transcripts.py"), str(FIXTURES), str(STEP)]
    told = host.attempt(*words, "director-run", "ipvsadm", timeout=300)
    print("  recorded lines of ipvsadm that pass: " + told.stdout.strip())
    if told.returncode != 0:
        raise Failure("ipvsadm behind director-run is not as on a kernel\n" + told.stderr)
