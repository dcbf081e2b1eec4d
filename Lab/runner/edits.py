"""Somebody who never stops editing a director's table."""

import itertools
import subprocess
import threading
import time

from .host import Failure


class Edits:
    """Lines of commands given to a director in batches from now on, about so many lines a second, until `stop`."""

    def __init__(self, director, lines, rate=1000, batches=10):
        self.director = director
        self.lines = itertools.cycle(lines)
        self.size = max(1, rate // batches)
        self.pause = 1 / batches
        self.done = 0
        self.failure = None
        self.is_over = threading.Event()
        self.began = time.monotonic()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        due = time.monotonic()
        while not self.is_over.is_set():
            text = "".join(next(self.lines) + "\n" for _ in range(self.size))
            try:
                self.director.host.run("directorctl", *self.director.control, "-R", input=text)
            except (Failure, subprocess.SubprocessError) as failure:
                self.failure = failure
                return
            self.done += self.size
            due += self.pause
            self.is_over.wait(max(0, due - time.monotonic()))

    def stop(self):
        """Ends after the batch; returns how many lines a second there were."""
        self.is_over.set()
        self.thread.join(timeout=60)
        if self.failure:
            raise Failure(f"an edit was refused: {self.failure}")
        return self.done / (time.monotonic() - self.began)


def changes(service, server, other, method="-m"):
    """Edits of a service that is in use (`-t ADDRESS:PORT`), of another one, and of marks; all of them undone again."""
    return [
        f"-e {service} -r {server} {method} -w 2", f"-e {service} -r {server} {method} -w 1",
        f"-E {service} -s wrr", f"-E {service} -s rr",
        f"-A {other} -s lc", f"-a {other} -r {server} {method}", f"-E {other} -s sh",
        f"-d {other} -r {server}", f"-D {other}",
        "--set 900 120 300", "--set 901 121 301",
        "-A -f 77 -s rr", f"-a -f 77 -r {server} {method}", "-D -f 77",
    ]
