"""Frames of a scenario: given as bytes, or in words that become bytes when they are played."""

import ipaddress
import struct

from runner.host import Failure

from . import frames
from .frames import FLAGS, FRAGMENT, ICMP, ICMP6, SCTP, TCP, UDP, Packet, fold

PROTOCOLS = {"tcp": TCP, "udp": UDP, "sctp": SCTP}
CHUNKS = {
    "DATA": 0,
    "INIT": 1,
    "INIT-ACK": 2,
    "SACK": 3,
    "HEARTBEAT": 4,
    "HEARTBEAT-ACK": 5,
    "ABORT": 6,
    "SHUTDOWN": 7,
    "SHUTDOWN-ACK": 8,
    "ERROR": 9,
    "COOKIE-ECHO": 10,
    "COOKIE-ACK": 11,
    "SHUTDOWN-COMPLETE": 14,
}
NUMBERS = {"seq", "ack", "ttl", "tos", "id", "bytes"}


class Words:
    """`S seq 5 data hello`: what a packet says besides its addresses."""

    def __init__(self, text):
        self.flags = None
        self.data = b""
        self.whole = True
        # A protocol by number: its bytes are taken as they are, sums included.
        self.raw = False
        self.numbers = {}
        left = text.split(" ")
        while left:
            word = left.pop(0)
            if word == "data":
                self.data = " ".join(left).encode().decode("unicode_escape").encode("latin-1")
                break
            if word == "nodf":
                self.whole = False
            elif word in NUMBERS:
                if not left:
                    raise Failure(f"no number after {word!r} in {text!r}")
                self.numbers[word] = int(left.pop(0), 0)
            elif word in CHUNKS or (word and set(word) <= set(FLAGS)):
                self.flags = word
            elif word:
                raise Failure(f"what is {word!r} in {text!r}?")
        if "bytes" in self.numbers:
            self.data = bytes(n % 251 for n in range(self.numbers["bytes"]))


def frame_of(step, scenario, played):
    """The bytes of a frame step; `played` are the answers to the steps before it."""
    if "hex" in step:
        return bytes.fromhex(step["hex"])
    if "reply" in step:
        packet, said = reply(step, played)
    elif "error" in step:
        packet, said = error(step["error"], played)
    else:
        packet, said = spoken(step["packet"])
    data = wrap(packet, said, step)
    return address(step["if"], data, scenario.setup)


# Layer 4


def spoken(text):
    """`tcp 10.0.0.1:5000 > 10.0.0.2:80 S`, or `icmp 10.0.0.1 > 10.0.0.2 data x` for an echo request."""
    try:
        kind, source, arrow, destination, *rest = text.split(" ")
    except ValueError:
        raise Failure(f"a packet is 'PROTOCOL FROM > TO WORDS', not {text!r}") from None
    said = Words(" ".join(rest))
    if arrow != ">":
        raise Failure(f"no > between the addresses of {text!r}")
    try:
        if kind == "icmp":
            source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
            proto, echo = (ICMP, 8) if source.version == 4 else (ICMP6, 128)
            return (proto, source, destination, struct.pack("!BBHHH", echo, 0, 0, 7, 1) + said.data), said
        if kind.isdigit():
            source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
            said.raw = True
            return (int(kind), source, destination, said.data), said
        (source, one), (destination, other) = split(source), split(destination)
        return (PROTOCOLS[kind], source, destination, segment(PROTOCOLS[kind], one, other, said)), said
    except (ValueError, KeyError) as problem:
        raise Failure(f"cannot read the packet {text!r}: {problem}") from None


def split(text):
    where, _, port = text.rpartition(":")
    return ipaddress.ip_address(where.strip("[]")), int(port)


def segment(proto, source, destination, said):
    """What follows the IP header; sums come later."""
    if proto == UDP:
        return struct.pack("!HHHH", source, destination, 8 + len(said.data), 0) + said.data
    if proto == SCTP:
        kind = CHUNKS[said.flags or "DATA"]
        body = said.data or bytes(12)
        chunk = struct.pack("!BBH", kind, 0, 4 + len(body)) + body + bytes(-len(body) % 4)
        packet = struct.pack("!HHII", source, destination, 0x5EED, 0) + chunk
        return packet[:8] + struct.pack("<I", crc32c(packet)) + packet[12:]
    bits = sum(1 << FLAGS.index(flag) for flag in said.flags or "A")
    numbers = said.numbers
    return (
        struct.pack("!HHII", source, destination, numbers.get("seq", 1000), numbers.get("ack", 0))
        + struct.pack("!BBHHH", 5 << 4, bits, 0xFAF0, 0, 0)
        + said.data
    )


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def reply(step, played):
    """An answer to the first frame that left because of step `reply`."""
    _, packet = output(step["reply"], played)
    said = Words(step.get("words", ""))
    ports = packet.ports()
    if ports is None:
        raise Failure(f"step {step['reply']} sent nothing that has ports to answer to")
    if packet.proto == TCP and "ack" not in said.numbers:
        length = packet.end - packet.l4 - (packet.data[packet.l4 + 12] >> 4) * 4
        opening = packet.data[packet.l4 + 13] & 3
        said.numbers["ack"] = frames.be32(packet.data, packet.l4 + 4) + length + (1 if opening else 0)
        said.numbers.setdefault("seq", frames.be32(packet.data, packet.l4 + 8) or 5000)
    body = segment(packet.proto, ports[1], ports[0], said)
    return (packet.proto, packet.destination, packet.source, body), said


def error(what, played):
    """An ICMP error about a frame that left (or, with `of: in`, came) in step `about`."""
    frame, packet = output(what["about"], played, what.get("of", "out"))
    origin = ipaddress.ip_address(what["from"]) if "from" in what else packet.destination
    limit = what.get("length", 28 if packet.version == 4 else 1232)
    quoted = bytes(frame[packet.at : min(packet.end, packet.at + limit)])
    if packet.version == 4 and "length" not in what:
        quoted = bytes(frame[packet.at : min(packet.end, packet.l4 + 8)])
    mtu = what.get("mtu", 0)
    head = struct.pack("!BBHI", what["type"], what.get("code", 0), 0, mtu)
    proto = ICMP if packet.version == 4 else ICMP6
    return (proto, origin, packet.source, head + quoted), Words("")


def output(number, played, which="out"):
    """Frame and packet of an earlier step."""
    for answer in played:
        if answer["n"] == number:
            texts = [one["hex"] for one in answer["out"]] if which == "out" else [answer.get("in", "")]
            frame = bytes.fromhex(texts[0]) if texts else b""
            packet = frames.packet_of(frame)
            if packet is None:
                raise Failure(f"step {number} sent no IP packet")
            return frame, packet
    raise Failure(f"there is no step {number} before this one")


# IP and Ethernet


def wrap(packet, said, step):
    """The IP packet around a segment; with `part: [from, to]` a fragment that carries these bytes of it."""
    proto, source, destination, body = packet
    if not said.raw:
        body = with_sum(proto, source, destination, body)
    numbers = said.numbers
    ttl, tos = numbers.get("ttl", 64), numbers.get("tos", 0)
    number = numbers.get("id", (0x1001 + step["n"]) & 0xFFFF)
    offset, more, ends = 0, False, step.get("part")
    if ends:
        more = ends[1] < len(body)
        offset, body = ends[0], body[ends[0] : ends[1]]
    if source.version == 4:
        flags = (0x2000 if more else 0) | offset >> 3 | (0 if ends or not said.whole else 0x4000)
        head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(body), number, flags, ttl, proto, 0)
        head += source.packed + destination.packed
        return head[:10] + struct.pack("!H", fold(head) ^ 0xFFFF) + head[12:] + body
    if ends:
        body = struct.pack("!BBHI", proto, 0, offset | more, number) + body
        proto = FRAGMENT
    head = struct.pack("!IHBB", 6 << 28 | tos << 20, len(body), proto, ttl)
    return head + source.packed + destination.packed + body


def with_sum(proto, source, destination, body):
    at = {**frames.SUM_AT, ICMP: 2}.get(proto)
    if at is None or len(body) < at + 2:
        return body
    pseudo = 0
    if proto != ICMP:
        pseudo = fold(source.packed + destination.packed + struct.pack("!II", len(body), proto))
    value = fold(body, pseudo) ^ 0xFFFF
    if proto == UDP and value == 0:
        value = 0xFFFF
    return body[:at] + struct.pack("!H", value) + body[at + 2 :]


def address(name, data, setup):
    """The Ethernet frame: from the neighbour that has the source address, or else from the one routed to."""
    port = next(one for one in setup["interfaces"] if one["name"] == name)
    packet = Packet(data, 0)
    near = {
        ipaddress.ip_address(one["ip"]): one["mac"] for one in setup["neighbours"] if one["dev"] == name
    }
    hop = packet.source
    if hop not in near:
        for route in setup["routes"]:
            block = ipaddress.ip_network(route["dst"])
            if route["dev"] == name and hop.version == block.version and hop in block and route.get("via"):
                hop = ipaddress.ip_address(route["via"])
                break
    if hop not in near and near:
        hop = next(
            (one for one in near if one.version == packet.version), next(iter(near))
        )
    from_mac = near.get(hop, "02:00:00:00:00:fe")
    kind = frames.IPV4 if packet.version == 4 else frames.IPV6
    return to_bytes(port["mac"]) + to_bytes(from_mac) + struct.pack("!H", kind) + data


def to_bytes(text):
    return bytes.fromhex(text.replace(":", ""))
