"""The netlink dialect compared: the cases of dialect_cases.py asked of the reference kernel, and of a director.

    python3 -m kernel.dialect --record        ask the kernel (in User-Mode Linux) and write its answers down
    python3 -m kernel.dialect SOCKET          ask a director by its control socket, and say where it differs

Run it in Lab/. `swift test` asks the engine the same without sockets, from the file written here.
"""

import argparse
import json
import pathlib
import re
import socket
import struct
import subprocess
import sys
import time
import types

from runner.host import Failure

from . import dialect_cases
from .dialect_cases import CLEAN, CONTROLLER, FAMILY, GET_CONFIG, LOOK, NEW_DEST, NEW_SERVICE, PORT, SETUP, attribute, message, text

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "Tests" / "ControlTests" / "Fixtures" / "dialect.jsonl"
ERROR, DONE = 2, 3


# Where a director answers otherwise on purpose.
KNOWN = {
    "^NEW_SERVICE of protocol (262|65535)": "a service that no packet can belong to is refused",
    "timeout 4294967295": "a timeout is kept as given, where the kernel's timer wraps around",
    "(NEW|SET)_DEST by method (5|6|7|4294967295)": "a forwarding method that does not exist is refused",
    "(NEW|SET)_DEST, tunnel (3|255) ": "a kind of tunnel that does not exist is refused",
    "(NEW|SET)_DEST, tunnel (0 port|2 port 6080)": "what a kind of tunnel has no use for is not kept",
}


def messages(packet):
    """The messages of a packet of answers."""
    while len(packet) >= 16:
        (length,) = struct.unpack_from("<I", packet)
        if not 16 <= length <= len(packet):
            raise Failure(f"an answer is no message: {packet.hex()}")
        yield packet[:length]
        packet = packet[(length + 3) & ~3 :]


# Asked after each packet: its acknowledgement says that everything before has been answered.
LAST = message(GET_CONFIG, flags=5, sequence=0xFFFFFFFF)


def attributes(body):
    """Kinds and values of a list of attributes."""
    while len(body) >= 4:
        length, kind = struct.unpack_from("<HH", body)
        yield kind, body[4:length]
        body = body[(length + 3) & ~3 :]


def without_padding(answer):
    """The answer without the empty attributes that some machines need before numbers of 64 bits."""
    if answer[16] not in (NEW_SERVICE, NEW_DEST):
        return answer
    parts = b""
    for kind, data in attributes(answer[20:]):
        inner = b""
        for number, value in attributes(data):
            if number in (10, 12):
                value = b"".join(attribute(*row) for row in attributes(value) if row[0] != 11)
            inner += attribute(number, value)
        parts += attribute(kind, inner)
    return struct.pack("<I", 20 + len(parts)) + answer[4:20] + parts


class Peer:
    """Somebody who speaks the dialect; the family's number is swapped for the one the cases use."""

    def __init__(self, connection):
        self.connection = connection
        self.number = None
        told = self.exchange(message(3, attribute(2, text("IPVS")), kind=CONTROLLER, flags=1))
        (self.number,) = struct.unpack("<H", dict(attributes(told[0][20:]))[1])

    def exchange(self, packet):
        """Sends a packet and takes everything that it is answered with."""
        last = LAST
        if self.number is None:
            last = message(3, attribute(2, text("IPVS")), 5, CONTROLLER, sequence=0xFFFFFFFF)
        answers = []
        for request in (packet, last):
            if self.number is not None:
                family = struct.pack("<H", FAMILY)
                request = request.replace(family, struct.pack("<H", self.number))
            self.connection.send(request)
        unfinished, is_last = 0, False
        # A dump of the kernel's goes on behind the answer to a later request.
        while unfinished or not is_last:
            for answer in messages(self.connection.recv(65536)):
                kind, flags, sequence = struct.unpack_from("<HHI", answer, 4)
                if sequence == 0xFFFFFFFF:
                    is_last |= kind == ERROR
                    continue
                if kind == DONE:
                    unfinished = 0
                elif flags & 2:
                    unfinished = 1
                answers.append(self.neutral(answer))
        return answers

    def neutral(self, answer):
        """The answer with the placeholder for the family's number."""
        if self.number is None:
            return answer
        answer = bytearray(answer)
        (kind,) = struct.unpack_from("<H", answer, 4)
        if kind == self.number:
            struct.pack_into("<H", answer, 4, FAMILY)
            return without_padding(bytes(answer))
        elif kind == ERROR and len(answer) >= 36 and struct.unpack_from("<H", answer, 24)[0] == self.number:
            struct.pack_into("<H", answer, 24, FAMILY)
        elif kind in (ERROR, CONTROLLER):
            answer = bytearray(
                bytes(answer).replace(attribute(1, struct.pack("<H", self.number)), attribute(1, struct.pack("<H", FAMILY)))
            )
        return bytes(answer)

    def look(self):
        return [answer.hex() for packet in LOOK for answer in self.exchange(packet)]

    def play(self, packets):
        for step in [*CLEAN, *SETUP]:
            self.exchange(step)
        before = self.look()
        answers = []
        for packet in packets:
            time.sleep(0.02 * bool(answers))
            answers += [answer.hex() for answer in self.exchange(packet)]
        after = self.look()
        gone = [answer for answer in before if answer not in after]
        new = [answer for answer in after if answer not in before]
        return in_order(answers), sorted(gone), sorted(new)


def kernel():
    connection = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    connection.bind((PORT, 0))
    connection.settimeout(10)
    return Peer(connection)


def director(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(path)
    connection.settimeout(10)
    return Peer(connection)


def write(path, peer):
    # Where the machine's own loopback leads is not what is asked here.
    subprocess.run(["ip", "-6", "route", "add", "ff05::/16", "dev", "lo", "table", "local"], check=True)
    with open(path, "w", encoding="ascii") as file:
        for name, packets in dialect_cases.cases().items():
            answers, gone, new = peer.play(packets)
            entry = {"name": name, "packets": [packet.hex() for packet in packets], "answers": answers}
            if reason := next((why for pattern, why in KNOWN.items() if re.search(pattern, name)), None):
                entry["known"] = reason
            if gone or new:
                entry |= {"gone": gone, "new": new}
            print(json.dumps(entry), file=file)


def record():
    """Boots the reference kernel, where this module runs as its agent, and keeps what it wrote."""
    from .uml import Machine, obstacle

    trouble = obstacle()
    if trouble:
        raise Failure(trouble)
    machine = Machine([types.SimpleNamespace(data={})], ROOT / "Lab", 1, agent="kernel.dialect")
    try:
        while machine.is_running:
            time.sleep(0.1)
        machine.check()
        FIXTURE.write_bytes((machine.shared / "dialect.jsonl").read_bytes())
    finally:
        machine.close()
    print(f"{len(FIXTURE.read_text().splitlines())} cases written to {FIXTURE.relative_to(ROOT)}")


def in_order(answers):
    """The entries of a list are in no order that says anything."""
    ordered, entries = [], []
    for answer in answers:
        (flags,) = struct.unpack_from("<H", bytes.fromhex(answer), 6)
        if flags & 2:
            entries.append(answer)
        else:
            ordered += [*sorted(entries), answer]
            entries = []
    return ordered + sorted(entries)


def comparable(answers):
    """An explained error of ours is the kernel's without the explanation."""
    plain = []
    for answer in map(bytes.fromhex, answers):
        kind, flags = struct.unpack_from("<HH", answer, 4)
        if kind == ERROR and flags & 0x200:
            answer = bytearray(answer)
            (size,) = struct.unpack_from("<I", answer, 20)
            length = 20 + (16 if flags & 0x100 else (size + 3) & ~3)
            struct.pack_into("<IHH", answer, 0, length, kind, flags & ~0x200)
            answer = bytes(answer[:length])
        plain.append(answer.hex())
    return plain


def check(path):
    peer = director(path)
    passed = failed = known = 0
    for line in FIXTURE.read_text().splitlines():
        case = json.loads(line)
        answers, gone, new = peer.play(list(map(bytes.fromhex, case["packets"])))
        rows = [
            ("answers", case["answers"], comparable(answers)),
            ("no more", case.get("gone", []), gone),
            ("new", case.get("new", []), new),
        ]
        wrong = [row for row in rows if row[1] != row[2]]
        if "known" in case:
            known += bool(wrong)
            failed += not wrong
            if not wrong:
                print(f"{case['name']}: no difference any more, but one is known: {case['known']}")
            continue
        passed, failed = passed + (not wrong), failed + bool(wrong)
        if wrong:
            print(f"{case['name']}: {' '.join(case['packets'])}")
        for what, theirs, ours in wrong:
            print(f"  {what}: kernel   {' '.join(theirs)}\n  {what}: director {' '.join(ours)}")
    print(f"{known} known differences")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(prog="python3 -m kernel.dialect")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("socket", nargs="?")
    given = parser.parse_args()
    if given.record:
        return record()
    if not given.socket:
        parser.error("give a director's control socket, or --record")
    # Inside the machine the argument is the directory for what it hands out.
    if pathlib.Path(given.socket).is_dir():
        return write(pathlib.Path(given.socket) / "dialect.jsonl", kernel())
    return check(given.socket)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"kernel.dialect: {failure}")
