"""What is measured: each function measures one contender once and returns figures by name."""

import json
import os
import re
import subprocess
import time

from runner.director import Director
from runner.edits import Edits, changes
from runner.host import Failure
from runner.traffic import Background, cpu_seconds, crowd, received, resident_bytes, traffic

from .contenders import DIAL, FRAMES, HTTP, IPERF, PING

# Frames may be lost up to this share and the rate still counts as one without loss.
LOSS = 0.002
FLOWS, ADDRESSES = 1000, 10
IN_VAIN = (
    "add table netdev vain; add chain netdev vain in { type filter hook ingress device eth0 priority 0; };"
    " add rule netdev vain in ip saddr 10.64.0.0/12 drop"
)


class Scale:
    """How long things take: everything for figures, a fraction of a second only to see that it runs."""

    def __init__(self, is_check):
        self.burst = 0.05 if is_check else 0.5
        self.steps = 1 if is_check else 6
        self.flows = 10_000 if is_check else 150_000
        self.seconds = 0.1 if is_check else 1.0
        self.pings = 50 if is_check else 4000
        self.held = 200 if is_check else 5_000
        self.iperf = ("-n", "2M") if is_check else ("-t", "1", "-O", "0.3")
        self.idle = 0.1 if is_check else 2.0


def bind(contender):
    """The sender of frames has CPU 0; a director of one worker gets the other, as it would have on a busy router."""
    if os.cpu_count() < 2:
        return
    for process in contender.processes if contender.is_bound else []:
        subprocess.run(["taskset", "-apc", "1", str(process)], capture_output=True, check=True)


def unbind(contender):
    for process in contender.processes if contender.is_bound else []:
        cpus = f"0-{os.cpu_count() - 1}"
        subprocess.run(["taskset", "-apc", cpus, str(process)], capture_output=True, check=True)


def burst(contender, kind, flows, addresses, rate, seconds, **more):
    """Frames into the director for a while: rates per second offered and delivered, and nanoseconds of CPU a frame."""
    before, used = received(contender.server), cpu_seconds(contender.processes)
    words = crowd(contender.client, addresses, flows, FRAMES, to=contender.address, kind=kind, rate=int(rate), **more)
    sent = traffic(contender.client, "send", *words, "--cpu", 0, "--seconds", seconds)
    # What is in rings and queues comes through.
    time.sleep(0.05)
    got = max(1, received(contender.server) - before)
    director = cpu_seconds(contender.processes) - used
    return {
        "offered": sent["rate"],
        "delivered": min(got, sent["sent"]) / sent["seconds"],
        "loss": 1 - got / sent["sent"],
        "sender": sent["cpu"] * 1e9 / sent["sent"],
        "director": director * 1e9 / got,
    }


def frames(contender, scale):
    """64-byte datagrams: as many as go, and the most of which none is lost."""
    bind(contender)
    full = burst(contender, "udp", FLOWS, ADDRESSES, 0, scale.burst)
    figures = {
        "frames delivered/s": full["delivered"],
        "CPU ns a frame": full["sender"] + full["director"],
    }
    if contender.processes:
        figures["CPU ns a frame of the director"] = full["director"]
    if contender.name == "routing":
        # What the sender needs to bring a frame into the director's host, where it ends.
        host = contender.lab.host("director")
        host.run("nft", IN_VAIN)
        words = crowd(contender.client, ADDRESSES, FLOWS, FRAMES, to=contender.address, cpu=0, seconds=scale.burst)
        alone = traffic(contender.client, "send", *words)
        host.run("nft", "delete table netdev vain")
        figures["CPU ns a frame of the sender alone"] = alone["cpu"] * 1e9 / alone["sent"]
    low, high, best = 0.0, full["offered"], 0.0
    for step in range(scale.steps):
        rate = high if step == 0 else (low + high) / 2
        tried = burst(contender, "udp", FLOWS, ADDRESSES, rate, scale.burst)
        if tried["loss"] <= LOSS:
            low = rate
            best = max(best, tried["offered"])
        else:
            high = rate
    unbind(contender)
    figures["frames without loss/s"] = best
    return figures


def new_flows(contender, scale):
    """Opening segments, each of a connection never seen before: every round has ports of its own."""
    contender.rounds += 1
    bind(contender)
    before = received(contender.server)
    first = contender.rounds % 8 * scale.flows
    words = crowd(
        contender.client, 64, scale.flows, FRAMES, to=contender.address, kind="syn", first_flow=first, cpu=0,
        # No sender is so fast that it would come to the first flow again.
        seconds=scale.flows / 1_000_000,
    )
    sent = traffic(contender.client, "send", *words)
    time.sleep(0.05)
    got = min(received(contender.server) - before, sent["sent"])
    unbind(contender)
    return {"new flows/s": got / sent["seconds"]}


def connections(contender, scale):
    words = ("--to", contender.address, "--port", DIAL, "--window", 64, "--seconds", scale.seconds)
    made = traffic(contender.client, "dial", *words)
    if made["failed"] > made["connections"] // 100:
        raise Failure(f"{contender.name}: {made['failed']} connections failed, {made['connections']} did not")
    return {"TCP connections/s": made["rate"]}


def http(contender, scale):
    return requests(contender, scale, "HTTP requests/s", "HTTP p99 ms")


def http_close(contender, scale):
    return requests(contender, scale, "HTTP connections/s", None, "-H", "Connection: close")


def requests(contender, scale, rate_name, latency_name, *more):
    """By wrk, which runs for a second at least."""
    seconds = 1 if scale.seconds <= 1 else int(scale.seconds)
    url = f"http://{contender.address}:{HTTP}/"
    told = contender.client.run("wrk", "-t", "1", "-c", "32", "-d", f"{seconds}s", "--latency", *more, url)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    latency = re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    if not rate or not latency or float(rate[1]) == 0:
        raise Failure(f"{contender.name}: wrk says\n{told}")
    figures = {rate_name: float(rate[1])}
    if latency_name:
        figures[latency_name] = float(latency[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[latency[2]]
    return figures


def bulk(contender, scale):
    figures = {}
    for streams in (1, 4):
        for direction, options in (("to server", ()), ("to client", ("-R",))):
            words = ("-c", contender.address, "-p", IPERF, "-P", streams, *scale.iperf, *options, "--json")
            told = contender.client.run("iperf3", *map(str, words), timeout=20)
            rate = json.loads(told)["end"]["sum_received"]["bits_per_second"]
            figures[f"Gbit/s {streams} {direction}"] = rate / 1e9
    return figures


def ping(contender, scale):
    words = ("--to", contender.address, "--port", PING, "--count", scale.pings)
    told = traffic(contender.client, "ping", *words)
    if told["lost"] > scale.pings // 100:
        raise Failure(f"{contender.name}: {told['lost']} of {scale.pings} datagrams were not answered")
    return {"round trip p50 us": told["p50_us"], "round trip p99 us": told["p99_us"]}


def edits(contender, scale):
    """The round trip of one in a thousand: with nobody at the director's table, and with a thousand edits a second of
    it or, since whoever edits needs a processor too, of the table of another director, which forwards nothing."""
    figures = {}
    words = ("--to", contender.address, "--port", PING, "--count", 5 * scale.pings)
    service, server = f"-u {contender.vip}:{FRAMES}", f"{contender.real_server}:{FRAMES}"
    idle = Director(contender.client)
    idle.start()
    idle.configure(f"-A {service} -s rr\n-a {service} -r {server} {contender.method}")
    edited = {"": None, " during edits": contender.director, " during edits of another": idle}
    for name, director in edited.items():
        lines = changes(service, server, f"-u {contender.vip}:9999", contender.method)
        editor = Edits(director, lines) if director else None
        figures[f"round trip p999 us{name}"] = traffic(contender.client, "ping", *words)["p999_us"]
        if editor:
            figures["edits/s"] = editor.stop()
    idle.stop()
    return figures


def held(contender, scale):
    """Memory by which all processes grow for each open connection; the director's share of a table made at the start."""
    before = resident_bytes(contender.processes)
    words = ("--to", contender.address, "--port", DIAL, "--count", scale.held, "--window", 128)
    client = Background(contender.client, "hold", *words)
    told = client.first_line()
    if told["failed"]:
        raise Failure(f"{contender.name}: {told['failed']} of {scale.held} connections failed")
    grown = resident_bytes(contender.processes) - before
    figures = {"bytes a held connection": max(0, grown) / scale.held}
    if hasattr(contender, "director"):
        status = json.loads(contender.director.ctl("status --json", show=False))
        table = status["table"]
        figures["bytes a held connection"] = max(grown / scale.held, table["bytes"] / table["capacity"])
    client.process.stdin.close()
    client.process.wait(timeout=20)
    return figures


def idle(contender, scale):
    before = cpu_seconds(contender.processes)
    time.sleep(scale.idle)
    return {"idle CPU %": (cpu_seconds(contender.processes) - before) / scale.idle * 100}


# What a contender must be able to do, and the measure.
ALL = [
    ("idle", idle), ("frames", frames), ("frames", new_flows), ("ping", ping), ("edits", edits), ("tcp", connections), ("tcp", http),
    ("tcp", http_close), ("tcp", bulk), ("held", held),
]
# Figures of which less is better.
LESS = {
    "CPU ns a frame", "CPU ns a frame of the director", "CPU ns a frame of the sender alone", "HTTP p99 ms",
    "round trip p50 us", "round trip p99 us", "round trip p999 us", "round trip p999 us during edits",
    "round trip p999 us during edits of another",
    "bytes a held connection", "idle CPU %",
}
