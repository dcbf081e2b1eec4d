"""A director and kernel IPVS in a virtual machine tell each other of connections, and take over from each other."""

from runner.client import KeepAlive, digest, requests
from runner.guest import make
from runner.host import Failure, cable, until
from runner.servers import make_payload, start_nginx

VIP = "172.16.254.200"
VIP6 = "2001:db8:254::200"
GATEWAY = "192.168.0.1"
GATEWAY6 = "2001:db8:168::1"
SERVERS = {"server1": 18, "server2": 28}
OWN = {"director": 8, "kernel": 58}
# Persistence on a port of its own: its template is told, too.
RULES = [
    f"-A -t {VIP}:80 -s rr",
    f"-A -t {VIP}:8080 -s rr -p 120",
    f"-A -t [{VIP6}]:80 -s rr",
    *(f"-a -t {VIP}:{port} -r 192.168.0.{number}:80 -m" for port in (80, 8080) for number in SERVERS.values()),
    *(f"-a -t [{VIP6}]:80 -r [2001:db8:168::{number}]:80 -m" for number in SERVERS.values()),
]
NETWORK = f"""
    modprobe -d /run/modules ipv6
    ip address add 172.16.254.{OWN["kernel"]}/24 dev eth0
    ip address add 192.168.0.{OWN["kernel"]}/24 dev eth1
    ip address add 2001:db8:254::{OWN["kernel"]}/64 dev eth0 nodad
    ip address add 2001:db8:168::{OWN["kernel"]}/64 dev eth1 nodad
    ip link set eth0 up
    ip link set eth1 up
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.send_redirects=0
"""
# What is told leaves two to three seconds later, at the latest.
TOLD = 6.0
# Seconds that the same timer may differ by on two machines: one of them is emulated.
APART = 5


class Side:
    """One of two directors: a host, and the program that takes ipvsadm's words there."""

    def __init__(self, host, program):
        self.host = host
        self.program = program

    def ipvs(self, line, show=True):
        return self.host.run(self.program, *line.split(), show=show)

    def set(self, name, value):
        if self.program == "directorctl":
            self.host.run("directorctl", "set", f"{name}={value}", show=True)
        else:
            self.host.run("sysctl", "-qw", f"net.ipv4.vs.{name}={value}", show=True)

    def take_addresses(self, on):
        """Gets, or gives up, what clients and servers know the active director by."""
        what = "add" if on else "del"
        for interface, address in (("eth0", f"{VIP}/24"), ("eth1", f"{GATEWAY}/24")):
            self.host.run("ip", "address", what, address, "dev", interface)
        for interface, address in (("eth0", f"{VIP6}/64"), ("eth1", f"{GATEWAY6}/64")):
            self.host.run("ip", "address", what, address, "dev", interface, *(["nodad"] if on else []))

    def connections(self):
        """What the table holds of this lab's services: addresses and ports, state, and seconds left."""
        found = {}
        for line in self.ipvs("-Lnc", show=False).splitlines():
            words = line.split()
            if len(words) < 6 or words[0] not in ("TCP", "UDP", "IP"):
                continue
            minutes, seconds = words[1].split(":")
            found[words[0], words[3], words[4], words[5]] = (words[2], int(minutes) * 60 + int(seconds))
        return found


class Machines:
    """Client, servers and two directors that may each be the active one."""

    def __init__(self, lab):
        make(lab, ["outside", "inside"], {"kernel": {"bridges": ["outside", "inside"], "network": NETWORK}})
        self.lab = lab
        self.switch = lab.host("switch")
        self.client = self.add("client", outside=10)
        for name, number in SERVERS.items():
            server = self.add(name, inside=number)
            server.gateway(GATEWAY)
            server.gateway(GATEWAY6)
            start_nginx(server)
        director = self.add("director", outside=OWN["director"], inside=OWN["director"])
        director.set(ip_forward=1, conf__all__send_redirects=0)
        director.set6(conf__all__forwarding=1)
        self.director = lab.director(interfaces=("eth0", "eth1"))
        self.sides = {"director": Side(director, "directorctl"), "kernel": Side(lab.host("kernel"), "ipvsadm")}
        for side in self.sides.values():
            for rule in RULES:
                side.ipvs(rule, show=False)

    def add(self, name, outside=None, inside=None):
        host = self.lab.add(name)
        networks = [("outside", outside, "172.16.254", 254), ("inside", inside, "192.168.0", 168)]
        for bridge, number, network, wide in networks:
            if number is None:
                continue
            interface = "eth1" if bridge == "inside" and outside is not None else "eth0"
            cable(host, interface, self.switch, f"{bridge}-{number}")
            self.switch.run("ip", "link", "set", f"{bridge}-{number}", "master", bridge)
            host.set6(**{f"conf__{interface}__accept_dad": 0})
            host.address(interface, f"{network}.{number}/24", f"2001:db8:{wide}::{number}/64")
        return host

    def move_addresses(self, old, new):
        """What VRRP does: the addresses go over, and everybody asks anew where they are."""
        if old:
            self.sides[old].take_addresses(False)
        self.sides[new].take_addresses(True)
        for host in (self.client, *(self.lab.host(name) for name in SERVERS)):
            host.run("ip", "neighbour", "flush", "dev", "eth0")
            host.run("ip", "-6", "neighbour", "flush", "dev", "eth0")
        print(f"  {VIP} and {GATEWAY} are on {new}")

    def start_daemons(self, master, backup):
        for name, role in ((master, "master"), (backup, "backup")):
            print(f"  {name} is {role}")
            self.sides[name].ipvs(f"--start-daemon {role} --mcast-interface eth1 --syncid 7")

    def stop_daemons(self, master, backup):
        for name, role in ((master, "master"), (backup, "backup")):
            self.sides[name].ipvs(f"--stop-daemon {role}", show=False)

    def expect_told(self, master, backup, wanted, with_time, but):
        """Waits until the backup lists the master's connections and templates as that does, but for those of earlier."""

        def lists():
            one, other = (self.sides[name].connections() for name in (master, backup))
            missing = {}
            one = {key: value for key, value in one.items() if key not in but}
            for key, (state, left) in one.items():
                told = other.get(key)
                if told is None or told[0] != state or (with_time and abs(told[1] - left) > APART):
                    missing[key] = (state, left, told)
            return missing, len(one)

        def equal():
            missing, count = lists()
            return not missing and count >= wanted

        try:
            until(equal, "the same connections on both", TOLD)
        except Failure as failure:
            raise Failure(f"{failure}: {lists()}\n{self.sides[master].ipvs('-Lnc')}{self.sides[backup].ipvs('-Lnc')}") from None
        print(f"  {backup} lists {lists()[1]} connections and templates as {master} does")


def open_connections(machines, addresses):
    """Connections of several services, each with the server that it has met."""
    opened = [KeepAlive(machines.client, address) for address in addresses]
    return {connection: connection.get() for connection in opened}


def go_on(connections):
    """Every connection still has its server."""
    for connection, server in connections.items():
        for _ in range(4):
            page = connection.get()
            if page != server:
                raise Failure(f"a connection to {server} is answered by {page}")
    print(f"  {len(connections)} open connections go on: {' '.join(connections.values())}")


def take_over(machines, first, second, active, version, payload):
    """Connections made with one director active outlive two moves of the addresses."""
    print(f"--- {first}, then {second}, then {first} again; messages of format {version}")
    for side in machines.sides.values():
        side.set("sync_version", version)
    earlier = {key for side in machines.sides.values() for key in side.connections() if not key[1].endswith(":0")}
    if active != first:
        machines.move_addresses(active, first)
    machines.start_daemons(first, second)
    # Format 0 knows neither IPv6 nor timeouts.
    wide = [f"[{VIP6}]"] * 2 if version == 1 else []
    connections = open_connections(machines, [VIP] * 4 + [f"{VIP}:8080"] + wide)
    go_on(connections)
    target = machines.lab.file("downloaded")
    curl = machines.client.start(
        *("curl", "-sS", "--limit-rate", "5M", "--max-time", "90", "-o", str(target), f"http://{VIP}/payload"), log="curl"
    )
    machines.expect_told(first, second, len(connections), version == 1, earlier)
    machines.move_addresses(first, second)
    machines.stop_daemons(first, second)
    machines.start_daemons(second, first)
    go_on(connections)
    machines.expect_told(second, first, len(connections), version == 1, earlier)
    machines.move_addresses(second, first)
    machines.stop_daemons(second, first)
    go_on(connections)
    if curl.wait(timeout=100) != 0 or digest(target) != digest(payload):
        raise Failure(f"the download: {machines.lab.file('curl').read_text()}")
    print(f"  a download of {target.stat().st_size:,} bytes went through both, sha256 matches")
    target.unlink()
    for connection in connections:
        connection.close()
    requests(machines.client, f"http://{VIP}/", count=4, expect={"server1": 2, "server2": 2})


def run(lab):
    machines = Machines(lab)
    payload = make_payload(lab)
    active = None
    for version in (1, 0):
        for first, second in (("director", "kernel"), ("kernel", "director")):
            take_over(machines, first, second, active, version, payload)
            active = first
    machines.sides["director"].ipvs("status")
    machines.director.stop()
