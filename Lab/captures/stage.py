"""The stage of the recordings: a client, a director and two servers, with a capture on each side of the director.

    between():  client 10.1.0.10 ── cli 10.1.0.1 director srv 10.2.0.1 ── (switch) server1 10.2.0.11, server2 10.2.0.12
    beside():   (switch) client 10.1.0.10, director's cli 10.1.0.1, server1 10.1.0.11, server2 10.1.0.12

The VIP is 10.1.0.100. The same over IPv6: 2001:db8:1::/64 outside, 2001:db8:2::/64 inside, with the same last numbers.

Neighbours are fixed, so that no ARP is in the captures, and nothing is left to interfaces: frames are as long as on a
cable and their checksums are complete. A recording has the same addresses every time.
"""

import json
import pathlib
import shutil
import signal

from runner.host import cable, stop, until
from topologies.switched import make_switch

VIP = "10.1.0.100"
VIP6 = "2001:db8:1::100"
FEATURES = ("tx", "rx", "gso", "gro", "tso")


class Stage:
    """Hosts, one director, and what tcpdump writes beside it."""

    def __init__(self, lab):
        self.lab = lab
        lab.directory.mkdir(parents=True, mode=0o755)
        self.dumps = []
        self.interfaces = ()
        self.rules = ""

    # Hosts

    def between(self):
        """The director stands between client and servers, as NAT wants it."""
        client, director = self.lab.add("client"), self.lab.add("director")
        cable(client, "eth0", director, "cli")
        make_switch(self.lab, {"director": "srv", "server1": "eth0", "server2": "eth0"})
        self.interfaces = ("cli", "srv")
        self.furnish(client, "eth0", 10, 1)
        self.furnish(director, "cli", 1, 1)
        self.furnish(director, "srv", 1, 2)
        for number, name in ((11, "server1"), (12, "server2")):
            self.furnish(self.lab.host(name), "eth0", number, 2)
            self.introduce(director, "srv", number, 2)
            self.introduce(self.lab.host(name), "eth0", 1, 2)
            self.lab.host(name).gateway("10.2.0.1")
            self.lab.host(name).gateway("2001:db8:2::1")
        self.introduce(client, "eth0", 1, 1)
        self.introduce(client, "eth0", 100, 1, who=1)
        self.introduce(director, "cli", 10, 1)
        return self

    def beside(self):
        """All are on one segment, as DR and TUN have it; servers hold the VIP by themselves."""
        numbers = {"client": 10, "director": 1, "server1": 11, "server2": 12}
        make_switch(self.lab, {name: "cli" if name == "director" else "eth0" for name in numbers})
        self.interfaces = ("cli",)
        for name, number in numbers.items():
            host, interface = self.lab.host(name), "cli" if name == "director" else "eth0"
            self.furnish(host, interface, number, 1)
            for other in numbers.values():
                if other != number:
                    self.introduce(host, interface, other, 1)
        self.introduce(self.lab.host("client"), "eth0", 100, 1, who=1)
        return self

    def furnish(self, host, interface, number, network):
        """Addresses, and the director's VIP beside its own; frames as on a cable."""
        host.run("ip", "link", "set", interface, "down")
        host.run("ip", "link", "set", interface, "address", hardware(number, network))
        host.address(interface, f"10.{network}.0.{number}/24", f"2001:db8:{network}::{number}/64")
        if interface == "cli":
            host.address(interface, f"{VIP}/32", f"{VIP6}/128")
        for feature in FEATURES:
            host.attempt("ethtool", "-K", interface, feature, "off")

    def introduce(self, host, interface, number, network, who=None):
        for address in (f"10.{network}.0.{number}", f"2001:db8:{network}::{number}"):
            words = (address, "lladdr", hardware(who or number, network), "dev", interface)
            host.run("ip", "neighbour", "replace", *words, "nud", "permanent")

    # The director and what is seen of it

    def serve(self, rules, nanoseconds=False, arrange=None):
        """Starts director and captures; `arrange` may change the host before."""
        self.lab.host("director").set(ip_forward=0)
        if arrange:
            arrange(self.lab.host("director"))
        director = self.lab.director(interfaces=self.interfaces)
        director.configure(rules)
        self.rules = director.ctl("-Sn", show=False)
        precision = "nano" if nanoseconds else "micro"
        for interface in self.interfaces:
            for way in ("in", "out"):
                path = self.lab.file(f"{way}-{interface}.pcap")
                log = f"tcpdump-{way}-{interface}.log"
                words = ("-n", "-i", interface, "-Q", way, "-w", str(path), "-U", "--immediate-mode", "-Z", "root")
                kinds = "not arp and not ether multicast and not ether broadcast"
                dump = director.host.start("tcpdump", *words, f"--time-stamp-precision={precision}", kinds, log=log)
                until(lambda: "listening" in self.lab.file(log).read_text(), f"tcpdump at {interface}")
                self.dumps.append((dump, path))
        return director

    def keep(self, directory):
        """Ends the captures and moves what there is to a directory; returns the sizes."""
        # What the last frame wakes is on its way for some milliseconds.
        settled = [-1]

        def still():
            sizes = [path.stat().st_size for _, path in self.dumps]
            same, settled[:] = sizes == settled, sizes
            return same

        self.client.run("sleep", "0.3")
        until(still, "the captures to end")
        for dump, _ in self.dumps:
            stop(dump, signal.SIGINT)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for _, path in self.dumps:
            shutil.copy(path, directory / path.name)
        (directory / "rules").write_text(self.rules)
        (directory / "network").write_text(network(self.lab.host("director"), self.interfaces))
        for path in pathlib.Path(directory).iterdir():
            path.chmod(0o644)
        return {path.name: path.stat().st_size for path in sorted(directory.iterdir())}

    @property
    def client(self):
        return self.lab.host("client")

    @property
    def servers(self):
        return [self.lab.host("server1"), self.lab.host("server2")]


def hardware(number, network):
    return f"02:00:0a:{network:02x}:00:{number:02x}"


def network(host, interfaces):
    """What a director has to know of its host, as `ip -batch` takes it."""
    ask = lambda *words: json.loads(host.run("ip", "-j", *words) or "[]")
    lines = []
    for name in interfaces:
        (link,) = ask("link", "show", "dev", name)
        lines.append(f"link set dev {name} address {link['address']} mtu {link['mtu']}")
        for address in ask("address", "show", "dev", name)[0]["addr_info"]:
            if address["scope"] == "global":
                lines.append(f"address add {address['local']}/{address['prefixlen']} dev {name}")
    for family in ("-4", "-6"):
        for route in ask(family, "route", "show"):
            # Those of addresses come with the addresses.
            if route.get("protocol") != "kernel":
                mtu = [metric["mtu"] for metric in route.get("metrics", []) if "mtu" in metric]
                via = f" via {route['gateway']}" if "gateway" in route else ""
                words = f"route add {route['dst']}{via} dev {route['dev']}"
                lines.append(words + (f" mtu {mtu[0]}" if mtu else ""))
    for neighbour in sorted(ask("neighbour", "show"), key=lambda one: (one["dev"], one["dst"])):
        if "PERMANENT" in neighbour["state"]:
            lines.append(f"neighbour add {neighbour['dst']} lladdr {neighbour['lladdr']} dev {neighbour['dev']}")
    return "".join(line + "\n" for line in lines)
