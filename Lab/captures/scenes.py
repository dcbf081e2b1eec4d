"""What is recorded: each scene has real clients speak with real servers through the director."""

import pathlib
import sys

from runner.client import get
from runner.host import Failure, until
from runner.servers import quiet_about_vip, receive_ipip, start_nginx, start_vsftpd
from runner.traffic import listening

from .stage import VIP, VIP6

TALK = str(pathlib.Path(__file__).parent / "talk.py")
RIPS = ("10.2.0.11", "10.2.0.12")


def rules(kind, port, *words, service="-s rr", rips=RIPS, vip=VIP, method="-m", weights=(1, 1)):
    """A virtual service and its two servers."""
    lines = [f"-A -{kind} {vip}:{port} {service}"]
    for rip, weight in zip(rips, weights):
        lines.append(f"-a -{kind} {vip}:{port} -r {rip}:{port} {method} -w {weight}")
    return "\n".join([*lines, *words])


def talk(host, *words):
    said = host.run(sys.executable, TALK, *map(str, words), show=True)
    return said.split("\n")[:-1]


def talkers(stage, port, command, *words):
    """Starts one speaker on each server and waits until it listens."""
    for host in stage.servers:
        name = (host.name,) if not words else words
        host.start(sys.executable, TALK, command, *map(str, name), log=f"{command}.log")
        listening(host, port, "udp")


def expect(said, wanted):
    if said != wanted:
        raise Failure(f"expected {wanted}, got {said}")


def fetch(stage, count, wanted, url=f"http://{VIP}/"):
    expect(sorted(get(stage.client, url) for _ in range(count)), wanted)


def http(stage):
    """HTTP: nginx and curl, NAT, weights two to one."""
    stage.between()
    for host in stage.servers:
        start_nginx(host)
    stage.serve(rules("t", 80, service="-s wrr", weights=(2, 1)))
    fetch(stage, 6, ["server1"] * 4 + ["server2"] * 2)


def http6(stage):
    """HTTP over IPv6, NAT; times are in nanoseconds."""
    stage.between()
    for host in stage.servers:
        start_nginx(host)
    rips = ("[2001:db8:2::11]", "[2001:db8:2::12]")
    stage.serve(rules("t", 80, rips=rips, vip=f"[{VIP6}]"), nanoseconds=True)
    fetch(stage, 2, ["server1", "server2"], f"http://[{VIP6}]/")


def tls(stage):
    """TLS: openssl s_server and s_client, NAT."""
    stage.between()
    key, certificate = stage.lab.file("key.pem"), stage.lab.file("certificate.pem")
    words = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=service.example.net")
    stage.client.run("openssl", "req", "-x509", "-nodes", *words, "-keyout", str(key), "-out", str(certificate))
    for host in stage.servers:
        words = ("-accept", "443", "-key", str(key), "-cert", str(certificate), "-quiet", "-www")
        host.start("openssl", "s_server", *words, log=f"{host.name}.log")
        listening(host, 443)
    stage.serve(rules("t", 443, service="-s wlc"))
    for version in ("-tls1_2", "-tls1_3"):
        said = stage.client.run("openssl", "s_client", "-connect", f"{VIP}:443", version, input="")
        if "Verify return code" not in said:
            raise Failure(f"no TLS session:\n{said}")


def dns(stage):
    """DNS over UDP: one service with connections, one that schedules every datagram (-o) and translates no answer."""
    stage.between()
    talkers(stage, 53, "dns-serve")
    every = rules("u", 5353, service="-s rr -o").replace(":5353 -m", ":53 -m")
    stage.serve(rules("u", 53) + "\n" + every)
    said = talk(stage.client, "dns-ask", VIP, 53, 6)
    expect(sorted(said), ["192.0.2.1"] * 3 + ["192.0.2.2"] * 3)
    talk(stage.client, "dns-ask", VIP, 5353, 6, "deaf")


def ftp(stage):
    """FTP: vsftpd and curl, passive and active, which the director has to read along."""
    stage.between()
    payload = stage.lab.file("file")
    payload.write_bytes(bytes(range(256)) * 8)
    for host in stage.servers:
        start_vsftpd(host, payload)
    stage.serve(rules("t", 21))
    for words in (["--disable-epsv"], [], ["--disable-eprt", "--ftp-port", "-"], ["--ftp-port", "-"]):
        target = stage.lab.file("fetched")
        stage.client.run("curl", "-sS", "--max-time", "20", *words, "-o", str(target), f"ftp://{VIP}/file", show=True)
        expect(target.read_bytes(), payload.read_bytes())


def sip(stage):
    """SIP: calls whose messages come from changing ports and are held together by their Call-ID."""
    stage.between()
    talkers(stage, 5060, "sip-serve")
    stage.serve(rules("u", 5060, service="-s rr -p 60 --pe sip"))
    said = talk(stage.client, "sip-call", VIP, 4)
    expect(said[::2], said[1::2])
    expect(len(set(said)), 2)


def iperf3(stage):
    """iperf3: a control and a data connection, kept together by persistence, in both directions."""
    stage.between()
    for host in stage.servers:
        host.start("iperf3", "-s", log=f"{host.name}.log")
        listening(host, 5201)
    stage.serve(rules("t", 5201, service="-s rr -p 60"))
    for words in ([], ["-R"]):
        stage.client.run("iperf3", "-c", VIP, "-n", "4K", "-l", "1K", *words, timeout=20, show=True)


def fragments(stage):
    """Datagrams of 4,000 bytes in fragments, there and back."""
    stage.between()
    talkers(stage, 7, "echo", 7)
    stage.serve(rules("u", 7))
    for size in (4000, 3000):
        expect(talk(stage.client, "send", VIP, 7, size), ["answered"])


def icmp_errors(stage):
    """ICMP errors: too big for the way to the servers, ports that nobody serves, on both sides."""
    stage.between()
    talkers(stage, 7, "echo", 7)

    def narrow(host):
        for rip in RIPS:
            host.run("ip", "route", "add", rip, "dev", "srv", "mtu", "1400")

    stage.serve(rules("u", 7, rules("u", 9)), arrange=narrow)
    # Longer than the way allows: the director says so. Shorter: it goes through. Without DF it is cut.
    expect(talk(stage.client, "send", VIP, 7, 1450, "df"), ["Message too long"])
    expect(talk(stage.client, "send", VIP, 7, 1300, "df"), ["answered"])
    expect(talk(stage.client, "send", VIP, 7, 1450), ["answered"])
    # Nobody serves port 9: the server says so, and its words have to be translated for the client.
    expect(talk(stage.client, "send", VIP, 9, 100), ["Connection refused"])
    # The client is gone when the answer comes: its complaint has to be translated for the server.
    expect(talk(stage.client, "send", VIP, 7, 100, "close"), [])
    stage.client.run("sleep", "0.5")


def persistence(stage):
    """Three clients of a persistent service, and one that a server without a weight keeps."""
    stage.between()
    addresses = [f"10.1.0.{number}" for number in (20, 30, 40)]
    for address in addresses:
        stage.client.address("eth0", f"{address}/24")
        words = (address, "lladdr", "02:00:0a:01:00:0a", "dev", "cli", "nud", "permanent")
        stage.lab.host("director").run("ip", "neighbour", "replace", *words)
    for host in stage.servers:
        start_nginx(host)
    director = stage.serve(rules("t", 80, service="-s rr -p 300"))
    seen = {}
    for address in addresses * 2:
        page = stage.client.run("curl", "-sS", "--interface", address, "--max-time", "10", f"http://{VIP}/").strip()
        expect(seen.setdefault(address, page), page)
    expect(len(set(seen.values())), 2)
    director.ctl("-Lnc")


def refused(stage):
    """Connections to a service without servers, and to one whose servers are closed."""
    stage.between()
    stage.serve(f"-A -t {VIP}:80 -s rr\n" + rules("t", 81))
    for port in (80, 81):
        done = stage.client.attempt("curl", "-sS", "--max-time", "2", f"http://{VIP}:{port}/", show=True)
        if done.returncode == 0:
            raise Failure(f"port {port} answered")


def fullnat(stage):
    """HTTP with FULLNAT: servers see the director's local address."""
    stage.between()
    for host in stage.servers:
        start_nginx(host)
    local = "10.2.0.200"
    for host in stage.servers:
        words = (local, "lladdr", "02:00:0a:02:00:01", "dev", "eth0", "nud", "permanent")
        host.run("ip", "neighbour", "replace", *words)
    stage.serve(rules("t", 80, f"-P -t {VIP}:80 -z {local}", method="--fullnat"))
    fetch(stage, 4, ["server1"] * 2 + ["server2"] * 2)


def dr(stage):
    """HTTP with DR; times are in nanoseconds."""
    stage.beside()
    for host in stage.servers:
        quiet_about_vip(host, VIP, "lo")
        start_nginx(host)
    stage.serve(rules("t", 80, rips=("10.1.0.11", "10.1.0.12"), method="-g"), nanoseconds=True)
    fetch(stage, 4, ["server1"] * 2 + ["server2"] * 2)


def tun(stage):
    """HTTP with TUN, and a datagram that has no room beside the outer header."""
    stage.beside()
    for host in stage.servers:
        receive_ipip(host)
        quiet_about_vip(host, VIP, "tunnel")
        start_nginx(host)
    talkers(stage, 7, "echo", 7)
    rips = ("10.1.0.11", "10.1.0.12")
    stage.serve(rules("t", 80, rules("u", 7, rips=rips, method="-i"), rips=rips, method="-i"))
    fetch(stage, 4, ["server1"] * 2 + ["server2"] * 2)
    expect(talk(stage.client, "send", VIP, 7, 1470, "df"), ["Message too long"])


SCENES = {
    scene.__name__.replace("_", "-"): scene
    for scene in (
        *(http, http6, tls, dns, ftp, sip, iperf3, fragments, icmp_errors),
        *(persistence, refused, fullnat, dr, tun),
    )
}
