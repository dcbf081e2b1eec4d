"""What a process has used so far: CPU time, page faults and sleeps, of all of it and of single threads."""

import os
from dataclasses import dataclass


@dataclass
class Usage:
    """Sums since the start of a process or thread; `later - sooner` is what was used in between."""

    cpu_seconds: float
    # Page faults that needed no disk: memory touched for the first time, mostly.
    faults: int
    # How often it gave the CPU away by itself, which is what waking up costs.
    sleeps: int

    def __add__(self, other):
        return Usage(self.cpu_seconds + other.cpu_seconds, self.faults + other.faults, self.sleeps + other.sleeps)

    def __sub__(self, sooner):
        return Usage(self.cpu_seconds - sooner.cpu_seconds, self.faults - sooner.faults, self.sleeps - sooner.sleeps)


def usage(process, thread=""):
    """Of all threads of a process whose name begins so."""
    sum_of_all = Usage(0.0, 0, 0)
    for number in os.listdir(f"/proc/{process}/task"):
        directory = f"/proc/{process}/task/{number}"
        if read(directory, "comm").startswith(thread):
            sum_of_all += used(directory)
    return sum_of_all


def used(directory):
    # The name, in brackets, may hold blanks; what follows it begins with the third field.
    fields = read(directory, "stat").rpartition(")")[2].split()
    lines = dict(line.split(":", 1) for line in read(directory, "status").splitlines())
    return Usage(
        # The times in `stat` count in hundredths of a second, these in nanoseconds.
        cpu_seconds=int(read(directory, "schedstat").split()[0]) / 1e9,
        faults=int(fields[7]),
        sleeps=int(lines["voluntary_ctxt_switches"]),
    )


def read(directory, name):
    with open(f"{directory}/{name}", encoding="utf-8") as file:
        return file.read()
