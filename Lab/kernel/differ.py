"""Compares two answers to one scenario: every frame byte by byte, every listing, every refusal."""

import struct

from . import listings, synchronised
from .frames import Packet, be16, describe, fold


def differences(scenario, expected, actual):
    """Lines that say where `actual` is not what `expected` says."""
    if actual["error"]:
        return [actual["error"]]
    told = []
    expected, actual = without_messages(scenario, expected, actual)
    for step, one, other in zip(scenario.steps, expected["steps"], actual["steps"]):
        found = list(of_step(scenario, step, one, other))
        told += [f"step {step['n']} ({what(step)}): {line}" for line in found]
    if len(expected["steps"]) != len(actual["steps"]):
        told.append(f"{len(expected['steps'])} steps expected, {len(actual['steps'])} played")
    return told


def without_messages(scenario, *answers):
    """Answers without the messages to other directors, where these tell the same in all of them."""
    if "sync" not in scenario.tags:
        return answers
    groups = [[frame for step in answer["steps"] for frame in step["out"] if frame["hex"][1] in "13579bdf"] for answer in answers]
    told = [synchronised.entries([bytes.fromhex(frame["hex"]) for frame in group]) for group in groups]
    if told[0] is None or any(other != told[0] for other in told):
        return answers
    return [
        answer | {"steps": [step | {"out": [one for one in step["out"] if one not in group]} for step in answer["steps"]]}
        for answer, group in zip(answers, groups)
    ]


def what(step):
    if step["op"] == "ctl":
        return " ".join(map(str, step["args"]))
    return str(step.get("note") or step.get("packet") or step.get("kind") or step["op"])


def of_step(scenario, step, one, other):
    match step["op"]:
        case "ctl":
            if one["fails"] != other["fails"]:
                yield f"expected {result(one)}, got {result(other)}"
        case "list":
            apart = abs(one["at"] - other["at"])
            yield from listings.differences(step["kind"], one["text"], other["text"], apart)
    for interface in scenario.setup["interfaces"]:
        name = interface["name"]
        expected = [frame for frame in one["out"] if frame["if"] == name]
        actual = [bytes.fromhex(frame["hex"]) for frame in other["out"] if frame["if"] == name]
        yield from in_order(name, expected, actual)


def result(answer):
    return f"a refusal ({answer['said']})" if answer["fails"] and answer.get("said") else (
        "a refusal" if answer["fails"] else "success"
    )


def in_order(name, expected, actual):
    """Frames of one step on one interface; those that are the host's own may be missing."""
    left = list(actual)
    for entry in expected:
        frame = bytes.fromhex(entry["hex"])
        free = entry.get("free", [])
        if left and same(frame, left[0], free):
            left.pop(0)
        elif entry.get("by"):
            continue
        elif left:
            got = left.pop(0)
            yield f"{name}: expected {describe(frame)}"
            yield f"{name}:      got {describe(got)}; {where(masked(frame, free), masked(got, free))}"
        else:
            yield f"{name}: missing {describe(frame)}"
    for frame in left:
        yield f"{name}: surplus {describe(frame)}"


def same(expected, actual, free):
    return masked(expected, free) == masked(actual, free)


def where(expected, actual):
    """The bytes that differ."""
    if len(expected) != len(actual):
        return f"{len(expected)} bytes expected, {len(actual)} came"
    places = [at for at in range(len(expected)) if expected[at] != actual[at]]
    shown = ", ".join(f"{at}: {expected[at]:02x} is {actual[at]:02x}" for at in places[:8])
    return f"byte {shown}{' ...' if len(places) > 8 else ''}"


def masked(frame, free):
    """The frame without what is free, and without sums that follow from it if they are right."""
    data = bytearray(frame)
    for entry in sorted(free, key=lambda text: text.startswith("ipv4id")):
        field, _, place = entry.partition("@")
        at = int(place)
        if field == "ipv4id" and len(data) >= at + 20:
            end = at + (data[at] & 15) * 4
            is_right = fold(bytes(data[at:end])) == 0xFFFF
            data[at + 4 : at + 6] = bytes(2)
            data[at + 10 : at + 12] = b"\0\0" if is_right else b"\xba\xdd"
        elif field == "ipv6fragid" and len(data) >= at + 8:
            data[at + 4 : at + 8] = bytes(4)
        elif field == "udpsource" and len(data) >= at + 8:
            mask_source_port(data, at)
    return bytes(data)


def mask_source_port(data, at):
    packet = Packet(bytes(data))
    if be16(data, at + 6):
        is_right = packet.ok and fold(bytes(data[at : packet.end]), packet.pseudo()) == 0xFFFF
        data[at + 6 : at + 8] = b"\xff\xff" if is_right or not packet.is_whole else b"\xba\xdd"
    data[at : at + 2] = struct.pack("!H", 0)


def recorded(scenario):
    """The answer that a recording holds."""
    steps = []
    for step in scenario.steps:
        steps.append(
            {
                "n": step["n"],
                "at": step.get("t", 0) / 1000,
                "in": step.get("hex", ""),
                "out": step.get("out", []),
                "fails": step.get("fails", False),
                "text": step.get("text", ""),
            }
        )
    return {"name": scenario.name, "steps": steps, "error": None}
