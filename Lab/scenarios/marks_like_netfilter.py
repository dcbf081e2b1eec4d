"""Random rules of iptables mark random packets for the director as netfilter itself marks them next door."""

import ipaddress
import json
import os
import random
import struct
import sys

from runner.client import HELPERS
from runner.host import Failure, until
from topologies.twins import VIP

MARKS = range(1, 16)
# Some translations are beyond the words of iptables that the director reads.
UNTRANSLATED = ["fields joined by '.'", "two tests by", "'ct mark set' with", "'meta mark set' with", "'ct state !='"]
KINDS = ["iptables", "nft", "iptables-legacy"]
ROUNDS = 15
PACKETS = 80
SOURCES = ["10.50.0.1", "10.50.0.9", "10.50.7.1", "10.51.0.1", "10.51.128.5"]
DESTINATIONS = [VIP, "10.60.0.1", "10.60.0.2", "10.60.9.1", "10.61.0.1"]
PORTS = [22, 53, 79, 80, 81, 443, 8000, 8080, 40000]
# What netfilter made of the packets, by mark; behind the rules of the mangle table.
COUNTERS = "".join(
    ["table ip marks {\nchain seen {\ntype filter hook prerouting priority -140;\n"]
    + [f"ip saddr 10.50.0.0/15 meta mark {mark} counter\n" for mark in MARKS]
    + ["}\n}\n"]
)


class Dice:
    """Random rules and packets; the same seed gives the same ones."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.used = set()

    def one(self, *choices):
        return self.random.choice(choices)

    def often(self, chance):
        return self.random.random() < chance

    def maybe_not(self):
        return "! " if self.often(0.25) else ""

    def prefix(self, addresses):
        return f"{self.one(*addresses)}/{self.one('8', '16', '17', '24', '30', '32', '255.255.0.255')}"

    def port(self):
        port = self.one(*PORTS)
        return self.one(f"{port}", f"{port}", f"{port}:{port + 50}", f":{port}", f"{port}:")

    def bits(self):
        return f"{self.random.randrange(16)}/{self.one('0xffffffff', '0xf', '0xc', '3', '0x5')}"

    def matches(self):
        words = []
        if self.often(0.4):
            words.append(f"{self.maybe_not()}-s {self.prefix(SOURCES)}")
        if self.often(0.5):
            words.append(f"{self.maybe_not()}-d {self.prefix(DESTINATIONS)}")
        if self.often(0.2):
            words.append(f"{self.maybe_not()}-i {self.one('eth0', 'eth+', 'et', 'lo')}")
        if self.often(0.6):
            words += self.transport()
        if self.often(0.15):
            first, last = sorted((self.one(*DESTINATIONS), self.one(*DESTINATIONS)), key=ipaddress.ip_address)
            words.append(f"-m iprange {self.maybe_not()}--dst-range {first}-{last}")
        if self.often(0.1):
            words.append(f"-m addrtype {self.maybe_not()}--dst-type LOCAL")
        if self.often(0.2):
            words.append(f"-m mark {self.maybe_not()}--mark {self.bits()}")
        if self.often(0.1):
            words.append(f"-m connmark {self.maybe_not()}--mark {self.bits()}")
        if self.often(0.1):
            words.append(f"-m conntrack {self.maybe_not()}--ctstate {self.one('NEW', 'NEW,RELATED', 'ESTABLISHED')}")
        return words

    def transport(self):
        kind = self.one("tcp", "tcp", "udp", "udp", "17", "gre")
        if kind == "gre" or self.often(0.1):
            return [f"{self.maybe_not()}-p {kind}"]
        words = [f"-p {kind}"]
        for option in ("--sport", "--dport"):
            if self.often(0.4):
                words.append(f"{self.maybe_not()}{option} {self.port()}")
        if self.often(0.3):
            ports = ",".join(str(port) for port in self.random.sample(PORTS, 4))
            words.append(f"-m multiport {self.maybe_not()}{self.one('--sports', '--dports', '--ports')} {ports},9000:9100")
        if kind == "tcp" and self.often(0.3):
            words.append(self.one("--syn", "! --syn", "--tcp-flags ALL SYN", "--tcp-flags SYN,ACK ACK"))
        return words

    def target(self, chain):
        number = self.random.randrange(1, 16)
        marking = self.one(
            *[f"--set-mark {number}"] * 3, f"--set-mark {self.bits()}", f"--set-xmark {self.bits()}",
            f"--and-mark {number}", f"--or-mark {number}", f"--xor-mark {number}",
        )
        kind = self.random.random()
        if kind < 0.6:
            return f"-j MARK {marking}"
        if kind < 0.72:
            return "-j CONNMARK " + self.one(
                "--save-mark", "--restore-mark", f"--set-mark {number}", "--restore-mark --mask 0x6",
                "--save-mark --nfmask 0x3 --ctmask 0xf",
            )
        if kind < 0.85 and chain != "B":
            return self.one("-j", "-j", "-g") + " " + ("B" if chain == "A" else self.one("A", "B"))
        return self.one("-j ACCEPT", "-j RETURN", "-j RETURN")

    def table(self, name):
        """A mangle table as iptables-restore reads it; `name` stands in its last rule."""
        lines = ["*mangle", ":PREROUTING ACCEPT [0:0]", ":A - [0:0]", ":B - [0:0]"]
        for chain, count in (("PREROUTING", 8), ("A", 4), ("B", 4)):
            for _ in range(count):
                lines.append(" ".join([f"-A {chain}", *self.matches(), self.target(chain)]))
        lines.append(f"-I PREROUTING -m comment --comment {name} -m mark --mark 0x77 -j MARK --set-mark 0")
        return "\n".join([*lines, "COMMIT", ""])

    def packet(self):
        """An IPv4 packet that opens a flow of its own."""
        while True:
            flow = (
                self.one(6, 17), self.one(*SOURCES), self.one(*DESTINATIONS),
                self.one(*PORTS[1:], self.random.randrange(1024, 65536)), self.one(*PORTS, 9050),
            )
            if flow not in self.used:
                self.used.add(flow)
                return packet(*flow)


def total(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value ^ 0xFFFF


def packet(transport, source, destination, source_port, destination_port):
    addresses = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    if transport == 6:
        head, field = struct.pack("!HHIIBBHHH", source_port, destination_port, 1, 0, 0x50, 2, 64000, 0, 0), 16
    else:
        head, field = struct.pack("!HHHH", source_port, destination_port, 12, 0) + b"mark", 6
    check = total(addresses + struct.pack("!HH", transport, len(head)) + head) or 0xFFFF
    head = head[:field] + struct.pack("!H", check) + head[field + 2 :]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(head), 7, 0x4000, 64, transport, 0) + addresses
    return ip[:10] + struct.pack("!H", total(ip)) + ip[12:] + head


def hardware(host):
    return bytes.fromhex(host.run("cat", "/sys/class/net/eth0/address").strip().replace(":", ""))


def seen_by_director(director):
    """Connections of each service by mark."""
    rows = [line.split() for line in director.ctl("-Ln --stats", show=False).splitlines()]
    return {int(row[1]): int(row[2]) for row in rows if row and row[0] == "FWM"}


def seen_by_netfilter(host):
    rules = json.loads(host.run("nft", "-j", "list", "chain", "ip", "marks", "seen"))["nftables"]
    counters = [part["counter"]["packets"] for rule in rules if "rule" in rule for part in rule["rule"]["expr"] if "counter" in part]
    return dict(zip(MARKS, counters))


def install(host, table, kind):
    """Rules as iptables has them, as the older iptables had them, or in nft's own language."""
    for tool in ("iptables", "iptables-legacy"):
        for option in ("-F", "-X"):
            host.run(tool, "-t", "mangle", option)
    host.attempt("nft", "delete", "table", "ip", "native")
    if kind != "nft":
        host.run(f"{kind}-restore", input=table)
        return
    # What has no translation stands there as a remark, and is left out.
    translated = host.run("iptables-restore-translate", "-f", "/dev/stdin", input=table)
    host.run("nft", "-f", "-", input=translated.replace(" ip mangle", " ip native"))


def prepare(lab):
    lab.build("twins")
    for mark in MARKS:
        lab.host("servers").address("eth0", f"192.168.0.{100 + mark}/32")
    director = lab.director(interfaces=("eth0",))
    for mark in MARKS:
        director.ctl(f"-A -f {mark} -s rr", show=False)
        director.ctl(f"-a -f {mark} -r 192.168.0.{100 + mark} -g", show=False)
    return director


def run(lab):
    director = prepare(lab)
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    print(f"  SEED={seed}")
    dice = Dice(seed)
    client, reference = lab.host("client"), lab.host("reference")
    ends = [hardware(lab.host(name)) for name in ("director", "reference")]
    own = hardware(client)
    marked = skipped = 0
    for number in range(ROUNDS):
        table = dice.table(f"round-{number}")
        kind = KINDS[number * len(KINDS) // ROUNDS]
        for host in (director.host, reference):
            install(host, table, kind)
        reference.attempt("nft", "delete", "table", "ip", "marks")
        reference.run("nft", "-f", "-", input=COUNTERS)
        until(lambda: f"round-{number}" in director.ctl("mark -L", show=False), "the rules to be followed", 4)
        listing = director.ctl("mark -L", show=False)
        left = [line for line in listing.splitlines() if "not followed" in line]
        if kind == "nft" and left and all(any(reason in line for reason in UNTRANSLATED) for line in left):
            print(f"  round {number} is left out: {left[0]}")
            skipped += 1
            continue
        if left:
            raise Failure(f"SEED={seed}: rules that should be followed are not:\n{listing}")
        before = seen_by_director(director)
        packets = [dice.packet() for _ in range(PACKETS)]
        frames = [end + own + b"\x08\x00" + packet for packet in packets for end in ends]
        client.run(
            *(sys.executable, str(HELPERS / "send_frames.py"), "eth0"),
            input="".join(frame.hex() + "\n" for frame in frames),
        )
        expected = seen_by_netfilter(reference)
        since = lambda: {mark: count - before[mark] for mark, count in seen_by_director(director).items()}
        try:
            until(lambda: since() == expected, "the same marks", 3)
        except Failure:
            raise Failure(
                f"SEED={seed}, round {number}: packets by mark: director {since()}, netfilter {expected}\n{table}"
            ) from None
        marked += sum(expected.values())
    played = ROUNDS - skipped
    print(f"  {played} tables, {played * PACKETS} packets, {marked} of them marked, all as netfilter marks them")
    if marked < ROUNDS * PACKETS // 20:
        raise Failure("too few packets were marked to say anything")
    director.stop()
