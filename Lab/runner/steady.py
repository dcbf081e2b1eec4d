"""A client that never stops asking, and what it saw."""

import collections
import sys
from dataclasses import dataclass

from .client import HELPERS
from .host import Failure, until


@dataclass
class Request:
    began: float
    ended: float
    is_good: bool
    # The page, or what went wrong.
    text: str


class SteadyClient:
    """Requests one after another from a host, from now on until `stop`; times are of the monotonic clock."""

    count = 0

    def __init__(self, host, address, seconds=10.0):
        SteadyClient.count += 1
        self.log = host.lab.file(f"steady-{SteadyClient.count}")
        with open(self.log, "wb") as output:
            self.process = host.start(
                *(sys.executable, str(HELPERS / "steady_client.py"), address, str(seconds)),
                stdout=output,
            )

    def requests(self, since=0.0):
        """The requests that began at a time or later, and have ended."""
        lines = [line.split(" ", 3) for line in self.log.read_text().splitlines()]
        all_of_them = [
            Request(float(began), float(ended), word == "ok", text)
            for began, ended, word, text in lines
        ]
        return [request for request in all_of_them if request.began >= since]

    def first_good(self, since=0.0, seconds=20.0):
        """Waits for the first request to be served."""
        found = until(
            lambda: [request for request in self.requests(since) if request.is_good],
            "a request to be served",
            seconds,
        )
        return found[0]

    def expect(self, since, what, seconds=1.0, pages=None):
        """Looks on for a while: all requests since then must have been served, by these servers only."""
        until(lambda: self.requests(since) and self.requests(since)[-1].ended > since + seconds, what, 15)
        seen = self.requests(since)
        bad = [request for request in seen if not request.is_good]
        if bad:
            raise Failure(f"{what}: {len(bad)} of {len(seen)} requests failed, the first with {bad[0].text}")
        counts = collections.Counter(request.text for request in seen)
        if pages is not None and set(counts) != set(pages):
            raise Failure(f"{what}: served by {dict(counts)}, and not by {' and '.join(pages)}")
        shown = ", ".join(f"{name}: {number}" for name, number in sorted(counts.items()))
        print(f"  {what}: {len(seen)} requests, none failed ({shown})")

    def told(self, since):
        """How many requests failed since then, and the longest time without an answer."""
        seen = self.requests(since)
        good = [since] + [request.ended for request in seen if request.is_good]
        gap = max((later - sooner for sooner, later in zip(good, good[1:])), default=0.0)
        return len([request for request in seen if not request.is_good]), gap

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=10)
