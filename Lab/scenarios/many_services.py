"""10,000 services with two servers each: restored in seconds, listed, brought back after a crash, cleared."""

import time

from runner.client import requests
from runner.host import Failure, until

from . import nat

SERVICES = 10_000
# The last one is what the client asks; on a machine that does nothing else it takes 1 s.
MOST_SECONDS = 15


def rules():
    lines = []
    for number in range(SERVICES - 1):
        virtual = f"10.77.{number >> 8}.{number & 255}:80"
        lines.append(f"-A -t {virtual} -s wrr")
        lines += [f"-a -t {virtual} -r 192.168.0.{server}:80 -m" for server in (18, 28)]
    return "\n".join(lines) + nat.RULES.replace("    ", "")


def count(director):
    return director.ctl("-Sn", show=False).count("-A -t")


def run(lab):
    nat.prepare_host(lab)
    file, state = lab.file("rules"), lab.file("state")
    file.write_text(rules())
    director = lab.director(interfaces=("eth0", "eth1"), options=("--state", str(state)))
    host = lab.host("director")
    began = time.monotonic()
    host.run("sh", "-c", f"directorctl -R < {file}", show=True)
    took = time.monotonic() - began
    print(f"  {SERVICES} services with two servers each restored in {took:.2f} s")
    if count(director) != SERVICES:
        raise Failure(f"{count(director)} services are there")
    if took > MOST_SECONDS:
        raise Failure(f"that took more than {MOST_SECONDS} s")
    even = {"server1": 5, "server2": 5}
    requests(lab.host("client"), f"http://{nat.VIP}/", expect=even)
    saved = director.ctl("-Sn", show=False)
    until(lambda: state.read_text().count(" service ") == SERVICES, "the state file to hold all services")
    director.kill()
    began = time.monotonic()
    director.start()
    print(f"  the director answers {time.monotonic() - began:.2f} s after it was started again")
    if director.ctl("-Sn", show=False) != saved:
        raise Failure("the table is not what it was")
    requests(lab.host("client"), f"http://{nat.VIP}/", expect=even)
    director.ctl("-C")
    if count(director) != 0:
        raise Failure("services are left")
    director.stop()
