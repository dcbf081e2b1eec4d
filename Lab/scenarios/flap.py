"""A download goes on while the director's interfaces go down, up and away, and while a killed director is started again."""

from runner.client import digest
from runner.host import Failure, cable, until
from runner.servers import make_payload

from . import dr, nat

# A director that is started again knows no connections: by these it takes up those it meets, at the same server.
AGAIN = f"""
    -E -t {dr.VIP}:80 -s sh
    set sloppy_tcp=1
"""
ADDRESSES = {"eth0": (f"{nat.VIP}/24",), "eth1": ("192.168.0.8/24",)}


class Download:
    """A download at a bounded rate, so that there is time for what happens meanwhile."""

    def __init__(self, lab, address, rate="20M", source=None):
        self.client = lab.host("client")
        self.payload = lab.file("payload")
        if not self.payload.exists():
            make_payload(lab)
        self.target = lab.file(f"downloaded-{source or 'here'}")
        self.size = self.payload.stat().st_size
        self.process = self.client.start(
            *("curl", "-sS", "--limit-rate", rate, "--max-time", "60", "-o", str(self.target)),
            *(("--interface", source) if source else ()),
            f"http://{address}/payload",
            stderr=-1,
            text=True,
        )

    def got(self):
        return self.target.stat().st_size if self.target.exists() else 0

    def expect_progress(self, what):
        """Waits until more has arrived than before."""
        if self.process.poll() is not None:
            raise Failure(f"the download ended before {what}: {self.process.stderr.read()}")
        before = self.got()
        until(lambda: self.got() > before + 1_000_000, f"the download to go on after {what}", 20)
        print(f"  the download goes on after {what}: {self.got():,} of {self.size:,} bytes")

    def expect_beginning(self):
        """Ends it before it is over; what has arrived so far must be as the file begins."""
        self.process.kill()
        self.process.communicate()
        arrived = self.target.read_bytes()
        with open(self.payload, "rb") as file:
            if file.read(len(arrived)) != arrived:
                raise Failure("the download does not bring what the file holds")
        print(f"  the download brought {len(arrived):,} bytes so far, as the file has them")

    def expect_all(self):
        _, complaint = self.process.communicate(timeout=60)
        if self.process.returncode != 0 or digest(self.target) != digest(self.payload):
            raise Failure(f"the download was not whole: {self.got()} bytes, {complaint}")
        print(f"  the download is whole: {self.got():,} bytes, sha256 matches")
        self.target.unlink()


def down_and_up(host, interface):
    host.run("ip", "link", "set", interface, "down", show=True)
    host.run("ip", "link", "set", interface, "up", show=True)


def make_anew(lab, interface):
    """Deletes an interface of the director's host and makes it again, as another card in the same slot."""
    host = lab.host("director")
    host.run("ip", "link", "del", interface, show=True)
    if interface == "eth0":
        client = lab.host("client")
        cable(host, "eth0", client, "eth0")
        client.address("eth0", "172.16.254.10/24")
    else:
        switch = lab.host("switch")
        cable(host, "eth1", switch, "to-director")
        switch.run("ip", "link", "set", "to-director", "master", "bridge")
    host.address(interface, *ADDRESSES[interface])
    print(f"  {interface} is there again")


def flaps(lab, scheme):
    nat.prepare_host(lab)
    host = lab.host("director")
    director = lab.director(interfaces=tuple(f"{scheme}:{name}" for name in ADDRESSES))
    director.configure(nat.RULES)
    download = Download(lab, nat.VIP)
    download.expect_progress("its start")
    for interface in ADDRESSES:
        for _ in range(2):
            down_and_up(host, interface)
        download.expect_progress(f"{interface} was down and up twice")
    for interface in ADDRESSES:
        make_anew(lab, interface)
        download.expect_progress(f"{interface} was made anew")
    download.expect_all()
    director.ctl("status")
    director.stop()
    lab.clear()


def restarts(lab, scheme):
    dr.prepare_hosts(lab)
    director = lab.director(
        interfaces=(f"{scheme}:eth0",), options=("--state", str(lab.file("state")))
    )
    director.configure(dr.RULES)
    director.configure(AGAIN)
    download = Download(lab, dr.VIP)
    download.expect_progress("its start")
    for _ in range(2):
        # An end by SIGTERM gives the host's own stack the VIP back, which would reset the client.
        director.kill()
        director.start()
        download.expect_progress("the director was killed and started")
        # What has arrived may have waited at the client.
        until(lambda: "ESTABLISHED" in director.ctl("-Lnc", show=False), "the director to know the connection")
    download.expect_all()
    director.stop()


def play(lab, scheme):
    flaps(lab, scheme)
    restarts(lab, scheme)


def run(lab):
    play(lab, "afpacket")
