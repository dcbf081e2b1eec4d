"""Directors with several workers."""

import json
import os

from .client import download, requests
from .host import Failure, Skip
from .servers import make_payload

TWO = ("--workers", "2")


def need_two():
    """Says so on a machine where two workers have no CPUs of their own."""
    if len(os.sched_getaffinity(0)) < 2:
        raise Skip("two workers need two CPUs")


def balance(lab, scenario, least):
    """A method's lab with two workers: requests alternate, both take their share, 100 MB come whole."""
    need_two()
    director = scenario.prepare(lab, options=TWO)
    client = lab.host("client")
    url = f"http://{scenario.VIP}"
    requests(client, f"{url}/", count=40, expect={"server1": 20, "server2": 20}, alternate=True)
    expect_shared(director, least)
    download(client, f"{url}/payload", make_payload(lab))
    return director


def expect_shared(director, least):
    """Every worker has taken at least so many frames."""
    workers = json.loads(director.ctl("status --json", show=False))["workers"]
    frames = [worker["frames"] for worker in workers]
    print(f"  frames of each worker: {frames}")
    if len(frames) != 2 or min(frames) < least:
        raise Failure(f"two workers should have had {least} frames each, and had {frames}")
