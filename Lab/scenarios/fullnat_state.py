"""A director with FULLNAT is killed and started again: local addresses, options and settings are back, and traffic flows."""

from runner.client import requests
from runner.host import Failure
from topologies.distant import HOSTS_LOCAL, SERVERS, VIP, VIP6

from . import fullnat

LISTINGS = ("-Sn", "-Ln", "-Ln --json", "get fullnat_lport_min", "get fullnat_lport_max")
COMMANDS = f"""
    -P -t {VIP}:80 -z 192.168.0.110-119
    -A -t {VIP}:81 -s wlc --toa syn --new-isn --no-timestamps
    -a -t {VIP}:81 -r {SERVERS['server1']}:80 --fullnat -w 7
    -P -t {VIP}:81 -z 192.168.0.120
    -E -t [{VIP6}]:80 -s rr --toa ack
    set fullnat_lport_max=32000
    set fullnat_lport_min=2000
    -P -t {VIP}:81 -z {HOSTS_LOCAL}
"""


def addresses(director):
    """What -G says without its changing figures."""
    return [line.split()[0] for line in director.ctl("-G", show=False).splitlines()]


def told(director):
    return [director.ctl(line, show=False) for line in LISTINGS] + [addresses(director)]


def run(lab):
    options = ("--state", str(lab.file("state")))
    director = fullnat.prepare(lab, options=options)
    host, client = lab.host("director"), lab.host("client")
    director.configure(COMMANDS)
    director.ctl("-G")
    director.ctl("-Sn")
    before = told(director)
    director.ctl("save-state")
    director.kill()
    director.start()
    expect(director, before, "killed")
    flows(client)
    director.stop()
    # What the host needs for itself by now is no reason not to serve; the director says so.
    host.set(ip_local_port_range="2000 32000")
    director.start()
    expect(director, before, "ended")
    flows(client)
    host.set(ip_local_port_range="32768 60999")

    # The saved commands alone bring it all back.
    saved = director.ctl("-Sn", show=False)
    director.ctl("-C")
    if director.ctl("-Sn", show=False) or len(addresses(director)) != 1:
        raise Failure("something is left after -C")
    host.run("directorctl", "-R", input=saved)
    if director.ctl("-Sn", show=False) != saved or addresses(director) != before[-1]:
        raise Failure("-R makes of -S something else:\n" + director.ctl("-Sn", show=False))
    flows(client)
    print("  saved and restored: nothing is lost")
    director.stop()


def expect(director, before, what):
    after = told(director)
    for line, one, other in zip([*LISTINGS, "-G"], before, after):
        if one != other:
            raise Failure(f"{what}: {line} was\n{one}and is\n{other}")
    print(f"  {what}: nothing is lost")


def flows(client):
    for url in (f"http://{VIP}/", f"http://[{VIP6}]/"):
        requests(client, url, expect=fullnat.EVEN)
