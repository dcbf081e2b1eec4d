"""Whether the comparison sees what it should see: recordings are changed in one place, and that must be told."""

import copy
import pathlib
import random
import tempfile

from . import differ, frames, listings, record, scenario, words
from .scenario import check

SETUP = {
    "interfaces": [
        {"name": "cli", "mac": "02:00:0a:01:00:01", "addresses": ["10.1.0.1/24"]},
        {"name": "srv", "mac": "02:00:0a:02:00:01", "addresses": ["10.2.0.1/24"]},
    ],
    "vips": [{"addr": "10.1.0.100", "dev": "cli"}],
    "neighbours": [{"ip": "10.2.0.11", "dev": "srv", "mac": "02:00:0a:02:00:0b"}],
    "rules": ["-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:80 -i"],
}


def with_output():
    """Recordings that have both frames and listings."""
    for one in scenario.fixtures():
        if any(step.get("out") for step in one.steps) and not one.data.get("setup", {}).get("laddrs"):
            yield one


def every_recording_equals_itself():
    for one in with_output():
        answer = differ.recorded(one)
        found = differ.differences(one, answer, copy.deepcopy(answer))
        assert not found, f"{one.name}: {found[0]}"


def every_changed_byte_is_told():
    """In each recording, one byte of one frame, not a free one."""
    seen = 0
    for one in with_output():
        dice = random.Random(one.name)
        answer = differ.recorded(one)
        changed = copy.deepcopy(answer)
        steps = [step for step in changed["steps"] if any("by" not in frame for frame in step["out"])]
        if not steps:
            continue
        frame = next(frame for frame in dice.choice(steps)["out"] if "by" not in frame)
        data = bytearray.fromhex(frame["hex"])
        free = {entry.partition("@")[0]: int(entry.partition("@")[2]) for entry in frame.get("free", [])}
        open_bytes = {free["ipv4id"] + n for n in (4, 5)} if "ipv4id" in free else set()
        open_bytes |= {free["ipv6fragid"] + n for n in (4, 5, 6, 7)} if "ipv6fragid" in free else set()
        open_bytes |= {free["udpsource"] + n for n in (0, 1)} if "udpsource" in free else set()
        at = dice.choice([n for n in range(len(data)) if n not in open_bytes])
        data[at] ^= 1 << dice.randrange(8)
        frame["hex"] = data.hex()
        assert differ.differences(one, answer, changed), f"{one.name}: byte {at} changed unseen"
        seen += 1
    assert seen >= 60, seen


def missing_surplus_and_swapped_frames_are_told():
    for one in with_output():
        answer = differ.recorded(one)
        place = next(
            (n for n, step in enumerate(answer["steps"]) if any("by" not in frame for frame in step["out"])), None
        )
        if place is None:
            continue
        for change in ("missing", "surplus", "elsewhere", "later"):
            changed = copy.deepcopy(answer)
            out = changed["steps"][place]["out"]
            frame = next(frame for frame in out if "by" not in frame)
            if change == "missing":
                out.remove(frame)
            elif change == "surplus":
                out.append(copy.deepcopy(frame))
            elif change == "elsewhere" and len(one.setup["interfaces"]) > 1:
                frame["if"] = next(i["name"] for i in one.setup["interfaces"] if i["name"] != frame["if"])
            elif change == "later" and place + 1 < len(changed["steps"]):
                out.remove(frame)
                changed["steps"][place + 1]["out"].append(frame)
            else:
                continue
            assert differ.differences(one, answer, changed), f"{one.name}: a {change} frame unseen"


def the_host_s_own_frames_may_be_missing():
    one = next(one for one in with_output() if any("by" in f for step in one.steps for f in step.get("out", [])))
    answer = differ.recorded(one)
    changed = copy.deepcopy(answer)
    for step in changed["steps"]:
        step["out"] = [frame for frame in step["out"] if "by" not in frame]
    assert not differ.differences(one, answer, changed)


def a_free_identification_needs_a_right_sum():
    frame = bytes.fromhex("02000a02000c02000a02000108004500001c123440004006f6310a0200010a02000c0102030405060708")
    head = bytearray(frame)
    head[24:26] = bytes(2)
    head[24:26] = (frames.fold(bytes(head[14:34])) ^ 0xFFFF).to_bytes(2, "big")
    other = bytearray(head)
    other[18:20] = b"\x99\x99"
    assert not differ.same(bytes(head), bytes(other), ["ipv4id@14"])
    other[24:26] = bytes(2)
    other[24:26] = (frames.fold(bytes(other[14:34])) ^ 0xFFFF).to_bytes(2, "big")
    assert differ.same(bytes(head), bytes(other), ["ipv4id@14"])
    assert not differ.same(bytes(head), bytes(other), [])


def listings_differ_by_entries_not_by_order():
    head = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
    one = head + "TCP  10.0.0.1:80 rr\n  -> 10.2.0.1:80 Masq 1 0 0\n  -> 10.2.0.2:80 Masq 1 2 0\nUDP  10.0.0.1:53 rr\n"
    other = head + "UDP 10.0.0.1:53 rr\nTCP 10.0.0.1:80 rr\n -> 10.2.0.2:80  Masq 1 2 0\n -> 10.2.0.1:80 Masq 1 0 0\n"
    assert not listings.differences("rules", one, other)
    assert listings.differences("rules", one, other.replace("1 2 0", "1 3 0"))
    moved = head + "UDP 10.0.0.1:53 rr\n -> 10.2.0.2:80 Masq 1 2 0\nTCP 10.0.0.1:80 rr\n -> 10.2.0.1:80 Masq 1 0 0\n"
    assert listings.differences("rules", one, moved), "a server under another service unseen"


def connections_may_differ_by_seconds_only():
    row = "TCP {} ESTABLISHED 1.1.1.1:1 2.2.2.2:80 3.3.3.3:80\n"
    assert not listings.differences("conns", row.format("14:59"), row.format("14:56"))
    assert listings.differences("conns", row.format("14:59"), row.format("14:55"))
    assert not listings.differences("conns", row.format("14:59"), row.format("14:55"), seconds=2.0)
    assert listings.differences("conns", row.format("14:59"), "")
    assert listings.differences("conns", row.format("14:59") * 2, row.format("14:59"))
    assert listings.differences("conns", row.format("14:59"), row.format("14:59").replace("EST", "FIN"))


def refusals_are_compared():
    one = check({"name": "x", "setup": SETUP, "steps": [{"op": "ctl", "args": ["-C"]}]}, "x")
    yes, no = ({"name": "x", "error": None, "steps": [{"n": 0, "fails": fails, "out": [], "at": 0}]} for fails in (True, False))
    assert differ.differences(one, yes, no) and not differ.differences(one, no, no)


def words_become_packets_with_right_sums():
    for text in (
        "tcp 198.51.100.1:4000 > 10.1.0.100:80 S",
        "udp 198.51.100.1:4000 > 10.1.0.100:53 data hello",
        "icmp 198.51.100.1 > 10.1.0.100 bytes 9",
        "udp [2001:db8::1]:4000 > [2001:db8::2]:53 data x",
        "tcp [2001:db8::1]:4000 > [2001:db8::2]:80 PA seq 7 ack 8 data a\\r\\n",
    ):
        one = check({"name": "x", "setup": SETUP, "steps": [{"op": "frame", "if": "cli", "packet": text}]}, "x")
        frame = words.frame_of(one.steps[0], one, [])
        packet = frames.packet_of(frame)
        start = 0 if packet.proto == frames.ICMP else packet.pseudo()
        assert frames.fold(frame[packet.l4 : packet.end], start) == 0xFFFF, text
        if packet.version == 4:
            assert frames.fold(frame[14:34]) == 0xFFFF, text
    assert words.crc32c(b"123456789") == 0xE3069283


def recordings_keep_what_they_say():
    """What the recorder would mark, against what recordings have marked."""
    wrong = []
    for one in with_output():
        if one.name.startswith("own-"):
            continue
        answer = differ.recorded(one)
        bare = answer | {"steps": [step | {"out": [{"if": f["if"], "hex": f["hex"]} for f in step["out"]]} for step in answer["steps"]]}
        again = record.annotated(one, bare)
        for before, after in zip(answer["steps"], again["steps"]):
            for was, is_ in zip(before["out"], after["out"]):
                if was.get("by") != is_.get("by") or sorted(was.get("free", [])) != sorted(is_.get("free", [])):
                    wrong.append(f"{one.name} step {before['n']}: {was.get('by')} {was.get('free')}, marked {is_.get('by')} {is_.get('free')}")
    assert not wrong, "\n".join(wrong[:20])


def scenarios_survive_being_written():
    with tempfile.TemporaryDirectory() as directory:
        for one in list(with_output())[:10]:
            path = pathlib.Path(directory) / one.name / "scenario.json"
            scenario.write(one.data, path)
            assert scenario.load(path).data == one.data, one.name


TESTS = [
    every_recording_equals_itself,
    every_changed_byte_is_told,
    missing_surplus_and_swapped_frames_are_told,
    the_host_s_own_frames_may_be_missing,
    a_free_identification_needs_a_right_sum,
    listings_differ_by_entries_not_by_order,
    connections_may_differ_by_seconds_only,
    refusals_are_compared,
    words_become_packets_with_right_sums,
    recordings_keep_what_they_say,
    scenarios_survive_being_written,
]


def run():
    failed = 0
    for test in TESTS:
        try:
            test()
            print(f"passed: {test.__name__.replace('_', ' ')}")
        except AssertionError as problem:
            failed += 1
            print(f"FAILED: {test.__name__.replace('_', ' ')}: {problem}")
    print(f"{len(TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0
