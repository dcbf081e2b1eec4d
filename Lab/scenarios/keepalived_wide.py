"""One of everything that keepalived asks for gives the listings of a kernel director, while servers die and return."""

import signal

from runner.host import Failure, stop, until
from runner.keepalived import Keepalived
from runner.lab import ROOT
from runner.servers import start_nginx

FILES = ROOT / "Lab" / "keepalived"
LISTINGS = ["-Sn", "-Ln --thresholds", "-L --timeout", "-L --daemon"]
SERVERS = ["server1", "server2"]


def recorded():
    """What the listings were on a kernel director, by phase."""
    blocks = (FILES / "wide.kernel").read_text(encoding="utf-8").split("== ")[1:]
    return {name: text for name, _, text in (block.partition("\n") for block in blocks)}


def listings(host):
    """The same of this director, by unmodified ipvsadm; the daemons in alphabetical order."""
    shown = [host.run("director-run", "ipvsadm", *line.split()) for line in LISTINGS]
    return "".join(shown[:-1]) + "".join(sorted(shown[-1].splitlines(keepends=True)))


def expect(host, phase, text):
    try:
        until(lambda: listings(host) == text, phase, 12)
    except Failure:
        raise Failure(f"{phase}: a kernel director shows\n{text}and this one\n{listings(host)}") from None
    print(f"  {phase}: as on a kernel director, byte for byte ({len(text.splitlines())} lines)")


def run(lab):
    lab.build("switched")
    phases = recorded()
    nginx = [start_nginx(lab.host(name)) for name in SERVERS]
    director = lab.director(interfaces=("eth0",))
    host = director.host
    # keepalived is told to clear the table first.
    director.ctl("-A -t 10.0.0.1:80 -s rr")
    keepalived = Keepalived(host, (FILES / "wide.conf").read_text(encoding="utf-8"))
    keepalived.start()
    expect(host, "start", phases["start"])
    print("server1# service nginx stop\nserver2# service nginx stop")
    for server in nginx:
        stop(server)
    expect(host, "both servers down", phases["both servers down"])
    for name in SERVERS:
        start_nginx(lab.host(name))
    expect(host, "back", phases["back"])
    text = keepalived.config.read_text()
    keepalived.config.write_text(text.replace("weight 4", "weight 9").replace("lb_algo sed", "lb_algo nq"))
    print("director# service keepalived reload")
    keepalived.process.send_signal(signal.SIGHUP)
    expect(host, "reload", phases["back"].replace("-w 4", "-w 9").replace(" sed", " nq"))
    keepalived.stop()
    expect(host, "end", phases["end"])
