"""One comparison of many scenarios: the kernel's answers come one after another, the director is asked at once."""

import os
import pathlib
import shutil
import tempfile

from runner.host import Failure
from runner.lab import ROOT, find_binaries

from . import differ, record, uml
from .play import Loop, Play
from .sides import DirectorSide
from .stage import Far

# So many that the waits of each are filled by the others, so few that timers are in time.
KERNEL_AT_ONCE = 4
DIRECTOR_AT_ONCE = 3
# What this director leaves to later, by the tag of its scenarios.
NOT_PLAYED = {
    "fullnat": "kernel IPVS has no FULLNAT to compare with",
}
# What the host's own stack has its part in: servers on the director itself, datagrams to a backup daemon.
ON_HOST = {"local", "sync"}


class Outcome:
    """What came of one scenario."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.kernel = None
        self.resolved = None
        # The director against the kernel of this run; this kernel against what a recording says.
        self.differences = []
        self.outdated = []
        self.skipped = NOT_PLAYED.get(next((tag for tag in scenario.tags if tag in NOT_PLAYED), ""))

    @property
    def passed(self):
        return not self.differences and not self.outdated and not self.skipped

    def size(self):
        count = sum(step["op"] == "frame" for step in self.scenario.steps)
        lists = sum(step["op"] == "list" for step in self.scenario.steps)
        return f"{count} frames, {lists} listings"


class Session:
    """Plays scenarios on both sides. `told` is called with each outcome as soon as it is known."""

    def __init__(self, scenarios, told, kernel_only=False, on_host=False):
        self.outcomes = [Outcome(scenario) for scenario in scenarios]
        self.told = told
        self.kernel_only = kernel_only
        self.on_host = on_host
        self.calm = False
        self.again = []
        self.by_name = {}
        for outcome in self.outcomes:
            if outcome.scenario.name in self.by_name:
                raise Failure(f"two scenarios are called {outcome.scenario.name}")
            self.by_name[outcome.scenario.name] = outcome
        self.path = os.pathsep.join([*find_binaries(), os.environ.get("PATH", os.defpath)])

    def run(self):
        played = []
        for outcome in self.outcomes:
            if outcome.skipped:
                self.told(outcome)
            else:
                played.append(outcome.scenario)
        if not played:
            return self.outcomes
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="lvs-compare-"))
        self.far = Far(f"lvsk{os.getpid()}-")
        try:
            # Long ones first, so that none of them is left over at the end.
            self.round(sorted(played, key=lambda one: -len(one.steps)))
            if self.again:
                # Both sides run in real time on a machine that may be busy. What differs gets a second chance, alone
                # and with patience; what differs then is a difference.
                print(f"again, one by one: {len(self.again)} scenarios")
                self.calm = True
                self.round(self.again)
        finally:
            self.far.destroy()
            shutil.rmtree(self.work, ignore_errors=True)
        return self.outcomes

    def round(self, scenarios):
        self.loop = Loop(1 if self.calm else DIRECTOR_AT_ONCE)
        machine = uml.Machine(scenarios, ROOT / "Lab", 1 if self.calm else KERNEL_AT_ONCE)
        try:
            self.follow(machine)
            machine.check()
        finally:
            machine.close()
            self.loop.close()

    def follow(self, machine):
        while True:
            uml.Ending.check()
            running = machine.is_running
            for answer in machine.answers():
                self.kernel_said(answer)
            if not running and self.loop.is_idle:
                return
            self.loop.turn(0.05)

    def kernel_said(self, answer):
        outcome = self.by_name[answer["name"]]
        if answer["error"]:
            outcome.differences = [f"the kernel's side: {answer['error']}"]
            self.judged(outcome)
            return
        outcome.scenario, answer = record.played(outcome.scenario, answer)
        outcome.kernel = record.annotated(outcome.scenario, answer)
        outcome.resolved = record.resolved(outcome.scenario, outcome.kernel)
        if outcome.scenario.is_recorded:
            expected = differ.recorded(outcome.scenario)
            outcome.outdated = differ.differences(outcome.scenario, expected, answer)
        if self.kernel_only:
            self.judged(outcome)
        else:
            self.ask_director(outcome)

    def judged(self, outcome):
        if outcome.passed or self.calm:
            self.told(outcome)
        else:
            self.again.append(outcome.resolved or outcome.scenario)

    def ask_director(self, outcome):
        counts = [len(step["out"]) for step in outcome.kernel["steps"]]
        play = Play(
            outcome.resolved,
            self.far,
            lambda stage: DirectorSide(
                stage, self.work, self.path, self.on_host or not ON_HOST.isdisjoint(outcome.scenario.tags)
            ),
            expected=counts,
            slow=self.calm,
        )
        self.loop.add(play, lambda play: self.director_said(outcome, play))

    def director_said(self, outcome, play):
        outcome.differences = differ.differences(outcome.resolved, outcome.kernel, play.answer)
        self.judged(outcome)
