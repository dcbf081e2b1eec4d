"""Tagged frames on a trunk without VLAN interfaces: requests leave with the tag they came with, by DR and NAT."""

import re
import struct

from runner.client import HELPERS
from runner.host import Failure, until
from topologies.switched import VIP

RULES = f"""
    -A -u {VIP}:7353 -s rr
    -a -u {VIP}:7353 -r 192.168.0.18:7353 -g
    -A -u {VIP}:7354 -s rr
    -a -u {VIP}:7354 -r 192.168.0.18:5300 -m
"""
CLIENT = "192.168.0.10"
TAGS = (10, 20)


def octets(text, separator, base=10):
    return bytes(int(part, base) for part in text.split(separator))


def frame(source, destination, tag, port):
    """A datagram to the VIP in an Ethernet frame with a tag of 802.1Q, written in hexadecimal."""
    data = b"tagged %d" % tag
    # A UDP checksum of 0 is none (RFC 768).
    datagram = struct.pack(">HHHH", 4000 + tag, port, 8 + len(data), 0) + data
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), tag, 0x4000, 64, 17, 0)
    header += octets(CLIENT, ".") + octets(VIP, ".")
    total = sum(struct.unpack(">10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    header = header[:10] + struct.pack(">H", checksum) + header[12:]
    link = octets(destination, ":", 16) + octets(source, ":", 16) + struct.pack(">HHH", 0x8100, tag, 0x0800)
    return (link + header + datagram).hex()


def hardware(host):
    return host.run("cat", "/sys/class/net/eth0/address").strip()


def run(lab):
    lab.build("switched")
    host, client, server = lab.host("director"), lab.host("client"), lab.host("server1")
    host.address("eth0", f"{VIP}/32")
    director = lab.director(interfaces=("eth0",))
    director.configure(RULES)
    until(lambda: "192.168.0.18" not in director.ctl("status", show=False), "the server's hardware address")
    log = lab.file("seen.log")
    server.start("tcpdump", "-i", "eth0", "-n", "-e", "-l", "vlan", log=log.name)
    until(lambda: "listening" in log.read_text(), "tcpdump to listen")

    lines = [frame(hardware(client), hardware(host), tag, port) for tag in TAGS for port in (7353, 7354)]
    client.run("python3", str(HELPERS / "send_frames.py"), "eth0", input="\n".join(lines) + "\n")
    mine, theirs = hardware(host), hardware(server)
    for tag in TAGS:
        for target in (f"{VIP}.7353", "192.168.0.18.5300"):
            words = rf"{mine} > {theirs}, .*vlan {tag}, .*{CLIENT}.{4000 + tag} > {target}: UDP"
            until(lambda: re.search(words, log.read_text()), f"a frame with tag {tag} to {target} at the server", 5)
            print(f"  tag {tag}: arrived at {target} with its tag")
    # One that is sent once is seen once: the host's own stack forwards nothing beside the director.
    seen = [line for line in log.read_text().splitlines() if f"{mine} > {theirs}" in line]
    if len(seen) != len(lines):
        raise Failure("frames at the server:\n" + "\n".join(seen))
    director.stop()
