"""Scenarios made up from a seed: services, clients, servers and an operator who changes his mind."""

import random

from .scenario import check

SCHEDULERS = {
    "rr": [""],
    "wrr": [""],
    "lc": [""],
    "wlc": [""],
    "sed": [""],
    "nq": [""],
    "dh": [""],
    "sh": ["", "sh-fallback", "sh-port", "sh-fallback,sh-port"],
    "lblc": [""],
    "lblcr": [""],
    "fo": [""],
    "ovf": [""],
    "mh": ["", "mh-fallback", "mh-port", "mh-fallback,mh-port"],
}
SETTINGS = {
    "conn_reuse_mode": [0, 1, 2],
    "expire_nodest_conn": [1],
    "expire_quiescent_template": [1],
    "nat_icmp_send": [1],
    "schedule_icmp": [1],
    "sloppy_tcp": [1],
    "sloppy_sctp": [1],
    "drop_packet": [3],
    "secure_tcp": [3],
    "pmtu_disc": [0],
}
METHODS = {"-m": "nat", "-g": "dr", "-i": "tun"}
TUNNELS = ["", " --tun-type gue --tun-port 6080", " --tun-type gue --tun-port 6080 --tun-csum", " --tun-type gre"]
SIZES = [0, 0, 1, 10, 100, 500, 1400, 1452]
CONVERSATIONS = {
    "tcp": {
        "client": ["S", "A", "A", "PA", "PA", "FA", "R", "S", "A", "FPA", "SA"],
        "server": ["SA", "A", "PA", "FA", "R", "A"],
    },
    "sctp": {
        "client": ["INIT", "COOKIE-ECHO", "DATA", "DATA", "SACK", "SHUTDOWN", "SHUTDOWN-COMPLETE", "ABORT", "HEARTBEAT"],
        "server": ["INIT-ACK", "COOKIE-ACK", "DATA", "SACK", "SHUTDOWN-ACK", "ABORT", "SHUTDOWN"],
    },
    "udp": {"client": [""], "server": [""]},
}


def make(seed, count):
    """`count` scenarios; the same seed and number give the same one."""
    return [Maker(seed, number).make() for number in range(count)]


class Service:
    """A virtual service as the maker knows it."""

    def __init__(self, words, proto, addresses, ports, method, family):
        self.words = words
        self.proto = proto
        self.addresses = addresses
        self.ports = ports
        self.method = method
        self.family = family
        self.servers = {}


class Maker:
    """Makes one scenario."""

    def __init__(self, seed, number):
        self.dice = random.Random(f"{seed}/{number}")
        self.name = f"random-{seed}-{number}"
        self.six = self.dice.random() < 0.3
        self.steps = []
        self.tags = {"random"}
        self.marks = []
        self.rules = []
        self.services = []
        # Flows by number: service, client's end, virtual end, and the steps that the client's last frames were.
        self.flows = []

    def make(self):
        dice = self.dice
        for number in range(dice.choice([1, 1, 2, 3])):
            self.add_service(number)
        settings = {}
        for name in dice.sample(sorted(SETTINGS), dice.choice([0, 0, 1, 2])):
            settings[f"net.ipv4.vs.{name}"] = str(dice.choice(SETTINGS[name]))
        for _ in range(dice.randrange(30, 90)):
            dice.choices(
                [self.open, self.speak, self.answer, self.operate, self.complain, self.fragments, self.look, self.knock],
                [30, 35, 30, 6, 4, 2, 3, 2],
            )[0]()
        self.look()
        self.step(op="settle-stats")
        self.step(op="list", kind="stats")
        data = {
            "name": self.name,
            "group": "random",
            "title": f"Random services and traffic: {', '.join(sorted(self.tags - {'random'}))}",
            "tags": sorted(self.tags),
            "setup": {
                **self.hosts(),
                "sysctl": settings,
                "marks": self.marks,
                "rules": self.rules,
            },
            "steps": self.steps,
        }
        return check(data, self.name, self.name)

    def hosts(self):
        near = [("10.1.0.254", "cli", "fe", 1), ("10.2.0.254", "srv", "fe", 2)]
        near += [(f"10.2.0.{n}", "srv", f"{n:02x}", 2) for n in range(11, 19)]
        if self.six:
            near += [("2001:db8:1::fe", "cli", "fe", 1), ("2001:db8:2::fe", "srv", "fe", 2)]
            near += [(f"2001:db8:2::{n}", "srv", f"{n:02x}", 2) for n in range(11, 19)]
        routes = [
            {"dst": "0.0.0.0/0", "via": "10.1.0.254", "dev": "cli"},
            {"dst": "10.9.0.0/24", "via": "10.2.0.254", "dev": "srv"},
        ]
        vips = [{"addr": f"10.1.0.{n}", "dev": "cli"} for n in (100, 101, 102)]
        if self.six:
            routes += [{"dst": "::/0", "via": "2001:db8:1::fe", "dev": "cli"}]
            vips += [{"addr": f"2001:db8:1::{n}", "dev": "cli"} for n in (100, 101)]
        return {
            "interfaces": [
                {
                    "name": name,
                    "mac": f"02:00:0a:{net:02x}:00:01",
                    "mtu": 1500,
                    "addresses": [f"10.{net}.0.1/24", *([f"2001:db8:{net}::1/64"] if self.six else [])],
                }
                for name, net in (("cli", 1), ("srv", 2))
            ],
            "vips": vips,
            "neighbours": [
                {"ip": ip, "dev": dev, "mac": f"02:00:0a:{net:02x}:00:{last}"} for ip, dev, last, net in near
            ],
            "routes": routes,
        }

    def step(self, **step):
        self.steps.append(step | {"n": len(self.steps)})
        return len(self.steps) - 1

    # What is configured

    def add_service(self, number):
        dice = self.dice
        proto = dice.choice(["tcp", "tcp", "tcp", "udp", "udp", "sctp"])
        family = 6 if self.six and dice.random() < 0.6 else 4
        method = dice.choice(["-m", "-m", "-g", "-i"])
        vips = [f"10.1.0.{100 + number}"] if family == 4 else [f"2001:db8:1::{100 + number % 2}"]
        ports = [80 + number]
        persistent = dice.random() < 0.3
        scheduler = dice.choice(sorted(SCHEDULERS))
        flag = dice.choice(SCHEDULERS[scheduler])
        kind = dice.random()
        if kind < 0.15 and proto != "sctp":
            ports = [80 + number, 443 + number]
            six = {"family": 6} if family == 6 else {}
            self.marks += [
                {"mark": 5 + number, "proto": proto, "dst": vip, "dport": port, **six} for vip in vips for port in ports
            ]
            words = f"-f {5 + number}" + (" -6" if family == 6 else "")
            self.tags.add("fwmark")
        else:
            port = ports[0]
            if kind < 0.25 and persistent:
                port, ports = 0, [80, 443, 8080]
            option = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}[proto]
            words = f"{option} {vips[0]}:{port}" if family == 4 else f"{option} [{vips[0]}]:{port}"
        rule = f"-A {words} -s {scheduler}"
        if flag:
            rule += f" -b {flag}"
        if persistent:
            rule += f" -p {dice.choice([60, 300])}"
            if dice.random() < 0.4:
                rule += f" -M {dice.choice(['255.255.255.0', '255.255.0.0'])}" if family == 4 else " -M 112"
            self.tags.add("persist")
        elif proto == "udp" and dice.random() < 0.3:
            rule += " -o"
            self.tags.add("ops")
        self.rules.append(rule)
        service = Service(words, proto, vips, ports, method, family)
        self.services.append(service)
        self.tags |= {proto, METHODS[method], f"sched-{scheduler}"} | ({"ipv6"} if family == 6 else set())
        for host in dice.sample(range(11, 19), dice.choice([1, 2, 3, 4])):
            self.rules.append(self.server_rule("-a", service, host))

    def server_rule(self, what, service, host):
        dice = self.dice
        where = f"10.2.0.{host}" if service.family == 4 else f"[2001:db8:2::{host}]"
        port = service.ports[0]
        fixed = service.method != "-m" or service.words.startswith("-f") or " " not in service.words
        if host not in service.servers:
            same = fixed or service.words.endswith(":0") or dice.random() < 0.5
            service.servers[host] = f"{where}:{0 if service.words.startswith('-f') or service.words.endswith(':0') else port if same else 8000 + host}"
        rule = f"{what} {service.words} -r {service.servers[host]} {service.method} -w {dice.choice([0, 1, 1, 1, 2, 3])}"
        if dice.random() < 0.15:
            upper = dice.choice([2, 3, 5])
            rule += f" -x {upper} -y {dice.choice([0, 1, upper - 1])}"
            self.tags.add("thresholds")
        if service.method == "-i" and service.family == 4 and dice.random() < 0.3:
            rule += dice.choice(TUNNELS)
            self.tags.add("tunnel-type")
        return rule

    def operate(self):
        """Edits, adds or removes a server; the operator may be wrong, and is refused."""
        dice, service = self.dice, self.dice.choice(self.services)
        deed = dice.choice(["-e", "-e", "-a", "-d"])
        host = dice.choice(sorted(service.servers) or [11]) if deed != "-a" else dice.randrange(11, 19)
        rule = self.server_rule(deed, service, host)
        if deed == "-d":
            rule = f"-d {service.words} -r {service.servers.pop(host)}"
        self.step(op="ctl", args=rule.split())

    def look(self):
        self.step(op="list", kind=self.dice.choice(["conns", "rules"]))
        self.step(op="list", kind="rules")

    # What is sent

    def text(self, flow, flags, size):
        service, client, vip = flow["service"], flow["client"], flow["vip"]
        words = [service.proto, client, ">", vip]
        if flags:
            words.append(flags)
        if self.dice.random() < 0.05:
            words.append(f"ttl {self.dice.choice([1, 2, 255])}")
        if service.proto != "sctp" and size:
            words.append(f"bytes {size}")
        return " ".join(words)

    def open(self):
        dice, service = self.dice, self.dice.choice(self.services)
        number, port = dice.randrange(1, 40), 12000 + dice.randrange(6)
        vip, to = dice.choice(service.addresses), dice.choice(service.ports)
        six = service.family == 6
        flow = {
            "service": service,
            "client": f"[2001:db8:c::{number}]:{port}" if six else f"198.51.100.{number}:{port}",
            "vip": f"[{vip}]:{to}" if six else f"{vip}:{to}",
            "steps": [],
        }
        self.flows.append(flow)
        self.say(flow, CONVERSATIONS[service.proto]["client"][0])

    def say(self, flow, flags):
        size = self.dice.choice(SIZES) if flags in ("PA", "", "A") else 0
        flow["steps"].append(self.step(op="frame", **{"if": "cli"}, packet=self.text(flow, flags, size)))

    def speak(self):
        if self.flows:
            flow = self.dice.choice(self.flows[-8:])
            self.say(flow, self.dice.choice(CONVERSATIONS[flow["service"].proto]["client"]))

    def answer(self):
        flow = self.dice.choice(self.flows[-8:]) if self.flows else None
        if flow and flow["service"].method == "-m":
            words = self.dice.choice(CONVERSATIONS[flow["service"].proto]["server"])
            if words in ("PA", "") and self.dice.random() < 0.5:
                words = f"{words} bytes {self.dice.choice(SIZES)}".strip()
            self.step(
                op="frame", **{"if": "srv"}, reply=self.dice.choice(flow["steps"][-3:]), words=words, optional=True
            )

    def complain(self):
        """An ICMP error from behind the director about something that it sent."""
        flow = self.dice.choice(self.flows[-8:]) if self.flows else None
        if flow is None or flow["service"].method == "-g":
            return
        self.tags.add("icmp")
        if flow["service"].family == 4:
            kind, code, mtu = self.dice.choice([(3, 1, 0), (3, 3, 0), (3, 4, 1300), (11, 0, 0), (12, 0, 0)])
        else:
            kind, code, mtu = self.dice.choice([(1, 0, 0), (1, 4, 0), (2, 0, 1300), (3, 0, 0)])
        what = {"about": self.dice.choice(flow["steps"][-3:]), "type": kind, "code": code, "mtu": mtu}
        verified = {"verified": True} if flow["service"].family == 6 else {}
        self.step(op="frame", **{"if": "srv"}, error=what, optional=True, **verified)

    def fragments(self):
        """A datagram in pieces, in any order."""
        flows = [flow for flow in self.flows[-8:] if flow["service"].proto == "udp"]
        if not flows:
            return
        self.tags.add("fragments")
        flow, size, number = self.dice.choice(flows), self.dice.choice([40, 800]), self.dice.randrange(0x2000, 0x8000)
        cut = 8 * self.dice.randrange(1, (size + 8) // 8)
        parts = [[0, cut], [cut, size + 8]]
        self.dice.shuffle(parts)
        packet = f"udp {flow['client']} > {flow['vip']} bytes {size} id {number}"
        for part in parts:
            self.step(op="frame", **{"if": "cli"}, packet=packet, part=part)

    def knock(self):
        """What is no service's: an echo request, another port, a stranger."""
        service = self.dice.choice(self.services)
        vip = service.addresses[0]
        if service.family == 6:
            texts = [f"icmp 2001:db8:c::7 > {vip} bytes 8", f"tcp [2001:db8:c::7]:999 > [{vip}]:999 S"]
        else:
            texts = [f"icmp 198.51.100.7 > {vip} bytes 8", f"tcp 198.51.100.7:999 > {vip}:999 S"]
        self.step(op="frame", **{"if": "cli"}, packet=self.dice.choice(texts))
