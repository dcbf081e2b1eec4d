"""One iperf3 stream through NAT in both directions, with segmentation left to the interfaces."""

import json

from runner.host import Failure, until

from . import nat

RULES = f"""
    -A -t {nat.VIP}:5201 -s rr
    -a -t {nat.VIP}:5201 -r 192.168.0.18:5201 -m
"""
# What else happens on the machine would be measured.
ALONE = True
LONG = True
# A NAT that breaks checksums or super-frames crawls at a few Mbit/s or not at all.
LEAST_GIGABITS = 0.2


def run(lab):
    director = nat.prepare(lab, rules=RULES)
    server, client = lab.host("server1"), lab.host("client")
    features = client.run("ethtool", "-k", "eth0")
    if "tcp-segmentation-offload: on" not in features:
        raise Failure("segmentation offload is off on the client: this lab would prove nothing")
    server.start("iperf3", "-s", log="iperf3.log")
    until(lambda: ":5201" in server.run("ss", "-ltn"), "iperf3 to listen")
    for direction, options in (("to the server", []), ("to the client", ["-R"])):
        gigabits = measure(client, options)
        print(f"  {direction}: {gigabits:.2f} Gbit/s")
        if gigabits < LEAST_GIGABITS:
            raise Failure(f"less than {LEAST_GIGABITS} Gbit/s {direction}")
    director.ctl("-Ln --stats")


def measure(client, options, address=nat.VIP, seconds=3):
    """Runs one stream for some seconds; returns Gbit/s as the receiving side counted them."""
    command = ["iperf3", "-c", address, "-t", str(seconds), *options]
    client.say(command)
    report = json.loads(client.run(*command, "--json", timeout=30))
    return report["end"]["sum_received"]["bits_per_second"] / 1e9
