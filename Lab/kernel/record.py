"""Turns a kernel's answer into a recording, and a scenario in words into one in bytes."""

from . import uml
from .annotate import Annotator
from .scenario import Scenario


def played(scenario, answer):
    """Scenario and answer without the optional frames that had nothing to refer to."""
    pairs = list(zip(scenario.steps, answer["steps"]))
    kept = [(step, result) for step, result in pairs if not result.get("unsaid")]
    if len(kept) == len(pairs):
        return scenario, answer
    smaller = Scenario(scenario.data | {"steps": [step for step, _ in kept]}, scenario.path)
    return smaller, answer | {"steps": [result for _, result in kept]}


def annotated(scenario, answer):
    """The answer with what is free, and what is not the director's, marked in every output frame."""
    reader = Annotator(scenario.setup, [rule.split() for rule in scenario.setup["rules"]])
    marked = answer | {"steps": []}
    for step, result in zip(scenario.steps, answer["steps"]):
        cause = None
        if step["op"] == "frame":
            cause = bytes.fromhex(result["in"])
            reader.came(cause)
        elif step["op"] == "ctl" and not result["fails"]:
            reader.learn([str(word) for word in step["args"]])
        out = []
        for frame in result["out"]:
            out.append({"if": frame["if"], **reader.left(bytes.fromhex(frame["hex"]), cause)})
        marked["steps"].append(result | {"out": out})
    return marked


def resolved(scenario, answer):
    """The scenario with the bytes of every frame that it gives in words."""
    steps = []
    for step, result in zip(scenario.steps, answer["steps"]):
        if step["op"] == "frame" and "hex" not in step:
            step = step | {"hex": result["in"]}
        steps.append(step)
    return Scenario(scenario.data | {"steps": steps}, scenario.path)


def recording(scenario, answer):
    """The data of a scenario file that holds this (annotated) answer, in the order of keys that all files have."""
    steps = []
    for number, (step, result) in enumerate(zip(scenario.steps, answer["steps"])):
        # The time at which it happened: what a listing says of remaining seconds is true at that time.
        entry = {"n": number, "t": result["t"], "op": step["op"]}
        match step["op"]:
            case "frame":
                entry |= {"if": step["if"], "hex": result["in"], "note": note_of(step)}
                if step.get("verified"):
                    entry["verified"] = True
            case "ctl":
                entry |= {"args": [str(word) for word in step["args"]], "fails": result["fails"]}
            case "sysctl":
                entry |= {"name": step["name"], "value": str(step["value"])}
            case "wait":
                entry["ms"] = step["ms"]
            case "list":
                entry |= {"kind": step["kind"], "text": result["text"]}
        if "note" in step and "note" not in entry:
            entry["note"] = step["note"]
        entry["out"] = result["out"]
        steps.append(entry)
    setup = {
        key: scenario.setup[key]
        for key in (
            *("interfaces", "vips", "neighbours", "routes", "sysctl", "kernel_sysctl", "timeouts"),
            *("marks", "local_marks", "rules"),
        )
        if scenario.setup.get(key) or key in ("vips", "neighbours", "routes", "rules", "marks")
    }
    setup.setdefault("sysctl", {})
    return {
        "format": 1,
        "name": scenario.name,
        "group": scenario.data.get("group", "own"),
        "title": scenario.data.get("title", scenario.name),
        "tags": scenario.tags,
        "oracle": f"Linux {uml.release()} ip_vs",
        "setup": setup,
        "steps": steps,
    }


def note_of(step):
    if step.get("note"):
        return step["note"]
    if "packet" in step:
        return step["packet"]
    if "reply" in step:
        return f"reply to step {step['reply']} {step.get('words', '')}".strip()
    if "error" in step:
        return f"error {step['error']['type']}/{step['error'].get('code', 0)} about step {step['error']['about']}"
    return ""
