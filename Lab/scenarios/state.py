"""What a director was told outlasts it: killed, cut short or with a damaged state file."""

import time

from runner.client import requests
from runner.host import Failure, until

from . import nat
from .refusals import refused

COMMANDS = f"""
-A -u {nat.VIP}:53 -s sh -b sh-port -p 60 -M 255.255.255.0
-a -u {nat.VIP}:53 -r 192.168.0.18:53 -m -w 0 -x 20 -y 10
-A -f 7 -6 -s wlc
set expire_nodest_conn=1
--set 600 60 90
mark -A -p tcp -d {nat.VIP} --dport 443 -j MARK --set-mark 7
--start-daemon master --mcast-interface eth1 --syncid 9
"""
LISTINGS = ["-Sn", "-Ln --thresholds", "-L --timeout", "-L --daemon", "mark -L", "get expire_nodest_conn"]


def told(director):
    """Everything that is to last."""
    return {line: director.ctl(line, show=False) for line in LISTINGS}


def expect(director, before, what):
    after = told(director)
    for line in LISTINGS:
        if after[line] != before[line]:
            raise Failure(f"{what}: {line} was\n{before[line]}and is\n{after[line]}")
    print(f"  {what}: nothing is lost")


def run(lab):
    nat.prepare_host(lab)
    host = lab.host("director")
    client = lab.host("client")
    state, rules = lab.file("state"), lab.file("rules")
    rules.write_text(nat.RULES)
    options = ("--state", str(state), "--rules", str(rules))
    director = lab.director(interfaces=("eth0", "eth1"), options=options)
    director.configure(COMMANDS)
    # A change by hand of what the rules file has: it stays as long as that file is not edited.
    director.ctl(f"-e -t {nat.VIP}:80 -r 192.168.0.18:80 -m -w 3")
    before = told(director)
    director.ctl("save-state")
    if " 192.168.0.18 80 0 3 " not in state.read_text():
        raise Failure("save-state returns before everything is in the file")
    until(lambda: " 192.168.0.18 80 0 3 " in state.read_text(), "the last change to be in the file")
    director.kill()
    director.start()
    expect(director, before, "killed")
    requests(client, f"http://{nat.VIP}/", count=4)
    other = ("--control", str(lab.file("other.sock")))
    refused(host, "director", *options, *other, says=[str(state), "another"])
    director.stop()
    director.start()
    expect(director, before, "ended")

    # The file is whole whenever the director is killed.
    edits = " && ".join(f"directorctl -E -t {nat.VIP}:80 -s {name}" for name in ("rr", "wrr"))
    for _ in range(10):
        writer = host.start("bash", "-c", f"while {edits}; do :; done", log="writer.log")
        time.sleep(0.23)
        director.kill()
        writer.kill()
        writer.wait()
        director.start()
    director.ctl(f"-E -t {nat.VIP}:80 -s wrr", show=False)
    expect(director, before, "killed ten times while it was given commands")

    # An edited rules file is applied as by SIGHUP.
    director.stop()
    rules.write_text(nat.RULES.replace("192.168.0.18:80", "192.168.0.68:80"))
    director.start()
    table = director.ctl("-Sn", show=False)
    if "192.168.0.68:80" not in table or "192.168.0.18:80" in table or ":53" not in table:
        raise Failure("an edited rules file and a state file make the table\n" + table)
    print("  an edited rules file changes what came from it and nothing else")
    before = told(director)
    director.stop()

    damage(lab, host, director, state, before)


def damage(lab, host, director, state, before):
    """A damaged file is refused by name, and used in part when told to."""
    whole = state.read_bytes()
    lines = whole.splitlines(keepends=True)
    position = next(number for number, line in enumerate(lines) if b" setting " in line)
    lines[position] = lines[position][:-5] + b"9" + lines[position][-4:]
    damaged = b"".join(lines)
    command = ("director", "--interface", "eth0", "--interface", "eth1", "--state", str(state))
    for bytes_, line in [(damaged, position + 1), (whole[:-10], len(lines)), (b"", 1)]:
        state.write_bytes(bytes_)
        refused(host, *command, says=[str(state), f"line {line}:", "--state-partial"])
        if state.read_bytes() != bytes_:
            raise Failure("a refused state file was changed")
    state.write_bytes(damaged)
    options = ("--state", str(state), "--state-partial")
    partial = lab.director(interfaces=("eth0", "eth1"), options=options)
    aside = lab.file("state.damaged-1")
    if aside.read_bytes() != damaged:
        raise Failure("the damaged file was not kept aside")
    after = told(partial)
    for line in LISTINGS[:-1]:
        if after[line] != before[line]:
            raise Failure(f"{line} was\n{before[line]}and of a damaged file is\n{after[line]}")
    if after[LISTINGS[-1]].strip() != "0":
        raise Failure("a damaged line was used")
    print("  told to, the director took what could be trusted and kept the damaged file aside")
    partial.stop()
