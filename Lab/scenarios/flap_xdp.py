"""The same as flap, over AF_XDP: the program, its sockets and their memory come and go with the interfaces."""

from . import flap

LONG = True


def run(lab):
    flap.play(lab, "xdp")
