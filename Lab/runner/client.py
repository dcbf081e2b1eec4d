"""What a client does and sees."""

import collections
import hashlib
import pathlib
import sys

from .host import Failure, stop

HELPERS = pathlib.Path(__file__).resolve().parent / "helpers"


def get(host, url, seconds=10):
    """One request on a connection of its own; returns the page."""
    return host.run("curl", "-sS", "--max-time", str(seconds), url, timeout=seconds + 5).strip()


def requests(host, url, count=10, expect=None, alternate=False):
    """Makes requests one after another, shows what answered, and checks it against `expect` (server: count)."""
    print(f"{host.name}# for i in $(seq {count}); do curl {url}; done")
    answers = [get(host, url) for _ in range(count)]
    print("  " + " ".join(answers))
    counts = collections.Counter(answers)
    print("  " + ", ".join(f"{name}: {number}" for name, number in sorted(counts.items())))
    if expect is not None and dict(counts) != expect:
        raise Failure(f"expected {expect}, got {dict(counts)}")
    if alternate and any(one == next_one for one, next_one in zip(answers, answers[1:])):
        raise Failure("the answers do not alternate over the servers")
    return answers


def download(host, url, expected, seconds=120):
    """Fetches a file and compares its sha256 with that of the file at `expected`."""
    target = host.lab.file("downloaded")
    figures = host.run(
        *("curl", "-sS", "--max-time", str(seconds), "-o", str(target)),
        *("-w", "%{size_download} %{speed_download}", url),
        timeout=seconds + 5,
    )
    size, speed = figures.split()
    same = digest(target) == digest(expected)
    target.unlink()
    print(f"  {url}: {int(size):,} bytes, {float(speed) / 1e6:.0f} MB/s, sha256 {'matches' if same else 'DIFFERS'}")
    if not same:
        raise Failure("the file arrived damaged")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Talker:
    """A helper on a host that answers each line with a line."""

    def __init__(self, host, helper, *words):
        self.process = host.start(
            *(sys.executable, str(HELPERS / f"{helper}.py"), *words),
            stdin=-1,
            stdout=-1,
            text=True,
            bufsize=1,
        )

    def ask(self, line=""):
        self.process.stdin.write(line + "\n")
        return self.hear()

    def hear(self):
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise Failure("a client ended before its time")
        return answer

    def close(self):
        stop(self.process)


class KeepAlive(Talker):
    """One HTTP connection that stays open between requests."""

    def __init__(self, host, address):
        super().__init__(host, "keep_alive", address)

    def get(self, path="/"):
        answer = self.ask(path)
        if not answer.startswith("ok "):
            raise Failure(f"request on an open connection: {answer}")
        return answer.removeprefix("ok ")


def who_has(host, address, interface="eth0", seconds=1.0):
    """Asks the network by ARP who has an address; returns the hardware addresses that answered, one an answer."""
    return host.run(
        sys.executable, str(HELPERS / "who_has.py"), interface, address, str(seconds)
    ).split()
