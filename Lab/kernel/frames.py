"""Bytes of frames: finding headers, sums, and a line that says what a frame is."""

import ipaddress
import struct

ETHERNET = 14
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
ICMP, IGMP, IPIP, TCP, UDP, IPV6_IN, GRE, ESP, AH, ICMP6, SCTP = 1, 2, 4, 6, 17, 41, 47, 50, 51, 58, 132
NAMES = {ICMP: "icmp", TCP: "tcp", UDP: "udp", ICMP6: "icmp6", SCTP: "sctp", ESP: "esp", AH: "ah"}
EXTENSIONS = {0, 43, 60}
FRAGMENT = 44
FLAGS = "FSRPAUEC"


def be16(data, at):
    return int.from_bytes(data[at : at + 2], "big")


def be32(data, at):
    return int.from_bytes(data[at : at + 4], "big")


def fold(data, start=0):
    """The Internet sum, not inverted; 0xffff over data whose sum is right."""
    if len(data) % 2:
        data += b"\0"
    total = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Packet:
    """An IP packet inside `data` from byte `at`; `ok` is false when there is none."""

    def __init__(self, data, at=ETHERNET):
        self.data = data
        self.at = at
        self.ok = False
        self.fragment = None
        self.offset = 0
        self.more = False
        version = data[at] >> 4 if len(data) > at else 0
        if version == 4 and len(data) >= at + 20:
            self.read_ipv4()
        elif version == 6 and len(data) >= at + 40:
            self.read_ipv6()

    def read_ipv4(self):
        data, at = self.data, self.at
        self.version = 4
        self.header = (data[at] & 15) * 4
        self.end = min(len(data), at + be16(data, at + 2))
        self.id = be16(data, at + 4)
        self.more = bool(data[at + 6] & 0x20)
        self.offset = (be16(data, at + 6) & 0x1FFF) * 8
        self.ttl = data[at + 8]
        self.proto = data[at + 9]
        self.source = ipaddress.ip_address(data[at + 12 : at + 16])
        self.destination = ipaddress.ip_address(data[at + 16 : at + 20])
        self.l4 = at + self.header
        self.ok = self.header >= 20 and self.l4 <= len(data)

    def read_ipv6(self):
        data, at = self.data, self.at
        self.version = 6
        self.id = None
        self.end = min(len(data), at + 40 + be16(data, at + 4))
        self.ttl = data[at + 7]
        self.source = ipaddress.ip_address(data[at + 8 : at + 24])
        self.destination = ipaddress.ip_address(data[at + 24 : at + 40])
        following, here = data[at + 6], at + 40
        while following in EXTENSIONS or following == FRAGMENT:
            if here + 8 > self.end:
                return
            if following == FRAGMENT:
                self.fragment = here
                self.offset = be16(data, here + 2) & 0xFFF8
                self.more = bool(data[here + 3] & 1)
                size = 8
            else:
                size = (data[here + 1] + 1) * 8
            following, here = data[here], here + size
            if self.offset:
                break
        self.proto = following
        self.l4 = here
        self.ok = here <= self.end

    @property
    def is_whole(self):
        return not self.more and not self.offset

    def pseudo(self):
        """The sum of the pseudo header."""
        words = self.source.packed + self.destination.packed
        return fold(words + struct.pack("!II", self.end - self.l4, self.proto))

    def ports(self):
        if self.proto in (TCP, UDP, SCTP) and not self.offset and self.l4 + 4 <= self.end:
            return be16(self.data, self.l4), be16(self.data, self.l4 + 2)
        return None


def packet_of(frame):
    """The IP packet of an Ethernet frame, or None."""
    if len(frame) < ETHERNET or be16(frame, 12) not in (IPV4, IPV6):
        return None
    packet = Packet(frame)
    return packet if packet.ok else None


def is_chatter(frame):
    """Frames by which hosts find each other: never part of a comparison."""
    if len(frame) < ETHERNET or be16(frame, 12) == ARP:
        return True
    packet = packet_of(frame)
    if packet is None:
        return be16(frame, 12) not in (IPV4, IPV6)
    if packet.proto == ICMP6 and packet.l4 < packet.end:
        return frame[packet.l4] in {130, 131, 132, 133, 134, 135, 136, 137, 143}
    return packet.proto == IGMP


SUM_AT = {TCP: 16, UDP: 6, ICMP6: 2}


def unfinished_sum(frame):
    """(start, offset, frame) with the sum of the pseudo header in place of the finished one, where that says the same."""
    packet = packet_of(frame)
    if packet is None or not packet.is_whole or packet.proto not in SUM_AT:
        return None
    offset = SUM_AT[packet.proto]
    field = packet.l4 + offset
    if field + 2 > packet.end or (packet.proto == UDP and be16(frame, field) == 0):
        return None
    if fold(bytes(frame[packet.l4 : packet.end]), packet.pseudo()) != 0xFFFF:
        return None
    return packet.l4, offset, frame[:field] + struct.pack("!H", packet.pseudo()) + frame[field + 2 :]


# For people


def describe(frame):
    """One line, as short as it can be read."""
    packet = packet_of(frame)
    if packet is None:
        return f"{len(frame)} bytes of type {frame[12:14].hex()}"
    return f"{describe_packet(packet)}, to {mac(frame[0:6])}"


def describe_packet(packet):
    data, name = packet.data, NAMES.get(packet.proto, f"protocol {packet.proto}")
    ports = packet.ports()
    source, destination = str(packet.source), str(packet.destination)
    if ports:
        source, destination = (f"{where}:{port}" for where, port in zip((source, destination), ports))
    words = [f"{name} {source} > {destination}"]
    if packet.proto == TCP and ports and packet.l4 + 20 <= packet.end:
        bits = data[packet.l4 + 13]
        words.append("".join(name for place, name in enumerate(FLAGS) if bits >> place & 1) or "no flags")
        words.append(f"seq {be32(data, packet.l4 + 4)} ack {be32(data, packet.l4 + 8)}")
    if packet.proto in (ICMP, ICMP6) and not packet.offset and packet.l4 + 2 <= packet.end:
        words.append(f"type {data[packet.l4]} code {data[packet.l4 + 1]}")
        errors = (3, 4, 5, 11, 12) if packet.proto == ICMP else (1, 2, 3, 4)
        inner = Packet(data[: packet.end], packet.l4 + 8)
        if data[packet.l4] in errors and inner.ok:
            words.append(f"about [{describe_packet(inner)}]")
    if packet.proto in (IPIP, IPV6_IN) and not packet.offset:
        inner = Packet(data[: packet.end], packet.l4)
        if inner.ok:
            words.append(f"around [{describe_packet(inner)}]")
    if not packet.is_whole:
        words.append(f"fragment {packet.offset}{'+' if packet.more else ''}")
    words.append(f"ttl {packet.ttl} length {packet.end - packet.at}")
    return " ".join(words)


def mac(bytes_):
    return bytes_.hex(":")
