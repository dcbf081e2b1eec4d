"""Memory is given and touched at the start: 100,000 packets of old and new flows cause hardly a page fault."""

import json
import sys

from runner.client import download
from runner.host import Failure, until
from runner.servers import make_payload
from runner.usage import usage

from . import nat, udp

# Takes datagrams in and says nothing: what matters is how they get here.
SERVER = """
import socket
door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
door.bind(("", 5300))
while True:
    door.recv(2048)
"""
# Each flow is a port of its own; pauses keep the rings from running over.
CLIENT = """
import socket, sys, time
flows, each = int(sys.argv[2]), int(sys.argv[3])
for flow in range(flows):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.connect((sys.argv[1], 5353))
        for _ in range(each):
            door.send(b"x" * 100)
    if flow % 50 == 0:
        time.sleep(0.004)
"""
PACKETS = 100_000
FLOWS, EACH = 20_000, 6
# Of workers, whose packets would wait; the housekeeper's own work, as telling the status, is its own affair.
MOST_FAULTS = 20


def forwarded(director):
    """Frames that left towards the servers."""
    return json.loads(director.ctl("status --json", show=False))["interfaces"][1]["sent"]["frames"]


def run(lab):
    director = nat.prepare(lab, rules=nat.RULES + udp.RULES)
    payload = make_payload(lab)
    client, process = lab.host("client"), director.process.pid
    for name in ("server1", "server2"):
        host = lab.host(name)
        host.start(sys.executable, "-c", SERVER, log="udp.log")
        until(lambda: ":5300" in host.run("ss", "-lun"), f"the UDP server on {name}")
    # Once through everything: what a process reads lazily from its own file is no memory of the engine.
    client.run(sys.executable, "-c", CLIENT, nat.VIP, "100", "1")

    before, workers = usage(process), usage(process, "worker")
    # What a full ring loses on a crowded machine is sent again.
    for _ in range(5):
        client.run(sys.executable, "-c", CLIENT, nat.VIP, str(FLOWS), str(EACH))
        if forwarded(director) >= PACKETS:
            break
    faults = usage(process).faults - before.faults
    of_workers = usage(process, "worker").faults - workers.faults
    if forwarded(director) < PACKETS:
        raise Failure(f"only {forwarded(director):,} packets were forwarded, and not {PACKETS:,}")
    print(f"  {forwarded(director):,} packets, most of them of new flows: {faults} page faults, {of_workers} of them workers'")
    if of_workers > MOST_FAULTS:
        raise Failure(f"{of_workers} page faults of workers, and not at most {MOST_FAULTS}")

    before = usage(process, "worker")
    download(client, f"http://{nat.VIP}/payload", payload)
    faults = usage(process, "worker").faults - before.faults
    print(f"  100 MB in super-frames: {faults} page faults of workers")
    if faults > MOST_FAULTS:
        raise Failure(f"{faults} page faults of workers with super-frames, and not at most {MOST_FAULTS}")
    director.stop()
