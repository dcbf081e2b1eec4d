"""Command line of the comparison."""

import argparse
import pathlib
import signal
import sys
import time

from runner.host import Failure

from . import record, scenario, table, uml
from .session import Session

# One of everything that does not wait for timers, in less than a minute.
SELECTION = 20
SHOWN = 12


def arguments():
    parser = argparse.ArgumentParser(
        prog="Lab/kernel/compare",
        description="Plays scenarios through kernel IPVS (in User-Mode Linux) and through the director.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="scenario files, or folders with a scenario.json")
    parser.add_argument("--all", action="store_true", help="every recording of the golden tests")
    parser.add_argument("--selection", action="store_true", help="a few of every area, for the test command")
    parser.add_argument("--area", action="append", default=[], help="recordings of one area (see --list)")
    parser.add_argument("--self-test", action="store_true", help="whether the comparison sees what it should see")
    parser.add_argument("--list", action="store_true", help="say which recordings there are, by area")
    parser.add_argument("--random", type=int, metavar="SEED", help="scenarios made up from a seed")
    parser.add_argument(
        "--capture", action="append", default=[], metavar="NAME=FILE", help="packets that come to an interface (pcap)"
    )
    parser.add_argument(
        "--captures", metavar="DIR", help="the captures of every folder in DIR: in-NAME.pcap, rules, network"
    )
    parser.add_argument("--rules", metavar="FILE", help="with --capture: rules as ipvsadm -Sn writes them")
    parser.add_argument(
        "--network", action="append", default=[], metavar="FILE", help="with --capture: lines of ip -batch around it"
    )
    parser.add_argument("--count", type=int, default=10, help="how many of them (10)")
    parser.add_argument("--record", action="store_true", help="write the kernel's answer into the scenario")
    parser.add_argument("--into", type=pathlib.Path, metavar="DIR", help="with --record: to DIR/NAME/scenario.json")
    parser.add_argument("--kernel-only", action="store_true", help="leave the director out")
    parser.add_argument(
        "--on-host", action="store_true", help="let the director's host answer and route, as beside kernel IPVS"
    )
    parser.add_argument("--or-skip", action="store_true", help="say why and succeed where there is no such kernel")
    parser.add_argument("--table", action="store_true", help="rewrite CONFORMANCE.md (with --all)")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="store scenarios that differ there")
    parser.add_argument("--show", type=int, default=SHOWN, metavar="N", help=f"lines a scenario ({SHOWN})")
    return parser.parse_args()


def chosen(given):
    found = [scenario.load(path) for path in given.files]
    if given.random is not None:
        from . import random_scenarios

        found += random_scenarios.make(given.random, given.count)
    if given.capture:
        from . import capture

        if not given.rules:
            raise Failure("--capture needs --rules FILE")
        found.append(capture.load(given.capture, [*given.network, given.rules]))
    if given.captures:
        from . import capture

        scenes, left = capture.folders(given.captures)
        for reason in left:
            print(f"left out {reason}")
        found += scenes
    if given.all or given.selection or given.area:
        every = scenario.fixtures()
        areas = {one.area for one in every}
        unknown = set(given.area) - areas
        if unknown:
            raise Failure(f"no area is called {unknown.pop()}; there are: {', '.join(sorted(areas))}")
        if given.selection:
            every = selection(every)
        elif given.area:
            every = [one for one in every if one.area in given.area]
        found += every
    if not found:
        raise Failure("nothing to compare: give files, --all, --area AREA or --random SEED")
    return found


def selection(every):
    """The shortest of every area, and more of the short ones until there are enough."""

    def length(one):
        return sum(step.get("ms", 1) for step in one.steps)

    # Short timeouts tell more about a busy machine than about the director; --all plays them.
    every = [one for one in every if not any(step["op"] == "wait" for step in one.steps)]
    kept = {}
    ordered = sorted(every, key=lambda one: (length(one), one.name))
    for one in ordered:
        kept.setdefault(one.area, one)
    names = {one.name for one in kept.values()}
    rest = [one for one in ordered if one.name not in names][-len(ordered) // 2 :]
    return [*kept.values(), *rest[: max(0, SELECTION - len(kept))]]


class Teller:
    """Prints outcomes and counts them."""

    def __init__(self, given):
        self.given = given
        self.known = table.known()
        self.passed = []
        self.failed = []

    def __call__(self, outcome):
        name = outcome.scenario.name
        given = self.given
        if outcome.skipped:
            print(f"skipped {name}: {outcome.skipped}")
            return
        if given.record and outcome.kernel:
            self.record(outcome)
        elif outcome.outdated:
            self.lines(f"OTHER   {name}: this kernel does not say what the recording says", outcome.outdated)
        if outcome.passed or (given.record and not outcome.differences):
            if name in self.known:
                print(f"SAME    {name}, although KNOWN.md names it as different: take it out there")
                self.failed.append(name)
                return
            print(f"same    {name:<36} {outcome.size()}")
            self.passed.append(name)
            return
        if outcome.differences:
            self.lines(f"DIFFERS {name}", outcome.differences)
            self.keep(outcome)
        if name in self.known:
            print(f"known   {name}: {self.known[name]}")
            return
        self.failed.append(name)

    def lines(self, head, found):
        print(head)
        for line in found[: self.given.show]:
            print(f"    {line}")
        if len(found) > self.given.show:
            print(f"    and {len(found) - self.given.show} more")

    def record(self, outcome):
        given, name = self.given, outcome.scenario.name
        path = given.into / name / "scenario.json" if given.into else outcome.scenario.path
        if path is None:
            raise Failure(f"{name} came from no file: say --into DIR")
        scenario.write(record.recording(outcome.scenario, outcome.kernel), path)
        print(f"recorded {path}")

    def keep(self, outcome):
        if self.given.keep and outcome.kernel:
            path = self.given.keep / outcome.scenario.name / "scenario.json"
            scenario.write(record.recording(outcome.scenario, outcome.kernel), path)
            print(f"    kept as {path}")


def end_by_signal():
    """Lets a signal end us at the next turn: an exception in the middle of anything could leave a lock held."""
    for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, lambda number, _: setattr(uml.Ending, "status", 128 + number))


def main():
    given = arguments()
    if given.self_test:
        from . import self_test

        return self_test.run()
    if given.list:
        for one in sorted(scenario.fixtures(), key=lambda one: (one.area, one.name)):
            print(f"{one.area:<12} {one.name:<36} {one.data.get('title', '')}")
        return 0
    scenarios = chosen(given)
    end_by_signal()
    obstacle = uml.obstacle()
    if obstacle and given.or_skip:
        print(f"skipped: comparison with kernel IPVS: {obstacle}")
        print("0 passed, 0 failed")
        return 0
    if obstacle:
        raise Failure(obstacle)
    began = time.monotonic()
    print(f"kernel: Linux {uml.release()} in User-Mode Linux; {len(scenarios)} scenarios")
    teller = Teller(given)
    outcomes = Session(scenarios, teller, given.kernel_only, given.on_host).run()
    if given.table:
        table.write(outcomes, uml.release())
    new = table.unseen(one.scenario.name for one in outcomes) if given.all else []
    if new:
        print(f"not in CONFORMANCE.md yet (--table): {' '.join(new)}")
    print(f"{time.monotonic() - began:.0f} s")
    if teller.failed:
        print("differ:", " ".join(sorted(teller.failed)))
    print(f"{len(teller.passed)} passed, {len(teller.failed)} failed")
    return 1 if teller.failed else 0


def run():
    sys.stdout.reconfigure(line_buffering=True)
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"Lab/kernel/compare: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
