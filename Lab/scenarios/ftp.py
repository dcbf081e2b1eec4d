"""FTP through NAT: passive and active transfers, over IPv4 and IPv6, of many files in one session."""

import re

from runner.client import digest
from runner.host import Failure
from runner.servers import start_vsftpd

VIP = "172.16.254.200"
VIP6 = "2001:db8:254::200"
SERVERS = ("192.168.0.18", "192.168.0.28")
SERVERS6 = ("2001:db8:168::18", "2001:db8:168::28")
RULES = f"-A -t {VIP}:21 -s rr\n-A -t [{VIP6}]:21 -s rr\n"
RULES += "".join(f"-a -t {VIP}:21 -r {address}:21 -m\n" for address in SERVERS)
RULES += "".join(f"-a -t [{VIP6}]:21 -r [{address}]:21 -m\n" for address in SERVERS6)
# How curl opens the data connection: its words, and the commands it must have used.
WAYS = {
    "PASV": ("--disable-epsv",),
    "EPSV": (),
    "PORT": ("--disable-eprt", "--ftp-port", "-"),
    "EPRT": ("--ftp-port", "-"),
}


def run(lab):
    transfer(lab)


def transfer(lab, options=()):
    """Every way over both families, with a director of these options."""
    lab.build("routed")
    director = lab.host("director")
    director.set(ip_forward=0)
    payload = lab.file("file")
    payload.write_bytes(bytes(range(256)) * 4096)
    for name in ("server1", "server2"):
        start_vsftpd(lab.host(name), payload)
    balancer = lab.director(interfaces=("eth0", "eth1"), options=options)
    balancer.configure(RULES)
    client = lab.host("client")
    for word, options in WAYS.items():
        fetch(client, f"ftp://{VIP}", word, options, payload)
    for word in ("EPSV", "EPRT"):
        fetch(client, f"ftp://[{VIP6}]", word, WAYS[word], payload)
    listed = balancer.ctl("-Ln --stats --exact")
    if not re.search(r"192\.168\.0\.28:21 +[1-9]", listed):
        raise Failure("not every server had a session")
    balancer.ctl("-Lnc")
    balancer.stop()


def fetch(client, base, word, options, payload):
    """Three files in one session: later transfers need sequence numbers that earlier answers have moved."""
    target = client.lab.file("fetched")
    words = ["curl", "-sSv", "--max-time", "20", *options]
    for number in range(3):
        words += ["-o", f"{target}{number}", f"{base}/file"]
    client.say(words)
    done = client.attempt(*words)
    if done.returncode != 0:
        raise Failure(f"{word} {base}:\n{done.stderr}")
    used = len(re.findall(rf"^> {word}\b", done.stderr, re.MULTILINE))
    if used != 3:
        raise Failure(f"curl sent {word} {used} times, not 3:\n{done.stderr}")
    for number in range(3):
        fetched = client.lab.file(f"fetched{number}")
        if digest(fetched) != digest(payload):
            raise Failure(f"{word} {base}: file {number} arrived damaged")
        fetched.unlink()
    print(f"  {word} {base}: 3 files of {payload.stat().st_size:,} bytes arrived whole")
