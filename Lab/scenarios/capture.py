"""A capture of the director shows both sides, those of AF_XDP too, which tcpdump does not see."""

from runner.client import requests
from runner.host import Failure, until

from . import nat


def frames(host, path, *expression):
    return host.run("tcpdump", "-n", "-e", "-r", str(path), *expression).splitlines()


def play(lab, interfaces):
    nat.prepare_host(lab)
    host = lab.host("director")
    path = lab.file("both.pcap")
    director = lab.director(interfaces=interfaces, options=("--capture-to", str(path)))
    director.configure(nat.RULES)
    requests(lab.host("client"), f"http://{nat.VIP}/", count=4)
    until(lambda: f"capture to {path}" in director.ctl("status", show=False), "the capture in the status")
    director.stop()
    outside = frames(host, path, "host", "172.16.254.10", "and", "host", nat.VIP, "and", "tcp")
    inside = frames(host, path, "host", "172.16.254.10", "and", "net", "192.168.0.0/24", "and", "tcp")
    print(f"  {len(outside)} frames with the VIP, {len(inside)} with a real server")
    for name, seen in (("outside", outside), ("inside", inside)):
        if len([line for line in seen if "Flags [S]" in line]) != 4:
            raise Failure(f"four connections, and their first frames {name} are:\n" + "\n".join(seen))
    if len(inside) != len(outside):
        raise Failure("not every frame is there as it came and as it left, once each")
    lab.clear()


def refused(lab):
    """A capture that cannot be is told before anything is served."""
    nat.prepare_host(lab)
    host = lab.host("director")
    for words, said in (
        (("--capture-to", "/nosuch/file"), "capture to /nosuch/file: No such file or directory"),
        (("--capture-limit", "5"), "--capture-limit needs --capture-to"),
        (("--capture-to", "file", "--capture-limit", "0"), "1 to 1000000 are accepted"),
    ):
        done = host.attempt("director", "--interface", "eth0", *words)
        if done.returncode == 0 or said not in done.stderr:
            raise Failure(f"director {' '.join(words)}: status {done.returncode}, {done.stderr}")
    print("  what cannot be a capture is refused by name")


def run(lab):
    play(lab, ("eth0", "eth1"))
    play(lab, ("xdp:eth0", "xdp:eth1"))
    refused(lab)
