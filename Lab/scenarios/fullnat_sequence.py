"""60,000 short connections one after another over one local address to one server, and none fails."""

import re
import sys

from runner.client import HELPERS
from runner.host import Failure, until
from topologies.distant import LOCAL, SERVERS, VIP

from .fullnat import rules

LONG = True
CONNECTIONS = 60_000
PORT = 7000
PROGRAM = (sys.executable, str(HELPERS / "sequence.py"))
CLIENTS = [f"172.16.254.{number}" for number in range(20, 24)]


def run(lab):
    lab.build("distant")
    client, server = lab.host("client"), lab.host("server1")
    client.address("eth0", *(f"{address}/24" for address in CLIENTS))
    # The lab may not use the ports that this host's own programs get.
    client.set(ip_local_port_range="60000 65000")
    server.start(*PROGRAM, "serve", str(PORT), log="sequence.log")
    until(lambda: f":{PORT} " in server.run("ss", "-ltn"), "the server")
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(rules(VIP, [SERVERS["server1"]], LOCAL, port=PORT))
    said = client.run(*PROGRAM, "connect", VIP, str(PORT), str(CONNECTIONS), *CLIENTS, timeout=400)
    print("  " + said.strip())
    if not said.startswith(f"{CONNECTIONS} connections made, 0 failed"):
        raise Failure("not every connection was made")
    director.ctl("-G")
    listed = director.ctl("-Ln --stats --exact")
    found = re.search(rf"TCP +{re.escape(VIP)}:{PORT} +(\d+)", listed)
    if not found or int(found[1]) != CONNECTIONS:
        raise Failure(f"the director counts other than {CONNECTIONS} connections")
    director.ctl("status")
    director.stop()
