"""NAT with two workers: requests and answers, fragments and 100 MB find their way, whoever takes them."""

from runner.workers import balance

from . import nat, udp


def run(lab):
    director = balance(lab, nat, least=40)
    director.configure(udp.RULES)
    udp.exchange(lab, sizes=(1, 1400, 4000, 9000))
    director.ctl("-Ln --stats")
    director.ctl("status")
    director.stop()
