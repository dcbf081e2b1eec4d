"""Lab/lab bench: rounds, in each of which every contender is measured in turn, and a table of what came of it."""

import concurrent.futures
import json
import os
import pathlib
import platform
import shutil
import sys
import time

from runner.host import Failure, Skip

from . import contenders, measures, page, table

# Contenders that are checked at the same time.
AT_ONCE = 4


def add_arguments(parser):
    parser.add_argument("names", nargs="*", metavar="CONTENDER")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="measures by name, separated by commas")
    parser.add_argument("--quick", action="store_true", help="one round")
    parser.add_argument("--json", help="raw figures go there")
    parser.add_argument("--html", help="a page with charts goes there")
    parser.add_argument("--check", action="store_true", help="a fraction of a second each: only that all of it runs")


def machine():
    model = "unknown CPU"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} CPUs ({model}), Linux {platform.release()}"


def needed(names):
    """Refuses before anything stands when a program is missing."""
    programs = {"haproxy": "haproxy", "nginx-stream": "nginx", "": "wrk iperf3 nginx cc taskset nft ethtool"}
    for name, words in programs.items():
        for program in words.split():
            if (not name or not names or name in names) and not shutil.which(program):
                raise Failure(f"{program} is missing; Lab/lab packages --install installs what is needed")


def chosen(only):
    known = {function.__name__.replace("_", "-"): (ability, function) for ability, function in measures.ALL}
    wanted = [name for name in only.split(",") if name]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise Failure(f"no measure is called {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in wanted] or list(measures.ALL)


def run(prefix, given):
    if given.rounds < 1:
        raise Failure(f"--rounds {given.rounds}: at least 1")
    for path in filter(None, (given.json, given.html)):
        # Better now than after all the measuring.
        if not pathlib.Path(path).resolve().parent.is_dir():
            raise Failure(f"{path}: there is no such directory")
    needed(given.names)
    wanted = chosen(given.only)
    scale = measures.Scale(given.check)
    rounds = 1 if given.check or given.quick else given.rounds
    began = time.monotonic()
    standing = contenders.stand_up(prefix, given.names)
    results, failures = {}, []
    try:
        if given.check:
            # No figures are wanted, so contenders need not wait for each other.
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                failures = list(pool.map(lambda one: measure_all(one, wanted, scale, results), standing))
        for number in range(0 if given.check else rounds):
            for measure in wanted:
                failures += [measure_all(one, [measure], scale, results) for one in standing]
            print(f"round {number + 1} of {rounds} ended after {time.monotonic() - began:.0f} s", file=sys.stderr)
    finally:
        contenders.take_down(standing)
    names = [one.name for one in standing]
    notes = [f"{one.name}: {one.note}" for one in standing if one.note]
    how = f"{rounds} round{'s' if rounds > 1 else ''}"
    where = f"{machine()}; {'only a check, whose figures mean nothing' if given.check else how}"
    command = "Lab/lab " + " ".join(sys.argv[sys.argv.index("bench"):])
    print(f"\n{where}; `{command}`\n")
    print(table.tables(results, names))
    for note in notes:
        print(note)
    if given.json:
        told = {"machine": machine(), "rounds": rounds, "command": command, "notes": notes, "results": results}
        pathlib.Path(given.json).write_text(json.dumps(told, indent=1))
    if given.html:
        pathlib.Path(given.html).write_text(page.page(results, names, where, command))
    failures = [failure for several in failures for failure in several]
    for failure in failures:
        print(f"failed: {failure}")
    if given.check:
        asked = sum(ability in one.can for one in standing for ability, _ in wanted)
        print(f"{asked - len(failures)} passed, {len(failures)} failed")
    return 1 if failures else 0


def measure_all(contender, wanted, scale, results):
    """Adds a contender's figures of the measures it can be asked for; returns what failed."""
    return [
        failure
        for ability, measure in wanted
        if ability in contender.can
        for failure in measure_one(measure, contender, scale, results)
    ]


def measure_one(measure, contender, scale, results):
    """Adds one contender's figures; what went wrong with it does not end the comparison, and is said at the end."""
    try:
        figures = measure(contender, scale)
    except (Failure, Skip, KeyError, ValueError, OSError) as error:
        return [f"{contender.name}, {measure.__name__}: {error or type(error).__name__}"]
    bad = {figure: value for figure, value in figures.items() if not value >= 0}
    if bad or not figures:
        return [f"{contender.name}, {measure.__name__}: {bad or 'no figures'}"]
    for figure, value in figures.items():
        results.setdefault(figure, {}).setdefault(contender.name, []).append(value)
    return []
