"""Two directors with keepalived as it is, by DR: a server dies and returns, and the VIP moves to the other director."""

import time

from runner.client import requests
from runner.guest import Guest, KernelDirector
from runner.host import Failure, stop, until
from runner.keepalived import Keepalived, configuration
from runner.servers import quiet_about_vip, start_nginx
from runner.steady import SteadyClient
from topologies.switched import VIP

SERVERS = {"server1": "192.168.0.18", "server2": "192.168.0.28"}
EVEN = {"server1": 5, "server2": 5}
# A check a second, which waits a second for its answer, on a machine that may be busy.
CHECKED = 4.0
# VRRP announces itself each second; who hears nothing for three takes over.
MOVED = 8.0


class Pair:
    """Two directors with keepalived, MASTER and BACKUP, and two servers."""

    def __init__(self, lab, kind, vip, interfaces=("eth0",), options=(), head="", **instance):
        self.lab = lab
        self.vip = vip
        self.client = lab.host("client")
        self.nginx = {name: self.start_server(name) for name in SERVERS}
        self.directors, self.keepaliveds = [], []
        for name, state in (("director", "MASTER"), ("director2", "BACKUP")):
            host = lab.host(name)
            host.set(ip_forward=1, conf__all__send_redirects=0, conf__default__send_redirects=0)
            for interface in interfaces:
                host.set(**{f"conf__{interface}__send_redirects": 0})
            own = tuple(word.format(name=name) for word in options)
            if isinstance(host, Guest):
                self.directors.append(KernelDirector(host))
            else:
                self.directors.append(lab.director(name, interfaces=interfaces, options=own))
            servers = SERVERS.values()
            text = configuration(state, kind, vip, servers, head=head, **instance)
            self.keepaliveds.append(Keepalived(host, text))

    def start_server(self, name):
        return start_nginx(self.lab.host(name))

    def start(self):
        """Starts both keepalived; says how long it took until a client was served."""
        impatient = SteadyClient(self.client, self.vip, seconds=0.3)
        began = time.monotonic()
        for keepalived in self.keepaliveds:
            keepalived.start()
        until(lambda: has_server(self.directors[0], "server2"), "the servers in the table")
        print(f"  from the start of keepalived to the servers in the table: {time.monotonic() - began:.1f} s")
        first = impatient.first_good(began)
        impatient.stop()
        print(f"  from the start of keepalived to the first request served: {first.ended - began:.1f} s (VRRP waits 3.6)")
        self.expect_vip(0)
        for director in self.directors:
            until(lambda: all(has_server(director, name) for name in SERVERS), "both servers in the table")
        print(self.directors[0].ctl("-Ln", show=False), end="")
        requests(self.client, f"http://{self.vip}/", expect=EVEN, alternate=True)

    def owners(self):
        """Which directors have the VIP."""
        shown = (
            director.host.run("ip", "-o", "address", "show") for director in self.directors
        )
        return [index for index, text in enumerate(shown) if f" {self.vip}/" in text]

    def expect_vip(self, index):
        """Waits until a director alone has the VIP and the client knows its hardware address."""
        host = self.directors[index].host
        until(lambda: self.owners() == [index], f"the VIP to be on {host.name} alone", MOVED)
        hardware = host.run("cat", "/sys/class/net/eth0/address").strip()

        def is_known():
            return hardware in self.client.run("ip", "neighbour", "show", self.vip)

        until(is_known, f"the client to know {self.vip} at {host.name}", MOVED)
        print(f"  {self.vip} is on {host.name} ({hardware}), and the client knows")


def has_server(director, name):
    return f"-> {SERVERS[name]}:80 " in director.ctl("-Ln", show=False)


def server_dies(pair, steady):
    """Experiment 1: within the time of a check no request goes to a server whose nginx is stopped, and none fails."""
    print("server1# service nginx stop")
    began = time.monotonic()
    stop(pair.nginx["server1"])
    for director in pair.directors:
        until(lambda: not has_server(director, "server1"), "server1 to leave the table", CHECKED)
    gone = time.monotonic()
    failed, _ = steady.told(began)
    print(f"  out of both tables {gone - began:.1f} s later; {failed} requests failed until then")
    steady.expect(gone, "without server1", pages=["server2"])


def server_returns(pair, steady):
    """Experiment 2: it gets its share again."""
    began = time.monotonic()
    pair.nginx["server1"] = pair.start_server("server1")
    for director in pair.directors:
        until(lambda: has_server(director, "server1"), "server1 to be in the table again", CHECKED)
    back = time.monotonic()
    print(f"  in both tables again {back - began:.1f} s later")
    steady.expect(back, "with server1", pages=["server1", "server2"])
    steady.expect(began, "all the time")


def vip_moves(pair, steady, index, change):
    """After a change the VIP is on the director of this index, and requests go on."""
    began = time.monotonic()
    change()
    pair.expect_vip(index)
    moved = time.monotonic()
    steady.expect(moved, "after the move")
    failed, gap = steady.told(began)
    print(f"  {failed} requests failed, the longest time without an answer was {gap:.1f} s")
    if gap > MOVED:
        raise Failure(f"no request was served for {gap:.1f} s")


def experiments(pair):
    """The three of the usual instructions; in the third, keepalived on the master is stopped."""
    pair.start()
    steady = SteadyClient(pair.client, pair.vip)
    server_dies(pair, steady)
    server_returns(pair, steady)
    steady.stop()
    requests(pair.client, f"http://{pair.vip}/", expect=EVEN, alternate=True)
    steady = SteadyClient(pair.client, pair.vip)
    vip_moves(pair, steady, 1, pair.keepaliveds[0].stop)
    steady.stop()
    requests(pair.client, f"http://{pair.vip}/", expect=EVEN, alternate=True)


def prepare(lab, **options):
    lab.build("switched")
    for name in SERVERS:
        quiet_about_vip(lab.host(name), VIP, "lo")
    return Pair(lab, "DR", VIP, **options)


def run(lab):
    experiments(prepare(lab))
