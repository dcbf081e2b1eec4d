"""NAT over IPv6: requests, a download and datagrams pass a director on a forwarding host; another address is answered for."""

from runner.client import download, requests
from runner.host import Failure, until
from runner.servers import make_payload, start_nginx
from topologies.routed import VIP6

from . import udp

# Not configured on any host: the director answers for it.
ANSWERED = "2001:db8:254::201"
RULES = f"""
    -A -t [{VIP6}]:80 -s wrr
    -a -t [{VIP6}]:80 -r [2001:db8:168::18]:80 -m -w 1
    -a -t [{VIP6}]:80 -r [2001:db8:168::28]:80 -m -w 1
    -A -t [{ANSWERED}]:8080 -s rr
    -a -t [{ANSWERED}]:8080 -r [2001:db8:168::18]:80 -m
    -a -t [{ANSWERED}]:8080 -r [2001:db8:168::28]:80 -m
    -A -u [{VIP6}]:5353 -s rr
    -a -u [{VIP6}]:5353 -r [2001:db8:168::18]:5300 -m
    -a -u [{VIP6}]:5353 -r [2001:db8:168::28]:5300 -m
"""


def expect_replies_translated(client, capture):
    """With the host forwarding, an untranslated copy of a reply would come from a server's address."""
    seen = capture()
    if "2001:db8:168::" in seen:
        raise Failure(f"the client sees a server's own address:\n{seen}")
    print("  the client sees the virtual addresses only, although the host forwards")


def run(lab):
    lab.build("routed")
    host, client = lab.host("director"), lab.host("client")
    host.set6(conf__all__forwarding=1)
    make_payload(lab)
    for name in ("server1", "server2"):
        start_nginx(lab.host(name))
    director = lab.director(interfaces=("eth0", "eth1"), options=("--answer", ANSWERED))
    director.configure(RULES)

    even = {"server1": 5, "server2": 5}
    capture = watch(client)
    requests(client, f"http://[{VIP6}]/", expect=even, alternate=True)
    requests(client, f"http://[{ANSWERED}]:8080/", expect=even, alternate=True)
    expect_replies_translated(client, capture)
    download(client, f"http://[{VIP6}]/payload", expected=lab.file("payload"))
    # 1,440 bytes and the server's name are just what fits into 1,500.
    udp.exchange(lab, sizes=(1, 100, 1400, 1440), vip=VIP6)
    closed = client.attempt("curl", "-sS", "--max-time", "3", f"http://[{VIP6}]:81/")
    if closed.returncode != 7:
        raise Failure(f"a closed port of the VIP is not refused at once: {closed.stderr.strip()}")
    director.ctl("-Ln --stats")
    director.stop()


def watch(client):
    """Counts from now on what arrives from whom; the returned function ends that and tells."""
    log = client.lab.file("tcpdump.log")
    tcpdump = client.start(
        *("tcpdump", "-l", "-n", "-i", "eth0", "-Q", "in", "tcp or udp"), log="tcpdump.log"
    )
    until(lambda: "listening" in log.read_text(), "tcpdump")

    def end():
        until(lambda: VIP6 in log.read_text(), "a packet")
        tcpdump.terminate()
        tcpdump.wait(timeout=10)
        return log.read_text()

    return end
