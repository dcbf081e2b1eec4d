"""Inside User-Mode Linux: plays the scenarios it is given through this kernel's IPVS."""

import json
import os
import pathlib
import sys
import traceback

from . import scenario as scenarios
from .play import Loop, Play
from .sides import KernelSide
from .stage import Far



def main(shared):
    jobs = json.loads((shared / "jobs.json").read_text(encoding="utf-8"))
    far = Far("k")
    loop = Loop(int(os.environ["LVS_AT_ONCE"]))
    for number, data in enumerate(jobs):
        play = Play(scenarios.check(data, data["name"]), far, KernelSide)
        loop.add(play, lambda play, number=number: keep(shared, number, play.answer))
    while not loop.is_idle:
        loop.turn()


def keep(shared, number, answer):
    """Hands an answer out, all of it at once."""
    part = shared / "answers" / f"{number:05}.part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(answer, file)
        file.flush()
        os.fsync(file.fileno())
    part.rename(part.with_suffix(".json"))


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]))
    except Exception:
        traceback.print_exc()
        sys.exit(1)
