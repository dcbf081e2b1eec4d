"""CONFORMANCE.md: what was compared with which kernel, and every difference by its name."""

import collections
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "CONFORMANCE.md"
KNOWN = HERE / "KNOWN.md"
ENTRY = re.compile(r"^\* `([^`]+)`: (.+)$")


def known():
    """Scenarios that are expected to differ, with the reason: lines of KNOWN.md."""
    entries = [ENTRY.match(line) for line in KNOWN.read_text(encoding="utf-8").splitlines()]
    return {entry.group(1): entry.group(2) for entry in entries if entry}


def unseen(names):
    """Names that the committed table does not have yet."""
    words = set(re.split(r"[\s|`:]+", TABLE.read_text(encoding="utf-8"))) if TABLE.exists() else set()
    return sorted(set(names) - words)


def write(outcomes, release):
    areas = collections.defaultdict(list)
    for outcome in outcomes:
        areas[outcome.scenario.area].append(outcome)
    played = [one for one in outcomes if not one.skipped]
    same = [one for one in played if one.passed]
    frames = sum(step["op"] == "frame" for one in played for step in one.scenario.steps)
    listings = sum(step["op"] == "list" for one in played for step in one.scenario.steps)
    lines = [
        "# Conformance with kernel IPVS",
        "",
        f"Written by `Lab/kernel/compare --all --table`: every scenario played through the IPVS of Linux {release}",
        "(User-Mode Linux, configured by ipvsadm) and through the `director` program, on the same interfaces,",
        "addresses, neighbours and routes; every frame compared byte by byte, every listing entry by entry.",
        "",
        f"**{len(same)} of {len(played)} scenarios are the same** ({frames} frames in, {listings} listings).",
        "",
        "| area | same | of | scenarios |",
        "| --- | ---: | ---: | --- |",
    ]
    for area in sorted(areas):
        of_area = [one for one in areas[area] if not one.skipped]
        if of_area:
            good = sum(one.passed for one in of_area)
            names = " ".join(one.scenario.name for one in of_area)
            lines.append(f"| {area} | {good} | {len(of_area)} | {names} |")
    reasons = known()
    different = [one for one in played if not one.passed]
    lines += ["", "## Differences", ""]
    for one in different:
        name = one.scenario.name
        first = (one.differences or [f"recording and kernel differ: {line}" for line in one.outdated])[0]
        lines.append(f"* `{name}`: {reasons.get(name, first.splitlines()[0])}")
    if not different:
        lines.append("None.")
    skipped = [one for one in outcomes if one.skipped]
    lines += ["", "## Left open in every comparison", "", *OPEN]
    if skipped:
        lines += ["", "## Not played", ""]
        lines += [f"* `{one.scenario.name}`: {one.skipped}" for one in skipped]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


OPEN = """\
* The identification in IP headers, and in IPv6 fragment headers, that the director itself makes: the outer header of
  a tunnel, ICMP errors, fragments; with it the header checksum, which must be right.
* The source port of GUE packets, and with it their UDP checksum, which must be right.
* Frames that the host's own stack answers or routes on in the kernel's case may be missing in ours.
* Order between interfaces; order of services, servers and connections in listings; three seconds in remaining times.
* ARP, neighbour discovery, MLD and IGMP.""".splitlines()
