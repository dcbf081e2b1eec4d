"""FULLNAT with AF_XDP, whose host has the local addresses itself, since ARP never comes to the director."""

from . import nfqueue_fullnat


def run(lab):
    nfqueue_fullnat.play(lab, ("xdp:eth0", "xdp:eth1"))
