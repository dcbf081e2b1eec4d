"""Command line of the lab's runner."""

import argparse
import importlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

from bench import command

from .host import Failure, Skip
from .lab import ROOT, Lab

METHODS = ["nat", "dr", "tun", "fullnat"]
# What is played in virtual machines.
MACHINES = ["nat", "dr", "tun", "vlan", "sync", "keepalived"]
TOPOLOGIES = ["routed", "switched", "distant"]


def scenarios():
    """Names of all scenarios, the four methods first."""
    found = {path.stem for path in (ROOT / "Lab" / "scenarios").glob("[a-z]*.py")}
    return METHODS + sorted(name.replace("_", "-") for name in found - set(METHODS))


# What stands for several lab tests: all of them but machines and packages, which have commands of their own; those that
# take long; the others, which a newcomer waits for.
GROUPS = ("all", "long", "short")


def group(which):
    ordinary = [name for name in scenarios() if not name.startswith("vm-") and name != "package"]
    if which == "all":
        return ordinary
    return [name for name in ordinary if getattr(scenario(name), "LONG", False) == (which == "long")]


def scenario(name):
    if name not in scenarios():
        raise Failure(f"no lab test is called {name}; there are: {', '.join(scenarios())}")
    return importlib.import_module(f"scenarios.{name.replace('-', '_')}")


def headline(module):
    return (module.__doc__ or "").strip().splitlines()[0]


def play(lab, name):
    """One scenario in a lab of its own, which is gone afterwards whatever happened."""
    module = scenario(name)
    print(f"\n== {name}: {headline(module)}")
    began = time.monotonic()
    lab.expect_free()
    try:
        module.run(lab)
    except Failure:
        show_logs(lab)
        raise
    finally:
        lab.clear()
    print(f"== {name}: passed in {time.monotonic() - began:.1f} s")


def show_logs(lab):
    for director in lab.directors:
        lines = director.told().splitlines()[-20:]
        if lines:
            print(f"-- the director on {director.host.name} said", *lines, sep="\n   ")


def play_all(lab, names):
    """Plays scenarios and counts; one that fails does not keep the next from being played."""
    failed, skipped = [], []
    for name in names:
        try:
            play(lab, name)
        except Failure as failure:
            print(f"== {name}: FAILED: {failure}")
            failed.append(name)
        except Skip as reason:
            print(f"== {name}: SKIPPED: {reason}")
            skipped.append(name)
        except Exception:
            traceback.print_exc(file=sys.stdout)
            print(f"== {name}: FAILED: the lab itself has a fault")
            failed.append(name)
    print()
    if failed:
        print("failed:", ", ".join(failed))
    if skipped:
        print("skipped:", ", ".join(skipped))
    print(f"{len(names) - len(failed) - len(skipped)} passed, {len(failed)} failed")
    return 1 if failed else 0


def play_beside(prefix, jobs, names):
    """As `play_all` with several labs at once, each with a prefix of its own; what they say comes in one piece each.

    Most of a lab's time is waiting. Those that measure (`ALONE` in their module) are played at the end, by themselves,
    and so is once more what failed in company: a lab with its time limits may fail for want of a processor, and a fault
    of the director shows by itself too. That it took two attempts is said.
    """
    alone = [name for name in names if getattr(scenario(name), "ALONE", False)]
    beside = [name for name in names if name not in alone]
    outcomes = {}

    def player(number):
        while beside:
            try:
                name = beside.pop(0)
            except IndexError:
                return
            argv = [sys.executable, "-m", "runner", "--prefix", f"{prefix}{number}-", "test", name]
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            outcomes[name] = "skipped" if f"== {name}: SKIPPED" in done.stdout else "passed" if done.returncode == 0 else "failed"
            # Its own sum would be taken for everyone's.
            sys.stdout.write(re.sub(r"\n(failed: .*\n|skipped: .*\n)?\d+ passed, \d+ failed\n$", "", done.stdout))
            sys.stdout.flush()

    players = [threading.Thread(target=player, args=(number,)) for number in range(jobs)]
    for one in players:
        one.start()
    for one in players:
        one.join()
    again = [name for name in names if outcomes.get(name) == "failed"]
    beside.extend(again + alone)
    player(0)
    twice = [name for name in again if outcomes[name] == "passed"]
    if twice:
        print("\npassed only when played by themselves:", ", ".join(twice))
    of = lambda outcome: [name for name in names if outcomes[name] == outcome]
    for outcome in ("failed", "skipped"):
        if of(outcome):
            print(f"{outcome}:", ", ".join(of(outcome)))
    print(f"{len(of('passed'))} passed, {len(of('failed'))} failed")
    return 1 if of("failed") else 0


def keep_standing(lab, what):
    lab.expect_free()
    try:
        if what in TOPOLOGIES:
            lab.build(what)
        else:
            scenario(what).prepare(lab)
    except BaseException:
        lab.clear()
        raise
    print(f"\nhosts: {', '.join(lab.hosts)}")
    print("next: Lab/lab enter HOST, Lab/lab capture HOST INTERFACE, Lab/lab down")


def become(host, argv):
    """Turns this process into one that runs on the host, with the terminal it has."""
    sys.stdout.flush()
    words = host.inside(argv)
    os.execvpe(words[0], words, host.environment() | {"debian_chroot": host.name})


def arguments():
    parser = argparse.ArgumentParser(prog="Lab/lab")
    parser.add_argument("--prefix", default=os.environ.get("LAB_PREFIX") or "lvs-")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run").add_argument("method", choices=[*METHODS, "all"])
    commands.add_parser("vm").add_argument("method", choices=[*MACHINES, "all"])
    test = commands.add_parser("test")
    test.add_argument("--jobs", type=int, default=1)
    test.add_argument("names", nargs="+")
    commands.add_parser("up").add_argument("what", choices=[*TOPOLOGIES, *METHODS])
    enter = commands.add_parser("enter")
    enter.add_argument("host")
    enter.add_argument("words", nargs=argparse.REMAINDER)
    capture = commands.add_parser("capture")
    capture.add_argument("host")
    capture.add_argument("interface")
    capture.add_argument("filter", nargs=argparse.REMAINDER)
    commands.add_parser("down")
    command.add_arguments(commands.add_parser("bench"))
    return parser.parse_args()


def give_up(number, _):
    """An end by signal is an end by exception, so that the lab is taken down on the way out."""
    raise SystemExit(128 + number)


def main():
    given = arguments()
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
    for which in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, give_up)
    lab = Lab(given.prefix)
    match given.command:
        case "run":
            return play_all(lab, METHODS if given.method == "all" else [given.method])
        case "test" if given.names == ["list"]:
            for name in scenarios():
                print(f"{name:<16}{headline(scenario(name))}")
        case "test":
            names = group(given.names[0]) if len(given.names) == 1 and given.names[0] in GROUPS else given.names
            for name in names:
                scenario(name)
            if given.jobs > 1:
                return play_beside(given.prefix, given.jobs, names)
            return play_all(lab, names)
        case "vm":
            methods = MACHINES if given.method == "all" else [given.method]
            return play_all(lab, [f"vm-{method}" for method in methods])
        case "up":
            keep_standing(lab, given.what)
        case "enter":
            become(lab.adopt().host(given.host), given.words or [os.environ.get("SHELL", "/bin/bash")])
        case "capture":
            options = ["-l", "-n", "-e", "-i", given.interface]
            become(lab.adopt().host(given.host), ["tcpdump", *options, *given.filter])
        case "down":
            lab.adopt().clear()
        case "bench":
            return command.run(given.prefix, given)
    return 0


try:
    sys.exit(main())
except Failure as failure:
    sys.exit(f"Lab/lab: {failure}")
except KeyboardInterrupt:
    sys.exit(130)
