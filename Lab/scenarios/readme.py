"""Every command of the README does what it says: those for a director on its host, those for the lab here."""

import os
import re
import subprocess

from runner.host import Failure
from runner.lab import ROOT

from . import nat

BLOCK = re.compile(r"^```(\S*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
READY = "until directorctl -Ln > /dev/null 2>&1; do sleep 0.1; done"


def blocks():
    """The README's commands by kind: `setup`, `director`, `lab`, and `machine`, which vm-nat gives to its director."""
    found = {"setup": [], "director": [], "lab": [], "machine": []}
    for language, kind, text in BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")):
        if not language and not kind:
            continue
        if language != "sh" or kind not in found:
            raise Failure(f"README: a block of kind {language} {kind!r} is run by no test:\n{text}")
        found[kind].append(text)
    return found


def written(name):
    """The text of a file that a command of the README writes, for scenarios that do as it says."""
    found = re.findall(
        rf"^cat > {re.escape(name)} <<'END'\n(.*?)^END$",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    if len(found) != 1:
        raise Failure(f"README: {name} is written {len(found)} times")
    return found[0]


def expect_in_ci(commands):
    """What sets a machine up is run by `.ci/run` instead."""
    checks = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in commands:
        if f"step {command}\n" not in checks:
            raise Failure(f"README: `{command}` is not run by .ci/run")


def run_on_director(lab, text):
    """One after another on the director's host; what ends in `&` is given time to come up."""
    nat.prepare_host(lab)
    script = re.sub(r"^(director .*&)$", rf"\1\n{READY}", text, flags=re.MULTILINE)
    path = lab.file("readme.sh")
    path.write_text("exec 2>&1\nset -euv\n" + script)
    done = lab.host("director").attempt("bash", str(path), timeout=60, cwd=lab.directory)
    print(done.stdout)
    if done.returncode != 0:
        raise Failure(f"README: a command on the director ends with status {done.returncode}")


def run_in_lab(lab, text):
    """Here, with a lab of its own that a failure does not leave standing."""
    environment = dict(os.environ, LAB_PREFIX=lab.prefix + "readme-")
    script = "set -eu; trap 'Lab/lab down' EXIT\n" + text
    try:
        done = subprocess.run(
            ["timeout", "180", "bash", "-c", script],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    finally:
        subprocess.run(["Lab/lab", "down"], cwd=ROOT, env=environment, check=True)
    if done.returncode != 0:
        raise Failure(f"README: a lab command ends with status {done.returncode}")


def run(lab):
    found = blocks()
    expect_in_ci(line for text in found["setup"] for line in text.splitlines())
    run_on_director(lab, "\n".join(found["director"]))
    lab.clear()
    run_in_lab(lab, "".join(found["lab"]))
