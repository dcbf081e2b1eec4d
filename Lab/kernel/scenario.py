"""Scenario files: reading, checking, choosing, writing. Their format is told in README.md."""

import json
import pathlib

from runner.host import Failure
from runner.lab import ROOT

FIXTURES = ROOT / "Tests" / "GoldenTests" / "Fixtures" / "packets"
# Recordings that need a host beside the director, so that the golden tests cannot replay them.
HOSTED = ROOT / "Lab" / "kernel" / "scenarios"
OPERATIONS = {"frame", "ctl", "sysctl", "wait", "list", "settle-stats"}
KINDS = {
    "rules": ["-Ln"],
    "conns": ["-Lnc"],
    "stats": ["-Ln", "--stats", "--exact"],
    "thresholds": ["-Ln", "--thresholds"],
    "persistent": ["-Ln", "--persistent-conn"],
    "timeouts": ["-L", "--timeout"],
    "save": ["-Sn"],
}

# An area is the first of these words that stands among a scenario's tags, or else its group.
AREAS = [
    ("fullnat", "fullnat"),
    ("sync", "sync"),
    ("random", "random"),
    ("ftp", "helpers"),
    ("sip", "helpers"),
    ("ipv6", "ipv6"),
    ("sctp", "sctp"),
    ("ipsec", "ah-esp"),
    ("fwmark", "fwmark"),
    ("persist", "persistence"),
    ("fragments", "fragments"),
    ("icmp", "icmp"),
    ("bypass", "bypass"),
    ("local", "local"),
    ("tunnel-type", "tunnels"),
    ("mtu", "mtu"),
    ("ops", "one-packet"),
    ("sysctl", "settings"),
    ("thresholds", "thresholds"),
    ("states", "states"),
    ("nat", "nat"),
    ("dr", "dr"),
    ("tun", "tun"),
]


class Scenario:
    """One scenario: what is set up and what happens then."""

    def __init__(self, data, path=None):
        self.data = data
        self.path = path
        self.name = data["name"]
        self.setup = data["setup"]
        self.steps = data["steps"]
        self.tags = data.get("tags", [])

    @property
    def area(self):
        for tag, area in AREAS:
            if tag in self.tags:
                return area
        return self.data.get("group", "other")

    @property
    def is_recorded(self):
        return bool(self.data.get("oracle"))


def load(path):
    """Reads one scenario: a file, or a folder that holds a scenario.json."""
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "scenario.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Failure(f"{path}: {error}") from None
    default = path.parent.name if path.name == "scenario.json" else path.stem
    return check(data, path, default)


def check(data, path, default="scenario"):
    """Completes what may be left out, and refuses what nobody could play."""

    def refuse(what):
        raise Failure(f"{path}: {what}")

    if not isinstance(data, dict):
        refuse("not an object")
    data.setdefault("name", default)
    if not str(data["name"]).replace("-", "").replace("_", "").isalnum():
        refuse(f"a name is made of letters, digits, - and _, not {data['name']!r}")
    setup = data.setdefault("setup", {})
    for key in ("interfaces", "rules"):
        if not setup.get(key):
            refuse(f"setup says nothing about {key}")
    for key in ("vips", "neighbours", "routes", "marks", "local_marks"):
        setup.setdefault(key, [])
    names = [interface.get("name") for interface in setup["interfaces"]]
    for interface in setup["interfaces"]:
        missing = {"name", "mac", "addresses"} - set(interface)
        if missing:
            refuse(f"interface {interface.get('name')}: no {', '.join(sorted(missing))}")
        if len(interface["name"]) > 8:
            refuse(f"interface {interface['name']}: a name has at most 8 letters")
    for number, step in enumerate(data.setdefault("steps", [])):
        where = f"step {number}"
        if step.get("op") not in OPERATIONS:
            refuse(f"{where}: op is {step.get('op')!r}; there are {', '.join(sorted(OPERATIONS))}")
        if step["op"] == "frame":
            if step.get("if") not in names:
                refuse(f"{where}: no interface is called {step.get('if')!r}")
            if not {"hex", "packet", "reply", "error"} & set(step):
                refuse(f"{where}: a frame needs hex, packet, reply or error")
        if step["op"] == "list" and step.get("kind") not in KINDS:
            refuse(f"{where}: kind is {step.get('kind')!r}; there are {', '.join(KINDS)}")
        if step["op"] == "wait" and not isinstance(step.get("ms"), int):
            refuse(f"{where}: wait needs ms")
        if step["op"] == "ctl" and not isinstance(step.get("args"), list):
            refuse(f"{where}: ctl needs args, a list of words")
        if step["op"] == "sysctl" and not {"name", "value"} <= set(step):
            refuse(f"{where}: sysctl needs name and value")
        step.setdefault("n", number)
    return Scenario(data, path)


def fixtures():
    """Every recording that the golden tests replay, and those that need a host."""
    return [load(path) for home in (FIXTURES, HOSTED) for path in sorted(home.glob("*/scenario.json"))]


def write(data, path):
    """Writes a scenario as the recordings are written: one line a step, so that changes can be read."""

    def line(value):
        return json.dumps(value, ensure_ascii=False)

    def block(values, indent):
        if not values:
            return "[]"
        pad = " " * indent
        return "[\n" + ",\n".join(f"{pad} {line(value)}" for value in values) + f"\n{pad}]"

    setup = ",\n".join(
        f"  {line(key)}: {block(value, 2) if isinstance(value, list) else line(value)}"
        for key, value in data["setup"].items()
    )
    top = [f" {line(key)}: {line(value)}" for key, value in data.items() if key not in ("setup", "steps")]
    top.append(f' "setup": {{\n{setup}\n }}')
    top.append(f' "steps": {block(data["steps"], 1)}')
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{\n" + ",\n".join(top) + "\n}\n", encoding="utf-8")
