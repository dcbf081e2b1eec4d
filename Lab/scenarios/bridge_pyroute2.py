"""Programs on Debian's pyroute2 behind director-run list the director's services."""

from runner.client import HELPERS
from runner.host import Failure

from .refusals import refused

# Debian's own: another python3 in PATH has no Debian packages.
PROGRAM = ("director-run", "/usr/bin/python3", str(HELPERS / "list_services.py"))
RULES = """
    -A -t 172.16.254.200:80 -s rr
    -A -u 172.16.254.200:53 -s wlc
    -A -t [2001:db8::1]:443 -s sh
"""
EXPECTED = {"6 172.16.254.200 80 rr", "17 172.16.254.200 53 wlc", "6 2001:db8::1 443 sh"}


def run(lab):
    lab.build("routed")
    director = lab.director(interfaces=("eth0",))
    director.configure(RULES)
    found = director.host.run(*PROGRAM, show=True)
    if set(found.splitlines()) != EXPECTED:
        raise Failure(f"expected {sorted(EXPECTED)}")
    # Many services come in many packets.
    lines = "".join(f"-A -u 10.1.{number // 200}.{number % 200 + 1}:53 -s rr\n" for number in range(1000))
    director.host.run("directorctl", "-R", input=lines)
    found = director.host.run(*PROGRAM).splitlines()
    print(f"  of 1,003 services {len(set(found))} are listed")
    if len(set(found)) != 1003 or len(found) != 1003:
        raise Failure("services are missing, or come twice")
    director.stop()
    refused(
        director.host,
        *("env", "DIRECTOR_WAIT=0.2", *PROGRAM),
        says=["no director answers"],
    )
