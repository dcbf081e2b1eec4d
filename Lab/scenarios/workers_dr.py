"""DR with two workers, which share the one interface."""

from runner.workers import balance

from . import dr


def run(lab):
    director = balance(lab, dr, least=20)
    director.ctl("-Ln --stats")
    director.stop()
