"""FTP with two workers: control and data connections of a session may meet different ones."""

from runner.workers import TWO, need_two

from . import ftp


def run(lab):
    need_two()
    ftp.transfer(lab, options=TWO)
