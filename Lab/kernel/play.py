"""Plays scenarios, many at once: each yields the seconds it wants to wait, and others use them."""

import heapq
import itertools
import time

from runner.host import Failure

from . import words
from .stage import Stage

# Connections of the kernel vanish at its next timer tick, of which there are a hundred a second.
KERNEL_PACE = 0.012
QUIET = 0.012
PATIENCE = 0.6
IMPATIENCE = 0.06


class Play:
    """One scenario on one side. `answer` says afterwards what came of every step."""

    def __init__(self, scenario, far, make_side, expected=None, slow=False):
        self.scenario = scenario
        self.far = far
        self.make_side = make_side
        # How many frames each step brought on the other side: where they have come, waiting ends.
        self.expected = expected
        self.slow = slow
        self.missed = 0
        self.answer = {"name": scenario.name, "steps": [], "error": None}

    def run(self, number):
        stage = side = None
        try:
            stage = Stage(self.far, number, self.scenario.setup)
            side = self.make_side(stage)
            yield from side.start()
            side.configure(self.scenario.setup)
            stage.receive()
            self.began = time.monotonic()
            for place, step in enumerate(self.scenario.steps):
                result = {"n": step["n"], "t": round((time.monotonic() - self.began) * 1000)}
                came = yield from self.step(stage, side, place, step, result)
                result["at"] = round(time.monotonic() - self.began, 3)
                result["out"] = [{"if": name, "hex": frame.hex()} for name, frame in came]
                self.answer["steps"].append(result)
            yield QUIET
            late = stage.receive()
            if late and self.answer["steps"]:
                last = self.answer["steps"][-1]["out"]
                last += [{"if": name, "hex": frame.hex()} for name, frame in late]
        except Failure as failure:
            self.answer["error"] = str(failure)
        finally:
            try:
                if side is not None:
                    side.stop()
            except Failure as failure:
                self.answer["error"] = self.answer["error"] or str(failure)
            if stage is not None:
                stage.destroy()

    def step(self, stage, side, place, step, result):
        match step["op"]:
            case "frame":
                try:
                    frame = words.frame_of(step, self.scenario, self.answer["steps"])
                except Failure:
                    if not step.get("optional"):
                        raise
                    result["unsaid"] = True
                    return []
                result["in"] = frame.hex()
                stage.send(step["if"], frame, side.misjudges_sums and step.get("verified", False))
                return (yield from self.listen(stage, place))
            case "ctl":
                done = side.command([str(word) for word in step["args"]])
                result["fails"] = done.returncode != 0 or done.stderr.strip() != ""
                result["said"] = (done.stderr or done.stdout).strip()
            case "sysctl":
                side.sysctl(step["name"], step["value"])
            case "wait":
                yield step["ms"] / 1000
            case "settle-stats":
                yield side.settling
            case "list":
                result["text"] = side.listing(step["kind"])
        return stage.receive()

    def listen(self, stage, place):
        """What one frame brings."""
        if self.expected is None:
            # In User-Mode Linux the kernel is done with a frame when sending it returns.
            came = stage.receive()
            yield KERNEL_PACE
            return came + stage.receive()
        count = self.expected[place]
        came = []
        if not count:
            yield QUIET * (8 if self.slow else 1)
            return stage.receive()
        patience = 2.0 if self.slow else (IMPATIENCE if self.missed > 3 else PATIENCE)
        deadline = time.monotonic() + patience
        while True:
            came += stage.receive()
            if len(came) >= count:
                break
            if time.monotonic() > deadline:
                self.missed += 1
                break
            yield 0.0005
        if self.slow:
            yield 0.02
            came += stage.receive()
        return came


class Loop:
    """Runs plays side by side in one thread."""

    def __init__(self, at_once):
        self.at_once = at_once
        self.waiting = []
        self.due = []
        self.order = itertools.count()
        # Each play has a number of its own: the kernel takes its time to remove what the one before it had.
        self.numbers = itertools.count()

    def add(self, play, done):
        self.waiting.append((play, done))

    @property
    def is_idle(self):
        return not self.waiting and not self.due

    def turn(self, most=0.2):
        """Sleeps until something is due, at most `most` seconds, and does it."""
        while self.waiting and len(self.due) < self.at_once:
            play, done = self.waiting.pop(0)
            number = next(self.numbers)
            heapq.heappush(
                self.due, (time.monotonic(), next(self.order), play.run(number), play, done)
            )
        if not self.due:
            time.sleep(most)
            return
        pause = self.due[0][0] - time.monotonic()
        if pause > 0:
            time.sleep(min(pause, most))
            if pause > most:
                return
        _, _, steps, play, done = heapq.heappop(self.due)
        try:
            wanted = next(steps)
        except StopIteration:
            done(play)
            return
        heapq.heappush(
            self.due, (time.monotonic() + wanted, next(self.order), steps, play, done)
        )

    def close(self):
        """Ends what is under way; each takes its stage down."""
        for *_, steps, play, _ in self.due:
            steps.close()
        self.due = []
