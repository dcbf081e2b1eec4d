"""Requests to the generic netlink family of IPVS, right ones and every kind of wrong one."""

import struct

# Stands for the family's number, which each kernel chooses for itself.
FAMILY = 0x7AC3
CONTROLLER = 0x10
# Number of the socket that asks, and of its requests.
PORT = 4711
SEQUENCE = 77
REQUEST, MULTI, ACK, ECHO, ROOT, MATCH = 1, 2, 4, 8, 0x100, 0x200
DUMP = ROOT | MATCH

NEW_SERVICE, SET_SERVICE, DEL_SERVICE, GET_SERVICE = 1, 2, 3, 4
NEW_DEST, SET_DEST, DEL_DEST, GET_DEST = 5, 6, 7, 8
NEW_DAEMON, DEL_DAEMON, GET_DAEMON = 9, 10, 11
SET_CONFIG, GET_CONFIG, SET_INFO, GET_INFO, ZERO, FLUSH = 12, 13, 14, 15, 16, 17
COMMANDS = {name: number for name, number in list(globals().items()) if name[:4] in ("NEW_", "SET_", "DEL_", "GET_")}
COMMANDS |= {"ZERO": ZERO, "FLUSH": FLUSH}
NESTED = 0x8000


def u8(value):
    return struct.pack("<B", value)


def u16(value):
    return struct.pack("<H", value)


def be16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack("<I", value & 0xFFFFFFFF)


def text(value):
    return value.encode() + b"\0"


def v4(word):
    return bytes(map(int, word.split(".")))


def wide(address):
    return address + bytes(16 - len(address))


def attribute(kind, data, length=None):
    size = 4 + len(data) if length is None else length
    return struct.pack("<HH", size, kind) + data + bytes(-len(data) % 4)


def attributes(values):
    """Attributes of a dictionary, or of pairs where one comes twice."""
    pairs = values.items() if isinstance(values, dict) else values
    return b"".join(attribute(kind, data) for kind, data in pairs)


def message(command, body=b"", flags=REQUEST | ACK, kind=FAMILY, length=None, version=1, spare=0, sequence=SEQUENCE):
    size = 20 + len(body) if length is None else length
    head = struct.pack("<IHHII", size, kind, flags, sequence, PORT)
    return head + struct.pack("<BBH", command, version, spare) + body


V4_SERVICE = {
    1: u16(2), 2: u16(6), 3: wide(v4("10.0.0.1")), 4: be16(80), 6: text("rr"),
    7: u32(0) + u32(-1), 8: u32(0), 9: u32(-1),
}  # fmt: skip
V6_SERVICE = V4_SERVICE | {
    1: u16(10), 2: u16(17), 3: bytes.fromhex("20010db8000000000000000000000001"), 4: be16(53), 6: text("wlc"), 9: u32(128),
}  # fmt: skip
MARK = {1: u16(2), 5: u32(7), 6: text("wrr"), 7: u32(0) + u32(-1), 8: u32(0), 9: u32(-1)}
OTHER = V4_SERVICE | {4: be16(8080)}
SERVER = {
    1: wide(v4("10.0.0.11")), 2: be16(80), 3: u32(0), 4: u32(1), 5: u32(0), 6: u32(0), 11: u16(2),
    13: u8(0), 14: be16(0), 15: u16(0),
}  # fmt: skip
NEW = SERVER | {1: wide(v4("10.0.0.12"))}
V6_SERVER = SERVER | {1: bytes.fromhex("20010db800000000000000000000000b"), 11: u16(10)}
DAEMON = {1: u32(1), 2: text("lo"), 3: u32(5)}


def service(values):
    return attribute(1, attributes(values))


def server(values, of=V4_SERVICE):
    return service(of) + attribute(2, attributes(values))


def daemon(values):
    return attribute(3, attributes(values))


SETUP = [
    message(NEW_SERVICE, service(V4_SERVICE)),
    message(NEW_DEST, server(SERVER)),
    message(NEW_SERVICE, service(V6_SERVICE)),
    message(NEW_SERVICE, service(MARK)),
]
CLEAN = [
    message(FLUSH),
    message(DEL_DAEMON, daemon({1: u32(1)})),
    message(DEL_DAEMON, daemon({1: u32(2)})),
    message(SET_CONFIG, attributes({4: u32(900), 5: u32(120), 6: u32(300)})),
]
LOOK = [
    message(GET_SERVICE, flags=REQUEST | DUMP),
    *(message(GET_DEST, service(of), REQUEST | DUMP) for of in (V4_SERVICE, V6_SERVICE, MARK, OTHER)),
    message(GET_CONFIG),
    message(GET_DAEMON, flags=REQUEST | DUMP),
]


def misshapen(values, required=()):
    """Each attribute missing, empty, short by one, long, doubled, and with flag bits."""
    for kind, data in values.items():
        rest = {other: value for other, value in values.items() if other != kind}
        yield f"without {kind}", rest
        yield f"{kind} empty", values | {kind: b""}
        yield f"{kind} short by one", values | {kind: data[:-1]}
        yield f"{kind} long by four", values | {kind: data + b"\1\2\3\4"}
        yield f"{kind} twice, empty first", [(kind, b""), *values.items()]
        yield f"{kind} with flag bits", [(other | (0xC000 if other == kind else 0), value) for other, value in values.items()]
    yield "with unknown ones", values | {0: b"", 60: b"unknown", 0x1FFF: b"??"}
    yield "none at all", {}


def services():
    for name, command, base in [
        ("NEW_SERVICE", NEW_SERVICE, OTHER), ("SET_SERVICE", SET_SERVICE, V4_SERVICE),
        ("DEL_SERVICE", DEL_SERVICE, V4_SERVICE), ("GET_SERVICE", GET_SERVICE, V4_SERVICE), ("ZERO", ZERO, V4_SERVICE),
    ]:  # fmt: skip
        yield name, message(command, service(base))
        yield f"{name} with a flagged nest", message(command, attribute(1 | NESTED, attributes(base)))
        yield f"{name} without a nest", message(command)
        yield f"{name} without acknowledgement", message(command, service(base), REQUEST)
        yield f"{name} of a service that {'exists' if command == NEW_SERVICE else 'is not there'}", message(
            command, service(V4_SERVICE if command == NEW_SERVICE else OTHER)
        )
        for what, values in misshapen(base):
            yield f"{name}, {what}", message(command, service(values))
        yield f"{name} by mark", message(command, service(MARK | {5: u32(8 if command == NEW_SERVICE else 7)}))
        yield f"{name} by mark and endpoint", message(command, service(OTHER | MARK | {5: u32(9)}))
        yield f"{name} by mark 0", message(command, service(MARK | {5: u32(0)}))
        yield f"{name} by mark 0 and endpoint", message(command, service(base | {5: u32(0)}))
        yield f"{name} by a mark too short", message(command, service(MARK | {5: b"\7\0"}))
        yield f"{name} of IPv6", message(command, service(V6_SERVICE | {4: be16(54 if command == NEW_SERVICE else 53)}))
        for family in (0, 1, 3, 10, 0xFFFF):
            yield f"{name} of family {family}", message(command, service(base | {1: u16(family)}))
        for protocol in (17, 132, 256 + 6, 0xFFFF):
            yield f"{name} of protocol {protocol}", message(command, service(base | {2: u16(protocol)}))
        yield f"{name}, address of 4 bytes", message(command, service(base | {3: v4("10.0.0.1")}))
        yield f"{name}, address of 17 bytes", message(command, service(base | {3: bytes(17)}))
        for engine in ("", "sip", "nope", "sixteen-letters-", "seventeen-letters"):
            yield f"{name} with engine '{engine}'", message(command, service(base | {11: text(engine)}))
        for flags, mask in ((1, 1), (1, 0), (0x3F, -1), (2, 2), (0xFFFFFFC0, -1)):
            changed = base | {7: u32(flags) + u32(mask), 8: u32(60)}
            yield f"{name} with flags {flags:#x} of {mask & 0xFFFFFFFF:#x}", message(command, service(changed))
    for command, name in ((NEW_SERVICE, "NEW_SERVICE"), (SET_SERVICE, "SET_SERVICE")):
        base = OTHER if command == NEW_SERVICE else V4_SERVICE
        for scheduler in ("", "nope", "wrr", "none", "fifteen-letters", "sixteen-letters-"):
            yield f"{name}, scheduler '{scheduler}'", message(command, service(base | {6: text(scheduler)}))
        yield f"{name}, scheduler without its zero", message(command, service(base | {6: b"rr"}))
        yield f"{name}, scheduler of 16 letters without zero", message(command, service(base | {6: b"sixteen-letters-"}))
        for value in (0, 1, 0xFFFFFFFF):
            yield f"{name}, timeout {value}", message(command, service(base | {7: u32(1) + u32(-1), 8: u32(value)}))
        for value in (0, 0xFFFFFF, 0x00FFFFFF << 8):
            yield f"{name}, mask {value:#x}", message(command, service(base | {9: u32(value)}))
        six = V6_SERVICE | ({4: be16(54)} if command == NEW_SERVICE else {})
        for value in (0, 1, 64, 128, 129, 0xFFFFFFFF):
            yield f"{name}, prefix length {value}", message(command, service(six | {9: u32(value)}))
    for address in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"):
        yield f"NEW_SERVICE at {address}", message(NEW_SERVICE, service(OTHER | {3: wide(v4(address))}))
    yield "NEW_SERVICE of port 0", message(NEW_SERVICE, service(OTHER | {4: be16(0)}))
    yield "NEW_SERVICE of port 0, persistent", message(NEW_SERVICE, service(OTHER | {4: be16(0), 7: u32(1) + u32(-1), 8: u32(9)}))
    yield "NEW_SERVICE with statistics", message(NEW_SERVICE, service(OTHER | {10: attribute(1, u32(9)), 12: attribute(1, bytes(8))}))
    yield "ZERO with an empty nest", message(ZERO, attribute(1, b""))


def servers():
    for name, command, base in [
        ("NEW_DEST", NEW_DEST, NEW), ("SET_DEST", SET_DEST, SERVER | {4: u32(5)}), ("DEL_DEST", DEL_DEST, SERVER),
    ]:  # fmt: skip
        yield name, message(command, server(base))
        yield f"{name} with flagged nests", message(
            command, attribute(1 | NESTED, attributes(V4_SERVICE)) + attribute(2 | NESTED, attributes(base))
        )
        yield f"{name} of a server that {'exists' if command == NEW_DEST else 'is not there'}", message(
            command, server(SERVER if command == NEW_DEST else NEW)
        )
        yield f"{name} without a server", message(command, service(V4_SERVICE))
        yield f"{name} without a service", message(command, attribute(2, attributes(base)))
        yield f"{name}, server first", message(command, attribute(2, attributes(base)) + service(V4_SERVICE))
        yield f"{name} of a service that is not there", message(command, server(base, of=OTHER))
        yield f"{name} of a service named by what finds it", message(
            command, server(base, of={kind: V4_SERVICE[kind] for kind in (1, 2, 3, 4)})
        )
        for what, values in misshapen(base):
            yield f"{name}, {what}", message(command, server(values))
        yield f"{name} of IPv6", message(command, server(V6_SERVER, of=V6_SERVICE))
        yield f"{name} of IPv6 without a family", message(
            command, server({kind: data for kind, data in V6_SERVER.items() if kind != 11}, of=V6_SERVICE)
        )
        yield f"{name} by mark", message(command, server(base, of=MARK))
        for family in (0, 1, 3, 10, 0xFFFF):
            yield f"{name} of family {family}", message(command, server(base | {11: u16(family)}))
        yield f"{name}, IPv6 in IPv4 by tunnel", message(command, server(V6_SERVER | {3: u32(2)}))
        yield f"{name}, IPv6 in IPv4 by NAT", message(command, server(V6_SERVER))
        yield f"{name}, IPv4 in IPv6 by tunnel", message(command, server(base | {3: u32(2)}, of=V6_SERVICE))
        for method in (1, 2, 3, 5, 6, 7, 8, 0xFFFFFFFF):
            yield f"{name} by method {method}", message(command, server(base | {3: u32(method)}))
        for weight in (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            yield f"{name}, weight {weight:#x}", message(command, server(base | {4: u32(weight)}))
        for upper, lower in ((0, 1), (5, 6), (6, 5), (0xFFFFFFFF, 0xFFFFFFFE)):
            yield f"{name}, thresholds {upper} and {lower}", message(command, server(base | {5: u32(upper), 6: u32(lower)}))
        for kind in (0, 1, 2, 3, 255):
            for port in (0, 6080):
                tunnel = {3: u32(2), 13: u8(kind), 14: be16(port), 15: u16(1)}
                yield f"{name}, tunnel {kind} port {port}", message(command, server(base | tunnel))
        yield f"{name}, GUE by NAT without a port", message(command, server(base | {13: u8(1)}))
        for address in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255"):
            yield f"{name} at {address}", message(command, server(base | {1: wide(v4(address))}))
        for address in (bytes(16), bytes(15) + b"\1", bytes.fromhex("ff02") + bytes(13) + b"\1", bytes.fromhex("fe80") + bytes(13) + b"\1"):
            yield f"{name} at {address.hex()}", message(command, server(V6_SERVER | {1: address}, of=V6_SERVICE))
        yield f"{name} of port 0", message(command, server(base | {2: be16(0)}))


def daemons():
    for name, command in (("NEW_DAEMON", NEW_DAEMON), ("DEL_DAEMON", DEL_DAEMON)):
        # One packet after the other: the kernel takes a while to start what it then can stop.
        running = [message(NEW_DAEMON, daemon(DAEMON))] if command == DEL_DAEMON else []
        yield name, [*running, message(command, daemon(DAEMON))]
        yield f"{name} twice", message(command, daemon(DAEMON)) * 2
        yield f"{name} without a daemon", message(command)
        for what, values in misshapen(DAEMON):
            yield f"{name}, {what}", [*running, message(command, daemon(values))]
        for state in (0, 2, 3, 0xFFFFFFFF):
            yield f"{name} in state {state}", message(command, daemon(DAEMON | {1: u32(state)}))
        for interface in ("", "nowhere0", "fifteen-letters", "sixteen-letters-"):
            yield f"{name} on '{interface}'", message(command, daemon(DAEMON | {2: text(interface)}))
    full = DAEMON | {4: u16(1000), 5: v4("224.0.0.99"), 7: u16(9999), 8: u8(3)}
    for what, values in misshapen(full):
        yield f"NEW_DAEMON in full, {what}", message(NEW_DAEMON, daemon(values))
    six = {kind: data for kind, data in full.items() if kind != 5} | {6: bytes.fromhex("ff05") + bytes(13) + b"\x51"}
    for what, values in misshapen(six):
        yield f"NEW_DAEMON in full of IPv6, {what}", message(NEW_DAEMON, daemon(values))
    for what, values in (
        ("group that is none", {5: v4("10.0.0.1")}), ("IPv6 group that is none", {6: bytes(15) + b"\1"}),
        ("both groups", {5: v4("224.0.0.99"), 6: six[6]}), ("port 0", {7: u16(0)}), ("time to live 0", {8: u8(0)}),
        ("length 0", {4: u16(0)}), ("length 1", {4: u16(1)}), ("length 65535", {4: u16(0xFFFF)}), ("syncid 256", {3: u32(256)}),
    ):  # fmt: skip
        for state in (1, 2):
            yield f"NEW_DAEMON {what}, state {state}", message(NEW_DAEMON, daemon(DAEMON | {1: u32(state)} | values))
    both = message(NEW_DAEMON, daemon(DAEMON)) + message(NEW_DAEMON, daemon(DAEMON | {1: u32(2)}))
    yield "both daemons", both
    yield "both daemons, listed", both + message(GET_DAEMON, flags=REQUEST | DUMP)
    mixed = server(V6_SERVER | {3: u32(2)})
    yield "mixed families beside a daemon", message(NEW_DAEMON, daemon(DAEMON)) + message(NEW_DEST, mixed)
    yield "a daemon beside mixed families", message(NEW_DEST, mixed) + message(NEW_DAEMON, daemon(DAEMON))


def timeouts():
    full = {4: u32(10), 5: u32(20), 6: u32(30)}
    yield "SET_CONFIG", message(SET_CONFIG, attributes(full))
    yield "SET_CONFIG with nothing", message(SET_CONFIG)
    for what, values in misshapen(full):
        yield f"SET_CONFIG, {what}", message(SET_CONFIG, attributes(values))
    for kind in (4, 5, 6):
        for value in (0, 1, 0x7FFFFFFF // 250, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            yield f"SET_CONFIG {kind} to {value}", message(SET_CONFIG, attributes(full | {kind: u32(value)}))


def shapes():
    """Headers, flags and packets."""
    for name, command in COMMANDS.items():
        for what, flags in (("plain", REQUEST | ACK), ("as a dump", REQUEST | ACK | DUMP), ("with ROOT alone", REQUEST | ACK | ROOT)):
            if not (command == FLUSH and flags == REQUEST | ACK):
                yield f"{name} {what}, empty", message(command, flags=flags)
    yield "FLUSH", message(FLUSH)
    yield "FLUSH with a service", message(FLUSH, service(V4_SERVICE))
    for command in (0, 18, 100, 255):
        yield f"command {command}", message(command)
        yield f"command {command} as a dump", message(command, flags=REQUEST | ACK | DUMP)
    for kind in (0, 1, 2, 3, 4, 15, 0x40, 0xFFFF):
        yield f"type {kind}", message(GET_INFO, kind=kind)
        yield f"type {kind} without acknowledgement", message(GET_INFO, kind=kind, flags=REQUEST)
    for flags in (0, ACK, DUMP, REQUEST, REQUEST | ECHO, REQUEST | ACK | MULTI, 0xFFFF & ~DUMP):
        yield f"GET_INFO with flags {flags:#x}", message(GET_INFO, flags=flags)
        yield f"DEL_SERVICE with flags {flags:#x}", message(DEL_SERVICE, service(V4_SERVICE), flags)
    for version in (0, 2, 255):
        yield f"version {version}", message(GET_INFO, version=version)
    yield "spare bytes", message(GET_INFO, spare=0xBEEF)
    good = message(DEL_SERVICE, service(V4_SERVICE))
    for length in (0, 1, 15, 16, 17, 19, 20, 21, 23, 24, len(good) - 1, len(good) + 1, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"length said to be {length}", struct.pack("<I", length) + good[4:]
    for size in (1, 3, 4, 15, 16, 17, 19, 20, 24, 28, len(good) - 4, len(good) - 1):
        yield f"cut to {size} bytes", good[:size]
        yield f"cut to {size} bytes, length put right", struct.pack("<I", size) + good[4:size]
    for length in (0, 1, 3, 4, 5, 0xFFFF):
        yield f"nest said to be {length} long", message(DEL_SERVICE, attribute(1, attributes(V4_SERVICE), length))
        inner = attribute(1, u16(2), length) + attributes({kind: V4_SERVICE[kind] for kind in (2, 3, 4)})
        yield f"family said to be {length} long", message(DEL_SERVICE, attribute(1, inner))
    yield "bytes behind the attributes", message(GET_SERVICE, service(V4_SERVICE) + b"\1\2\3")
    yield "an attribute of no kind", message(GET_SERVICE, attribute(0, b"") + service(V4_SERVICE))
    yield "two nests, the last counts", message(GET_SERVICE, service(OTHER) + service(V4_SERVICE))
    get, bad = message(GET_INFO), message(DEL_SERVICE, service(OTHER))
    yield "two requests", get + get
    yield "a refused request between two others", get + bad + get
    yield "an unknown command between two others", get + message(99) + get
    yield "no request between two others", get + message(GET_INFO, flags=ACK) + get
    yield "a request and a piece of one", get + good[:18]
    odd = message(GET_SERVICE, service(V4_SERVICE) + b"\1")
    yield "a length that is no multiple of four", odd + bytes(3) + get
    yield "a last length that is no multiple of four", odd
    yield "a long refused request", message(DEL_SERVICE, service(OTHER) + attribute(77, bytes(3000)))
    yield "dump of servers of a service that is not there", message(GET_DEST, service(OTHER), REQUEST | DUMP)
    yield "dump of servers of no service", message(GET_DEST, flags=REQUEST | DUMP)
    yield "dump of servers of a bad service", message(GET_DEST, service({1: u16(2)}), REQUEST | DUMP)
    yield "dump of servers with acknowledgement", message(GET_DEST, service(V4_SERVICE), REQUEST | ACK | DUMP)
    yield "dump of services with a service", message(GET_SERVICE, service(OTHER), REQUEST | DUMP)


def controller():
    def ask(command, body, flags=REQUEST | ACK):
        return message(command, body, flags, kind=CONTROLLER)

    yield "family by name", ask(3, attribute(2, text("IPVS")))
    yield "family by number", ask(3, attribute(1, u16(FAMILY)))
    yield "family by name and number", ask(3, attributes({1: u16(FAMILY), 2: text("IPVS")}))
    yield "family by name and another number", ask(3, attributes({1: u16(CONTROLLER), 2: text("IPVS")}))
    yield "family without acknowledgement", ask(3, attribute(2, text("IPVS")), REQUEST)
    yield "family by unknown attributes as well", ask(3, attributes({2: text("IPVS"), 50: b"?"}))
    for name in ("", "ipvs", "NOPE", "fifteen-letters", "sixteen-letters-"):
        yield f"family '{name}'", ask(3, attribute(2, text(name)))
    yield "family by a name without its zero", ask(3, attribute(2, b"IPVS"))
    yield "family by a long name without zero", ask(3, attribute(2, b"sixteen-letters-"))
    yield "family by a number that is none", ask(3, attribute(1, u16(0x50)))
    yield "family by half a number", ask(3, attribute(1, b"\1"))
    yield "family by nothing", ask(3, b"")
    for command in (0, 1, 2, 99):
        yield f"command {command} of nlctrl", ask(command, attribute(2, text("IPVS")))


def cases():
    """Name and packets of every case; the names differ."""
    found = {}
    for make in (services, servers, daemons, timeouts, shapes, controller):
        for name, packet in make():
            if name in found:
                raise ValueError(f"two cases are called {name}")
            found[name] = packet if isinstance(packet, list) else [packet]
    return found


if __name__ == "__main__":
    print(len(cases()), "cases")
