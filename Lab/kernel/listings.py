"""Listings of ipvsadm: what in them means something, and where two of them differ."""

import collections
import ipaddress
import re

HEADERS = ("IP Virtual Server", "Prot ", "-> RemoteAddress", "IPVS connection", "pro expire")
EXPIRY = re.compile(r"^\d+:\d\d$")
ENTRY = re.compile(r"^[A-Z]+ +([0-9A-F:]{8,39} [0-9A-F]{4} ){3}\w+ +\d+")
# Both sides run in real time, and seconds are cut off.
SECONDS_APART = 3


def differences(kind, expected, actual, seconds=0.0):
    """Lines that say where two listings differ. `seconds`: how much later one of them was taken."""
    if kind == "conns":
        return connections(expected, actual, SECONDS_APART + seconds)
    if kind == "timeouts":
        one, other = expected.split(), actual.split()
        return [] if one == other else [f"expected {' '.join(one)}, got {' '.join(other)}"]
    return lines(flat(expected, kind), flat(actual, kind))


def flat(text, kind):
    """Every line with its service in front, so that order means nothing and belonging does."""
    service, found = "", []
    for line in text.splitlines():
        line = " ".join(line.split())
        if not line or line.startswith(HEADERS):
            continue
        if kind != "save" and line.startswith("->"):
            found.append(f"{service} | {line}")
        else:
            # The figures of a service are not the name of it.
            service = " ".join(line.split()[:2])
            found.append(line)
    return collections.Counter(found)


def lines(expected, actual):
    told = [f"missing: {line}" for line in (expected - actual).elements()]
    return told + [f"surplus: {line}" for line in (actual - expected).elements()]


def connections(expected, actual, apart):
    one, other = rows(expected), rows(actual)
    told = []
    for key in sorted(set(one) | set(other)):
        left, right = sorted(one.get(key, [])), sorted(other.get(key, []))
        told += [f"missing: {key} for {seconds} s" for seconds in left[len(right) :]]
        told += [f"surplus: {key} for {seconds} s" for seconds in right[len(left) :]]
        for expects, has in zip(left, right):
            if abs(expects - has) > apart:
                told.append(f"{key}: expected {expects} s, got {has} s")
    return told


def rows(text):
    """Connections, each as its words without the time left, with the times left of all that read so."""
    found = collections.defaultdict(list)
    for line in text.splitlines():
        words = line.split()
        if not words or line.startswith(HEADERS):
            continue
        times = [word for word in words if EXPIRY.match(word)]
        seconds = 0
        if times:
            words.remove(times[0])
            minutes, _, rest = times[0].partition(":")
            seconds = int(minutes) * 60 + int(rest)
        found[" ".join(words)].append(seconds)
    return found


def of_kernel(text):
    """/proc/net/ip_vs_conn as `ipvsadm -Lnc` would show it."""
    found = []
    # What a persistence engine has kept stands last in a line, and may hold anything.
    for line in text.split("\n")[1:]:
        if not ENTRY.match(line):
            continue
        proto, *ends, state, seconds = line.split()[:9]
        words = [proto, f"{int(seconds) // 60:02}:{int(seconds) % 60:02}", state]
        for at in (0, 2, 4):
            where = ends[at].replace(":", "")
            if len(where) == 8:
                words.append(f"{ipaddress.IPv4Address(int(where, 16))}:{int(ends[at + 1], 16)}")
            else:
                words.append(f"[{ipaddress.IPv6Address(int(where, 16))}]:{int(ends[at + 1], 16)}")
        found.append(" ".join(words))
    return "\n".join(found) + "\n"
