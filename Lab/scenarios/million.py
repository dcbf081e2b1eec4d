"""A hundred thousand live NAT connections made by real frames, asked at random while listings are read (LAB_FULL=1: a million)."""

import os
import time

from runner.host import Failure
from runner.traffic import Background, cpu_seconds, crowd, received, traffic
from topologies.straight import SERVER, VIP

# What else happens on the machine would be measured.
ALONE = True
LONG = True
FLOWS = 1_000_000 if os.environ.get("LAB_FULL") else 100_000
FEW = 10_000
ADDRESSES = 64
PORT = 9000
RATE = 150_000
# Established ones, and all but the two lines of the heading.
COUNT = "directorctl -Lnc | awk '/ ESTABLISHED / { good++ } END { print good + 0, NR - 2 }'"


def run(lab):
    lab.is_urgent = True
    lab.build("straight")
    bound = {"cpu": 1} if os.cpu_count() > 1 else {}
    director = lab.director(interfaces=("eth0", "eth1"), options=("--connections", str(FLOWS + FLOWS // 10)), **bound)
    director.configure(f"-A -t {VIP}:{PORT} -s rr\n-a -t {VIP}:{PORT} -r {SERVER}:{PORT} -m")
    establish(lab, FEW)
    few_alone = [cost(lab, director, FEW) for _ in range(3)]
    establish(lab, FLOWS)
    expect_listed(director)
    # Interleaved, so that whatever else the machine does falls on both.
    pairs = [(cost(lab, director, FEW), cost(lab, director, FLOWS)) for _ in range(3)]
    alone, few, many = (sorted(values)[1] for values in (few_alone, *zip(*pairs)))
    print(f"  CPU a frame: {alone:.0f} ns with {FEW:,} connections in the table;"
          f" with {FLOWS:,} there {few:.0f} ns for frames of {FEW:,} of them, {many:.0f} ns for frames of all"
          f" ({many / alone:.2f} times)")
    asked_at_full_speed(lab, director)
    expect_listed(director)
    director.ctl("status")
    director.stop()


def words(lab, flows, **more):
    return crowd(lab.host("client"), ADDRESSES, flows, PORT, **more)


def establish(lab, flows):
    """Three-way handshakes of all flows with a server that answers; those that were made before are made again."""
    far_end = Background(lab.host("server1"), "answer", "--interface", "eth0")
    made = traffic(lab.host("client"), "connect", *words(lab, flows, window=256, seconds=100))
    answered = far_end.result()
    print(f"  {made['established']:,} handshakes, {made['rate']:,.0f} a second, {made['repeated']} asked again; {answered}")


def expect_listed(director):
    """Every connection is there and established, by the table's count and line by line."""
    began = time.monotonic()
    # Counted there: this script does not come first on the machine, as the lab's processes do.
    counts = director.host.run("sh", "-c", COUNT, timeout=100)
    took = time.monotonic() - began
    established, listed = map(int, counts.split())
    print(f"  directorctl -Lnc: {listed:,} connections, {established:,} established, read in {took:.1f} s")
    if (listed, established) != (FLOWS, FLOWS):
        raise Failure(f"{FLOWS} connections were made; listed are {listed}, established {established}")


def cost(lab, director, flows):
    """CPU of the director in nanoseconds for each frame that arrived, of flows at random at a rate it can bear."""
    server, processes = lab.host("server1"), [director.process.pid]
    before, used = received(server), cpu_seconds(processes)
    sent = traffic(
        lab.host("client"), "send", *words(lab, flows, kind="data", rate=RATE, seconds=0.7, cpu=0), "--random")
    time.sleep(0.05)
    got = received(server) - before
    if got < sent["sent"] // 2:
        raise Failure(f"of {sent['sent']} frames of {flows} flows at {RATE} a second {got} arrived")
    return (cpu_seconds(processes) - used) * 1e9 / got


def asked_at_full_speed(lab, director):
    """As many frames as go, and meanwhile the listings that a tool would read."""
    server = lab.host("server1")
    before = received(server)
    sender = Background(
        lab.host("client"), "send", *words(lab, FLOWS, kind="data", cpu=0), "--random", "--seconds", 3600)
    time.sleep(0.3)
    expect_listed(director)
    totals = director.ctl("-Ln --stats", show=False).splitlines()
    time.sleep(0.3)
    sent = sender.result()
    got = received(server) - before
    print(f"  at full speed meanwhile: {sent['rate']:,.0f} frames/s offered,"
          f" {got / sent['seconds']:,.0f} delivered; {' '.join(totals[-1].split())}")
    if got < sent["sent"] // 20:
        raise Failure(f"of {sent['sent']} frames {got} arrived while the listing was read")
