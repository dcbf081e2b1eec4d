"""Super-frames on their way to servers arrive unharmed by NAT, DR and TUN; for the tunnel the director cuts them itself."""

import json

from runner.bulk import rules, start_bulk, upload
from runner.host import Failure, until
from runner.servers import quiet_about_vip, receive_ipip
from runner.usage import usage
from topologies import routed, switched

from . import iperf

# The speeds are shown side by side.
ALONE = True
LONG = True
COUNT = 30_000_000
SECONDS = 2
IPERF = "-A -t {vip}:5201 -s rr\n-a -t {vip}:5201 -r 192.168.0.18:5201 {method}"


def prepare(lab, method):
    if method == "-m":
        lab.build("routed")
        return routed.VIP, ("eth0", "eth1")
    lab.build("switched")
    server = lab.host("server1")
    if method == "-i":
        receive_ipip(server)
    quiet_about_vip(server, switched.VIP, "tunnel" if method == "-i" else "lo")
    lab.host("director").address("eth0", f"{switched.VIP}/32")
    return switched.VIP, ("eth0",)


def traffic(director):
    """Frames and bytes that came in, and that went out to servers, on all interfaces."""
    sums = [0, 0, 0, 0]
    for interface in json.loads(director.ctl("status --json", show=False))["interfaces"]:
        for place, (way, what) in enumerate((way, what) for way in ("received", "sent") for what in ("frames", "bytes")):
            sums[place] += interface[way][what]
    return sums


def play(lab, name, method):
    vip, interfaces = prepare(lab, method)
    client, server = lab.host("client"), lab.host("server1")
    start_bulk(server)
    server.start("iperf3", "-s", log="iperf3.log")
    until(lambda: ":5201" in server.run("ss", "-ltn"), "iperf3 to listen")
    director = lab.director(interfaces=interfaces)
    director.configure(rules(vip, ["192.168.0.18"], method))
    director.configure(IPERF.format(vip=vip, method=method))

    # The client learns how long packets may be, and the worker has seen what there is to see.
    upload(client, vip, 1_000_000)
    before, faults = traffic(director), usage(director.process.pid, "worker").faults
    speed = upload(client, vip, COUNT)
    frames_in, bytes_in, frames_out, bytes_out = (now - then for now, then in zip(traffic(director), before))
    faults = usage(director.process.pid, "worker").faults - faults
    print(f"  {name}: {COUNT:,} bytes arrive unharmed, {speed:.0f} MB/s, {faults} page faults of workers")
    print(f"  {name}: {frames_in:,} frames came, {frames_out:,} went")
    if bytes_in / frames_in < 3000 and method != "-m":
        raise Failure(f"frames of {bytes_in / frames_in:.0f} bytes came: no super-frames, and nothing is shown")
    if method == "-i" and frames_out < bytes_out / 1514:
        raise Failure(f"{frames_out} frames with {bytes_out} bytes went into the tunnel: some are longer than the MTU")
    if faults > 20:
        raise Failure(f"{faults} page faults of workers, and not at most 20")
    before = usage(director.process.pid, "worker").cpu_seconds
    speed = iperf.measure(client, [], vip, SECONDS)
    cpu = usage(director.process.pid, "worker").cpu_seconds - before
    # What the server's end of a tunnel costs is not the director's, whose own work this shows.
    print(f"  {name}: iperf3 {speed:.2f} Gbit/s, {cpu / (speed * SECONDS / 8):.2f} s of the worker's CPU a gigabyte")
    return speed


def run(lab):
    speeds = {}
    for name, method in (("NAT", "-m"), ("DR", "-g"), ("TUN", "-i")):
        speeds[name] = play(lab, name, method)
        lab.clear()
    print("  " + ", ".join(f"{name} {speed:.2f} Gbit/s" for name, speed in speeds.items()))
    print(f"  TUN / NAT {speeds['TUN'] / speeds['NAT']:.2f}")
