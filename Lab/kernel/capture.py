"""Scenarios made of captures: what a director would receive, its rules, and the network around it."""

import pathlib
import struct

from runner.host import Failure

from . import scenario

# Packets of a scenario at most, and milliseconds that all waits between them may take.
MOST_FRAMES = 20_000
LONGEST = 120_000
# Shorter gaps between packets are no waits.
SHORTEST = 20
MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
ETHERNET = 1
LONGEST_PACKET = 262_144
OBJECTS = {
    "link": ("link", "l"),
    "address": ("address", "addr", "a"),
    "route": ("route", "r"),
    "neighbour": ("neighbour", "neighbor", "neigh", "n"),
}


def packets(path):
    """Time in nanoseconds and bytes of every packet of a pcap file."""
    try:
        data = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None
    if data[:4] not in MAGICS or len(data) < 24:
        raise Failure(f"{path} is no pcap file (pcapng: editcap -F nsecpcap makes one of it)")
    order, unit = MAGICS[data[:4]]
    (link,) = struct.unpack_from(order + "I", data, 20)
    if link & 0xFFFF != ETHERNET:
        raise Failure(f"{path}: link type {link & 0xFFFF}; captures of Ethernet interfaces are accepted")
    found, position = [], 24
    while position + 16 <= len(data):
        seconds, fraction, kept, length = struct.unpack_from(order + "4I", data, position)
        position += 16
        number = len(found) + 1
        if kept > LONGEST_PACKET or position + kept > len(data):
            raise Failure(f"{path}: packet {number} says that {kept} bytes follow, and they do not")
        if kept < length:
            raise Failure(f"{path}: packet {number} holds {kept} of {length} bytes; whole packets are accepted")
        found.append((seconds * 1_000_000_000 + fraction * unit, data[position : position + kept]))
        position += kept
        if len(found) > MOST_FRAMES:
            raise Failure(f"{path}: more than {MOST_FRAMES} packets")
    return found


def lines(path):
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path}: {error}") from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield f"{path}, line {number}", line.strip()


class Network:
    """The set-up of a scenario from lines of rules, settings and `ip -batch`."""

    def __init__(self):
        self.interfaces = {}
        self.setup = {"interfaces": [], "vips": [], "neighbours": [], "routes": [], "sysctl": {}, "rules": []}

    def interface(self, name):
        if name not in self.interfaces:
            made = {"name": name, "mac": f"02:ff:00:00:00:{len(self.interfaces) + 1:02x}", "mtu": 1500, "addresses": []}
            self.interfaces[name] = made
            self.setup["interfaces"].append(made)
        return self.interfaces[name]

    def read(self, path):
        for where, line in lines(path):
            words = line.split()
            if words[0] == "ip":
                words = words[1:]
            while words and words[0] in ("-4", "-6"):
                words = words[1:]
            kind = next((kind for kind, names in OBJECTS.items() if words and words[0] in names), None)
            try:
                if kind:
                    getattr(self, kind)(words[2:])
                elif "=" in line and words[0].startswith("net.ipv4."):
                    name, value = (part.strip() for part in line.split("=", 1))
                    self.setup["sysctl"][name] = value
                elif words[0] == "--set":
                    self.setup["timeouts"] = [int(word) for word in words[1:4]]
                elif words[0] in ("-A", "-a", "--add-service", "--add-server") and "--fullnat" not in words:
                    self.setup["rules"].append(line)
                else:
                    raise ValueError("kernel IPVS has no such rule")
            except (ValueError, IndexError, KeyError) as error:
                raise Failure(f"{where}: {line}: {error or 'not understood'}") from None

    @staticmethod
    def after(words, name):
        return words[words.index(name) + 1] if name in words else None

    def link(self, words):
        made = self.interface(self.after(words, "dev") or words[0])
        made["mac"] = self.after(words, "address") or made["mac"]
        made["mtu"] = int(self.after(words, "mtu") or made["mtu"])

    def address(self, words):
        dev = self.after(words, "dev")
        address, _, bits = words[0].partition("/")
        # What has no network of its own is a virtual address.
        if bits == ("128" if ":" in address else "32"):
            self.interface(dev)
            self.setup["vips"].append({"addr": address, "dev": dev})
        else:
            self.interface(dev)["addresses"].append(words[0])

    def neighbour(self, words):
        dev, mac = self.after(words, "dev"), self.after(words, "lladdr")
        self.interface(dev)
        self.setup["neighbours"].append({"ip": words[0], "dev": dev, "mac": mac})

    def route(self, words):
        to = words[0]
        via = self.after(words, "via")
        if to == "default":
            to = "::/0" if via and ":" in via else "0.0.0.0/0"
        dev = self.after(words, "dev")
        if dev is None:
            raise ValueError("dev INTERFACE is missing")
        self.setup["routes"].append({"dst": to, "via": via, "dev": dev})


def folders(path):
    """The scenarios of a folder's folders: in-NAME.pcap of each interface, rules, network; and those that cannot be."""
    found, left = [], []
    for rules in sorted(pathlib.Path(path).glob("*/rules")):
        folder = rules.parent
        if any("--fullnat" in line.split() for _, line in lines(rules)):
            left.append(f"{folder.name}: kernel IPVS has no FULLNAT")
            continue
        captures = [f"{file.stem.removeprefix('in-')}={file}" for file in sorted(folder.glob("in-*.pcap"))]
        found.append(load(captures, [folder / "network", rules], folder.name))
    if not found:
        raise Failure(f"{path}: no folder in it has rules and captures")
    return found, left


def load(captures, files, title="capture"):
    """The scenario of captures, given as NAME=FILE, with the rules and the network of files."""
    network = Network()
    for path in files:
        network.read(path)
    if not network.setup["rules"]:
        raise Failure("no rules: --rules FILE")
    found = []
    for text in captures:
        name, equals, path = text.partition("=")
        if not equals:
            raise Failure(f"{text}: NAME=FILE is accepted, with the name of an interface")
        if name not in network.interfaces:
            known = ", ".join(network.interfaces) or "none"
            raise Failure(f"{text}: the network has no interface {name} (there are: {known})")
        found += [(time, name, frame) for time, frame in packets(path)]
    found.sort(key=lambda one: one[0])
    steps, last, waited = [], None, 0
    for time, name, frame in found:
        gap = 0 if last is None else max(0, time - last) // 1_000_000
        if gap >= SHORTEST:
            waited += gap
            steps.append({"op": "wait", "ms": int(gap)})
        last = time
        steps.append({"op": "frame", "if": name, "hex": frame.hex()})
    if waited > LONGEST:
        raise Failure(f"the capture takes {waited / 1000:.0f} s; at most {LONGEST // 1000} are accepted")
    steps.append({"op": "list", "kind": "conns"})
    data = {"name": title, "title": "Packets of a capture", "setup": network.setup, "steps": steps}
    return scenario.check(data, None, title)
