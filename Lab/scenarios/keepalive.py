"""Sixteen connections of wrk, thousands of requests, not one error."""

import re

from runner.host import Failure

from . import nat


def run(lab):
    director = nat.prepare(lab)
    client = lab.host("client")
    command = ["wrk", "-t1", "-c16", "-d3s", "--latency", f"http://{nat.VIP}/"]
    report = client.run(*command, show=True, timeout=30)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", report)
    if not rate or float(rate[1]) < 100:
        raise Failure("hardly any request was answered")
    if "Socket errors" in report or "Non-2xx" in report:
        raise Failure("some requests failed")
    director.ctl("-Ln --stats")
