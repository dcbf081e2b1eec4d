"""What a kernel's answer leaves open: fields that a director may choose, and frames that are not a director's."""

import ipaddress

from . import frames
from .frames import ICMP, ICMP6, SCTP, TCP, UDP


class Annotator:
    """Reads a scenario from its beginning and marks each output frame with `free` and `by`."""

    def __init__(self, setup, rules):
        self.identifications = set()
        self.fragment_identifications = set()
        self.own = {
            ipaddress.ip_interface(address).ip
            for one in setup["interfaces"]
            for address in one["addresses"]
        }
        self.virtual = {ipaddress.ip_address(vip["addr"]) for vip in setup["vips"]}
        self.marked = [
            ipaddress.ip_network(mark["dst"], strict=False)
            for mark in setup["marks"]
            if mark.get("dst") and mark["mark"] in setup["local_marks"]
        ]
        self.marks = setup["marks"]
        self.services = set()
        for rule in rules:
            self.learn(rule)

    def learn(self, words):
        """Remembers a service that was added at any time."""
        if "-A" in words or "--add-service" in words:
            for option, proto in (("-t", TCP), ("-u", UDP), ("--sctp-service", SCTP)):
                if option in words:
                    address, _, port = words[words.index(option) + 1].rpartition(":")
                    where = ipaddress.ip_address(address.strip("[]"))
                    self.services.add((proto, where, int(port) if port.isdigit() else 0))

    def came(self, frame):
        """An input frame: its identifications are not the director's to choose."""
        packet = frames.packet_of(frame)
        if packet is None:
            return
        if packet.version == 4:
            self.identifications.add(packet.id)
        if packet.fragment:
            self.fragment_identifications.add(frames.be32(frame, packet.fragment + 4))

    def left(self, frame, cause):
        """The output entry of a frame, `cause` being the input frame or None."""
        entry = {"hex": frame.hex()}
        packet = frames.packet_of(frame)
        if packet is None:
            return entry
        free = []
        if packet.version == 4 and (not self.is_carried(packet, cause) or packet.source in self.own):
            free.append(f"ipv4id@{packet.at}")
        if packet.fragment:
            number = frames.be32(frame, packet.fragment + 4)
            if number not in self.fragment_identifications or packet.source in self.own:
                free.append(f"ipv6fragid@{packet.fragment}")
        if packet.proto == UDP and packet.source in self.own and not packet.offset:
            free.append(f"udpsource@{packet.l4}")
        if free:
            entry["free"] = free
        made_by = self.maker(packet, cause)
        if made_by:
            entry["by"] = made_by
        return entry

    def is_carried(self, packet, cause):
        """Whether the identification is that of the input; another input's may be met by chance."""
        came = frames.packet_of(cause) if cause else None
        return packet.id in self.identifications if came is None else packet.id == came.id

    def maker(self, packet, cause):
        """`host` or `forward` where the host's stack would have sent the frame without a director, else None."""
        came = frames.packet_of(cause) if cause else None
        if came is None:
            return None
        if was_routed_only(came, packet):
            return None if self.is_for_director(came) else "forward"
        original = packet.version == 4 and self.is_carried(packet, cause)
        if packet.proto == TCP and packet.l4 + 14 <= packet.end:
            answers = (packet.source, packet.destination) == (came.destination, came.source)
            is_reset = packet.data[packet.l4 + 13] & 4 and not came.data[came.l4 + 13] & 4
            return "host" if answers and is_reset and not original and came.proto == TCP else None
        if packet.proto == ICMP and packet.l4 + 2 <= packet.end:
            return self.maker_of_icmp(packet, came, kind=packet.data[packet.l4], reply=0, unreachable=3, port=3, bad=12)
        if packet.proto == ICMP6 and packet.l4 + 2 <= packet.end:
            return self.maker_of_icmp(packet, came, kind=packet.data[packet.l4], reply=129, unreachable=1, port=4, bad=4)
        return None

    def maker_of_icmp(self, packet, came, kind, reply, unreachable, port, bad):
        if kind == reply:
            return "host" if came.proto == packet.proto else None
        is_answer = packet.destination == came.source and came.proto != packet.proto
        if not is_answer:
            return None
        if kind == bad:
            return "host"
        if kind == unreachable:
            if packet.data[packet.l4 + 1] != port:
                return "host" if packet.version == 4 and packet.data[packet.l4 + 1] == 2 else None
            return None if self.is_served(came) else "host"
        return None

    def is_for_director(self, packet):
        where = packet.destination
        return where in self.virtual or where in self.own or any(where in block for block in self.marked)

    def is_served(self, packet):
        ports = packet.ports()
        port = ports[1] if ports else 0
        if {(packet.proto, packet.destination, port), (packet.proto, packet.destination, 0)} & self.services:
            return True
        return any(carries(mark, packet, port) for mark in self.marks) or not self.is_for_director(packet)


def carries(mark, packet, port):
    """Whether a rule of the scenario marks this packet."""
    proto = {"tcp": TCP, "udp": UDP, "sctp": SCTP}.get(mark.get("proto"))
    return (
        (proto is None or proto == packet.proto)
        and ("dst" not in mark or packet.destination in ipaddress.ip_network(mark["dst"], strict=False))
        and mark.get("dport") in (None, port)
    )


def was_routed_only(came, left):
    """Whether nothing above Ethernet changed but the time to live."""
    if came.version != left.version:
        return False
    one, other = bytearray(came.data[came.at : came.end]), bytearray(left.data[left.at : left.end])
    for data in (one, other):
        if came.version == 4:
            data[8] = data[10] = data[11] = 0
        else:
            data[7] = 0
    return one == other
