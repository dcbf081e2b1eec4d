"""Directors with several workers."""

import json
import os

from .host import Failure, Skip

TWO = ("--workers", "2")


def need_two():
    """Says so on a machine where two workers have no CPUs of their own."""
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip("two workers need two CPUs")


def expect_shared(director, least):
    """Every worker has taken at least so many frames."""
    workers = json.loads(director.ctl("status --json", show=False))["workers"]
    frames = [worker["frames"] for worker in workers]
    print(f"  frames of each worker: {frames}")
    if len(frames) != 2 or min(frames) < least:
        raise Failure(f"two workers should have had {least} frames each, and had {frames}")
