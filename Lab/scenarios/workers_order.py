"""Two workers at speed: no frame overtakes another of its flow, in quiet, while tables are edited and links go down."""

import time

from runner.edits import Edits, changes
from runner.host import Failure
from runner.traffic import Background, crowd
from runner.workers import TWO, expect_shared, need_two
from topologies.straight import SERVER, VIP, introduce_all

PORT = 9000
FLOWS, ADDRESSES = 400, 8
RATE = 20_000
SECONDS = 1.5
RULES = f"-A -u {VIP}:{PORT} -s rr\n-a -u {VIP}:{PORT} -r {SERVER}:{PORT} -m"
EDITS = changes(f"-u {VIP}:{PORT}", f"{SERVER}:{PORT}", f"-u {VIP}:9999")


def run(lab):
    need_two()
    watch(lab)


def watch(lab, **started):
    """Frames of many flows through a director started like this, in quiet and not."""
    lab.build("straight")
    director = lab.director(interfaces=("eth0", "eth1"), options=TWO, **started)
    director.configure(RULES)
    answering = Background(lab.host("server1"), "answer", "--interface", "eth0")
    play(lab, "in quiet")
    edits = Edits(director, EDITS)
    play(lab, "during edits")
    rate = edits.stop()
    print(f"  {rate:.0f} edits a second")
    if rate < 100:
        raise Failure(f"only {rate:.0f} edits a second were made")
    play(lab, "while the links go down and up", flap, loses_nothing=False)
    answering.result()
    expect_shared(director, least=1000)
    director.ctl("status")
    director.stop()


def flap(lab):
    for interface in ("eth0", "eth1", "eth0"):
        for state in ("down", "up"):
            lab.host("director").run("ip", "link", "set", interface, state)
            time.sleep(0.1)
        # What the kernel has forgotten with the links.
        introduce_all(lab)


def play(lab, when, meanwhile=None, loses_nothing=True):
    """Datagrams of all flows there and back, each flow numbered; what is late was overtaken."""
    client, server = lab.host("client"), lab.host("server1")
    words = crowd(client, ADDRESSES, FLOWS, PORT, size=100)
    watchers = {
        "requests": Background(server, "watch", *words, ready="watching"),
        "answers": Background(client, "watch", *words, "--back", ready="watching"),
    }
    sender = Background(client, "send", *words, "--rate", RATE, "--seconds", SECONDS)
    if meanwhile:
        meanwhile(lab)
    sent = sender.result(None)["sent"]
    time.sleep(0.3)
    for name, watcher in watchers.items():
        seen = watcher.result()
        print(f"  {when}, {name}: {sent:,} sent, {seen['frames']:,} seen of {seen['flows']} flows,"
              f" {seen['missing']} missing, {seen['late']} late")
        if seen["late"]:
            raise Failure(f"{when}: {seen['late']} {name} were overtaken by others of their flow")
        if seen["flows"] != FLOWS:
            raise Failure(f"{when}: {name} of {seen['flows']} flows arrived, not of {FLOWS}")
        if loses_nothing and seen["frames"] + seen["overrun"] < sent:
            raise Failure(f"{when}: {sent - seen['frames']} of {sent} {name} are missing")
