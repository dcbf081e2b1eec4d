"""Three directors work at once behind a router; one leaves and comes back, and no flow meets another server."""

import collections
import json
import os
import random
import shlex
import subprocess
import sys
import time

from runner.bird import Bird
from runner.client import HELPERS
from runner.host import Failure, until
from runner.servers import make_payload, quiet_about_vip, receive_ipip, start_nginx
from topologies.announced import CLIENTS, DIRECTORS, SERVERS, VIP

from .flap import Download
from .readme import written

LONG = True
FLOWS = int(os.environ.get("LVS_FLOWS", "600"))
PORT = 7000
TOOL = (sys.executable, str(HELPERS / "flows.py"))
DOWNLOADS = 3
# How long a flow that lives may take to answer, on a machine that is busy; and one that is given up.
PATIENT, IMPATIENT = 10, 3
MASTER_IS_SILENT = "kept and listed only"
# Half a second without a sign of life, as BIRD has it, is nothing on a machine that does all of this on two processors.
SLOWER_BFD = 'protocol bfd { interface "*" { interval 1 s; }; }'


def bird(host, file):
    """BIRD on a host with a configuration of the README, for its interface."""
    text = written(file).replace("eth1", "eth0").replace("protocol bfd { }", SLOWER_BFD)
    started = Bird(host, text)
    started.start()
    return started


class Announcer:
    """A director whose service gives and takes the VIP, as the README has it, and the BIRD beside it."""

    def __init__(self, lab, name, rules):
        self.host = lab.host(name)
        self.unit = [line.split("=", 1) for line in written("announce.conf").splitlines() if "=" in line]
        file = lab.file("rules")
        file.write_text(rules)
        options = ("--rules", str(file), "--state", str(lab.file(f"state-{name}")))
        self.director = lab.director(name, interfaces=("eth0",), options=options)
        for setting in ("sloppy_tcp", "schedule_icmp"):
            self.director.ctl(f"set {setting}=1")
        self.give("ExecStartPost")
        self.bird = bird(self.host, "bird.conf")

    def give(self, key):
        """The commands that the service gives at a moment of its life."""
        for line in (value for name, value in self.unit if name == key):
            words = shlex.split(line.removeprefix("-"))
            done = self.host.attempt(*words, show=True)
            if done.returncode != 0 and not line.startswith("-"):
                raise Failure(f"{key}: {done.stderr}")

    def start(self):
        self.director.start()
        self.give("ExecStartPost")

    def stop(self):
        self.give("ExecStop")
        self.director.stop()
        self.give("ExecStopPost")

    def crash(self):
        self.host.say(["kill", "-9", "$(pidof director)"])
        self.director.kill()
        self.give("ExecStopPost")

    def knows(self):
        """The clients' ends of the idle flows in its table; none while it is away."""
        if self.director.process.poll() is not None:
            return set()
        lines = [line.split() for line in self.director.ctl("-Lnc", show=False).splitlines()]
        return {words[3] for words in lines if len(words) == 6 and words[4] == f"{VIP}:{PORT}"}


class Stage:
    """The hosts with everything that runs on them; `method` and `flags` as ipvsadm has them."""

    def __init__(self, lab, method, flags=""):
        print(f"-- servers by {method}, scheduler mh {flags}")
        self.lab = lab
        lab.build("announced")
        self.client, self.router = lab.host("client"), lab.host("router")
        for name in SERVERS:
            self.start_server(lab.host(name), method)
        self.router.set(fib_multipath_hash_policy=1)
        bird(self.router, "router.conf")
        rules = written("several.rules").replace(" -b mh-port", f" {flags}".rstrip()).replace(" -g", f" {method}")
        rules += rules.replace(":80", f":{PORT}")
        self.announcers = {name: Announcer(lab, name, rules) for name in DIRECTORS}
        self.expect_routes(*DIRECTORS)
        print(self.router.run("ip", "route", "show", VIP), end="")

    def start_server(self, host, method):
        if method == "-i":
            receive_ipip(host)
        quiet_about_vip(host, VIP, "tunnel" if method == "-i" else "lo")
        start_nginx(host)
        host.start(*TOOL, "serve", str(PORT), host.name, log=f"flows-{host.name}.log")
        until(lambda: f":{PORT} " in host.run("ss", "-ltn"), f"the server on {host.name}")

    def hops(self):
        """The directors that the router sends packets to."""
        found = json.loads(self.router.run("ip", "-j", "route", "show", VIP))
        gateways = [hop["gateway"] for route in found for hop in route.get("nexthops", [route])]
        return {name for name, address in DIRECTORS.items() if address in gateways}

    def expect_routes(self, *names):
        until(lambda: self.hops() == set(names), f"the router to send packets to {', '.join(names)}", 30)

    def without(self, name):
        """The directors that are left when one leaves."""
        return [other for other in DIRECTORS if other != name]

    def moves(self, flows, what, change, names, seconds=PATIENT):
        """Asks all flows after a change that leaves the router these directors; and who was taken up anew, and who broke."""
        began = time.monotonic()
        change()
        self.expect_routes(*names)
        took = time.monotonic() - began
        before = {name: one.knows() for name, one in self.announcers.items()}
        asked = flows.ask(seconds)
        moved = {
            flow for name, one in self.announcers.items() for flow in one.knows() - before[name]
        }
        lost = [flow for flow in asked if flow.is_broken]
        print(f"  {what}: the router knew in {took:.1f} s; {len(asked)} flows, {len(moved)} taken up by a director that"
              f" did not know them, {len(lost)} broken")
        return asked, moved, lost

    def expect_whole(self, *words):
        """The same, where no flow may break; who was taken up anew."""
        _, moved, lost = self.moves(*words)
        if lost:
            raise Failure(f"{len(lost)} flows broke, the first {lost[0]}")
        return moved


class Flow:
    def __init__(self, name, server, outcome):
        self.name, self.server, self.outcome = name, server, outcome
        self.is_broken = outcome != server

    def __str__(self):
        return f"{self.name} of {self.server}: {self.outcome}"


class Flows:
    """Open connections of many clients."""

    def __init__(self, stage):
        self.process = stage.client.start(
            *(*TOOL, "hold", VIP, str(PORT), str(FLOWS), *CLIENTS),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        opened = self.read()
        if any(flow.is_broken for flow in opened):
            raise Failure(f"a flow could not be opened: {next(flow for flow in opened if flow.is_broken)}")
        servers = collections.Counter(flow.server for flow in opened)
        directors = {name: len(one.knows() & {flow.name for flow in opened}) for name, one in stage.announcers.items()}
        for counts in (servers, directors):
            print(f"  {len(opened)} flows, " + ", ".join(f"{name}: {counts[name]}" for name in sorted(counts)))
            if len(counts) != 3 or min(counts.values()) < FLOWS // 10:
                raise Failure("so many must be on each")

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure("the client of the flows ended")
        # Acknowledgements of the last answers come up to 0.2 s later, and count as packets of what happens then.
        time.sleep(0.4)
        return [Flow(*told) for told in json.loads(line)]

    def ask(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.kill()
        self.process.wait()


def without_sloppy_tcp(stage):
    """What it is needed for: flows end where a director that does not know them gets their packets."""
    for one in stage.announcers.values():
        one.director.ctl("set sloppy_tcp=0", show=False)
    flows = Flows(stage)
    first = stage.announcers["director1"].bird
    _, _, lost = stage.moves(flows, "without sloppy_tcp", first.stop, stage.without("director1"), IMPATIENT)
    if not lost:
        raise Failure("no flow broke, so nothing is shown by those that do not break below")
    first.start()
    stage.expect_routes(*DIRECTORS)
    flows.close()
    for one in stage.announcers.values():
        one.director.ctl("set sloppy_tcp=1", show=False)


def narrow_path(stage):
    """Servers learn of a narrow link by ICMP errors to the VIP, which the router may lead to another director than the flow.

    Linux finds the flow's own for most of those that it sends itself, so that many downloads are needed to see it.
    """
    stage.router.run("ip", "link", "set", "eth0", "mtu", "1300", show=True)
    outcomes = {}
    # Clients that no server has heard of yet.
    for value, sources in ((0, CLIENTS[:30]), (1, CLIENTS[30:60])):
        for one in stage.announcers.values():
            one.director.ctl(f"set schedule_icmp={value}", show=False)
        fetch = ("curl", "-s", "--max-time", str(IMPATIENT), "-o", "/dev/null", "-r", "0-99999")
        asked = [
            stage.client.start(*fetch, "--interface", source, f"http://{VIP}/payload") for source in sources
        ]
        outcomes[value] = [one.wait() for one in asked].count(0)
        arrived = f"{outcomes[value]} of {len(sources)} downloads arrive"
        print(f"  behind a link of 1,300 bytes with schedule_icmp={value}: {arrived}")
    stage.router.run("ip", "link", "set", "eth0", "mtu", "1500")
    if outcomes[0] == 30 or outcomes[1] < 30:
        raise Failure("schedule_icmp does not make the difference")


def leave_and_return(stage):
    """Each director goes in another way, while downloads run."""
    flows = Flows(stage)
    downloads = [
        Download(stage.lab, VIP, "2M", source) for source in random.Random(1).sample(CLIENTS, DOWNLOADS)
    ]
    first, second, third = stage.announcers.values()
    switch = stage.lab.host("switch")
    cable = ("ip", "link", "set", f"to-{third.host.name}")
    moved = set()
    for one, what, out, back in (
        (first, "BIRD", first.bird.stop, first.bird.start),
        (second, "the service", second.stop, second.start),
        (third, "the killed director", third.crash, third.start),
        (third, "the pulled cable", lambda: switch.run(*cable, "down", show=True),
         lambda: switch.run(*cable, "up", show=True)),
    ):
        others = stage.without(one.host.name)
        moved |= stage.expect_whole(flows, f"without {what} on {one.host.name}", out, others)
        moved |= stage.expect_whole(flows, f"{what} is back", back, DIRECTORS)
    if len(moved) < FLOWS // 3:
        raise Failure(f"only {len(moved)} flows were taken up by a director that did not know them")
    for download in downloads:
        download.expect_progress("all of this")
        download.expect_beginning()
    flows.close()


def synchronise(stage):
    """Starts both daemons everywhere; false where directors cannot tell one another of connections."""
    for one in stage.announcers.values():
        for role in ("master", "backup"):
            one.director.ctl(f"--start-daemon {role} --mcast-interface eth0 --syncid 1", show=False)
    return not any(MASTER_IS_SILENT in one.director.ctl("status", show=False) for one in stage.announcers.values())


def server_leaves_too(lab, what, command, is_synchronised):
    """The share of flows that break when a server is taken out just as a director leaves, and how many of whose.

    None where there is no synchronisation.
    """
    stage = Stage(lab, "-g", "-b mh-port")
    try:
        if is_synchronised and not synchronise(stage):
            return None
        flows = Flows(stage)
        for _ in range(2):
            flows.ask(PATIENT)
        if is_synchronised:
            known = lambda: all(len(one.knows()) >= FLOWS for one in stage.announcers.values())
            until(known, "every director to know all flows", 20)

        def change():
            stage.announcers["director1"].bird.stop()
            for one in stage.announcers.values():
                one.director.ctl(command, show=False)

        with_or_without = "with" if is_synchronised else "without"
        asked, _, lost = stage.moves(
            flows, f"server2 {what}, {with_or_without} synchronisation", change, stage.without("director1"), IMPATIENT)
        of = collections.Counter(flow.server for flow in lost)
        print("  broken flows had been with " + (", ".join(f"{name}: {of[name]}" for name in sorted(of)) or "nobody"))
        return len(lost) / len(asked), of
    finally:
        lab.clear()


def measure(lab):
    """Broken flows without synchronisation, and with it."""
    service = f"-t {VIP}:{PORT} -r {SERVERS['server2']}:{PORT}"
    without, told = {}, {}
    for what, command in (("drained", f"-e {service} -g -w 0"), ("deleted", f"-d {service}")):
        without[what] = server_leaves_too(lab, what, command, False)
        told[what] = server_leaves_too(lab, what, command, True)
    for what, (share, _) in without.items():
        saved = f"{told[what][0]:.1%} with it" if told[what] else "nothing is sent here to measure it with"
        print(f"  server2 {what} as director1 left: {share:.1%} of the flows broke without synchronisation, {saved}")
    if set(without["drained"][1]) != {"server2"}:
        raise Failure("a drained server costs others their flows")
    if told["drained"] and told["drained"][0] > 0:
        raise Failure("synchronised flows of a drained server broke")


def run(lab):
    stage = Stage(lab, "-g")
    make_payload(lab)
    narrow_path(stage)
    without_sloppy_tcp(stage)
    leave_and_return(stage)
    lab.clear()
    leave_and_return(Stage(lab, "-i", "-b mh-port"))
    lab.clear()
    measure(lab)
