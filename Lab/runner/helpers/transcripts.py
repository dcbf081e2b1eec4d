"""Plays recorded command lines of ipvsadm against the command given after FILE and STEP: every STEP-th case.

Each case is a JSON object (Tests/ControlTests/Fixtures): set-up lines, the line, its input, and what ipvsadm printed and
returned on a kernel. Prints what differs, and at the end "N of N".
"""

import json
import subprocess
import sys

path, step, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
RESET = [["-C"], ["--set", "900", "120", "300"], ["--stop-daemon", "master"], ["--stop-daemon", "backup"]]


def run(words, given=""):
    done = subprocess.run([*command, *words], input=given, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


with open(path, encoding="utf-8") as file:
    # Cases that need names to be resolved would wait for name servers.
    cases = [case for case in map(json.loads, file) if not case.get("needs")][::step]
good = 0
for case in cases:
    for words in RESET:
        run(words)
    for words in case["setup"]:
        run(words)
    status, output, complaint = run(case["argv"], case.get("stdin") or "")
    wrong = []
    if status != case["exit"]:
        wrong.append(f"exit status {status}, not {case['exit']}")
    if case.get("compare") == "help":
        wrong += [f"no {token!r} in the help" for token in case.get("tokens") or [] if token not in output]
    elif output != case["stdout"]:
        wrong.append(f"printed\n{output}and not\n{case['stdout']}")
    if complaint.strip() != case["stderr"].strip():
        wrong.append(f"complained\n{complaint}and not\n{case['stderr']}")
    for words, expected in case["after"]:
        _, output, _ = run(words)
        if output != expected:
            wrong.append(f"{' '.join(words)} then printed\n{output}and not\n{expected}")
    if wrong:
        print(f"{case['id']}: ipvsadm {' '.join(case['argv'])}:", *wrong, sep="\n  ")
    good += not wrong
print(f"{good} of {len(cases)}")
sys.exit(good != len(cases))
