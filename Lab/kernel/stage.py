"""The topology of one scenario: a name space for the director, and the far ends of its cables in our hands."""

import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import socket
import struct
import subprocess

from runner.host import Failure

from . import frames

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_NETWORK = 0x40000000
ANY_PROTOCOL = 3
PACKET_LEVEL, IGNORE_OUTGOING, VIRTIO_HEADER = 263, 23, 15
NEEDS_CHECKSUM = 1
# <linux/ethtool.h>: what would leave sums unfinished or join packets.
OFFLOADS = {
    "receive sums": 0x15,
    "transmit sums": 0x17,
    "scatter": 0x19,
    "TCP segments": 0x1F,
    "segments": 0x24,
    "joining": 0x2C,
}
SIOCETHTOOL = 0x8946


class NameSpace:
    """One network name space, ours from birth to end."""

    def __init__(self, name):
        self.name = name
        call(["ip", "netns", "add", name])
        self.handle = os.open(f"/run/netns/{name}", os.O_RDONLY)

    @contextlib.contextmanager
    def entered(self):
        """What runs in this block, and what it starts, is in the name space."""
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            enter(self.handle)
            try:
                yield
            finally:
                enter(back)
        finally:
            os.close(back)

    def run(self, argv, text=None, environment=None):
        with self.entered():
            return subprocess.run(
                argv,
                **({"input": text} if text is not None else {"stdin": subprocess.DEVNULL}),
                capture_output=True,
                text=True,
                errors="replace",
                env=environment,
                timeout=60,
            )

    def must(self, argv, text=None):
        return expect(self.run(argv, text), argv, text)

    def ip(self, commands, *options):
        """Many commands of ip(8) by one process."""
        if commands:
            self.must(["ip", *options, "-batch", "-"], "".join(line + "\n" for line in commands))

    def settings(self, values):
        """Writes /proc/sys/net; a setting that this kernel lacks is one it cannot be wrong about."""
        with self.entered():
            for name, value in values.items():
                with contextlib.suppress(FileNotFoundError):
                    pathlib.Path("/proc/sys/net", *name.split("/")).write_text(f"{value}\n")

    def destroy(self):
        os.close(self.handle)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True)


def enter(handle):
    if LIBC.setns(handle, NEW_NETWORK) != 0:
        raise Failure(f"cannot enter a name space: {os.strerror(ctypes.get_errno())}")


def expect(done, argv, text=None):
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise Failure(f"{' '.join(argv)}: status {done.returncode}: {said}" + (f"\n{text}" if text else ""))
    return done.stdout


def call(argv):
    return expect(subprocess.run(argv, capture_output=True, text=True), argv)


class Far:
    """Where the far ends of all cables are: a name space that says nothing by itself."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.space = NameSpace(prefix + "far")
        self.space.settings({f"ipv6/conf/{which}/disable_ipv6": 1 for which in ("all", "default")})

    def destroy(self):
        self.space.destroy()


class Stage:
    """Name space, interfaces, addresses, neighbours and routes of one scenario."""

    def __init__(self, far, number, setup):
        self.far = far
        self.number = number
        self.setup = setup
        self.names = [interface["name"] for interface in setup["interfaces"]]
        self.space = NameSpace(f"{far.prefix}{number}")
        self.sockets = {}
        self.offering = {}
        try:
            self.build()
        except BaseException:
            self.destroy()
            raise

    def end(self, name):
        """The name of a cable's far end."""
        return f"f{self.number}-{name}"

    def build(self):
        setup = self.setup
        self.space.ip(
            f"link add name {interface['name']} address {interface['mac']} mtu {interface.get('mtu', 1500)}"
            f" type veth peer name {self.end(interface['name'])} mtu 9600 netns {self.far.space.name}"
            for interface in setup["interfaces"]
        )
        self.far.space.ip([f"link set {self.end(name)} arp off up" for name in self.names])
        self.space.settings(self.behaviour())
        with self.space.entered():
            for name in self.names:
                switch_offloads_off(name)
        self.space.ip(self.addressing())
        with self.far.space.entered():
            for name in self.names:
                self.sockets[name] = self.listen(name)
        self.receive()

    def behaviour(self):
        """What must not disturb: source checks, redirects, limits on ICMP, addresses that assign themselves."""
        values = {
            "ipv4/ip_forward": 1,
            "ipv4/icmp_ratelimit": 0,
            "ipv6/icmp/ratelimit": 0,
            "ipv6/auto_flowlabels": 0,
            "ipv6/conf/all/forwarding": 1,
        }
        for name in ("all", "default", *self.names):
            values |= {
                f"ipv4/conf/{name}/rp_filter": 0,
                f"ipv4/conf/{name}/send_redirects": 0,
                f"ipv6/conf/{name}/accept_dad": 0,
                f"ipv6/conf/{name}/accept_ra": 0,
                f"ipv6/conf/{name}/addr_gen_mode": 1,
                f"ipv6/conf/{name}/disable_ipv6": 0 if self.has_ipv6 else 1,
            }
        return values

    @property
    def has_ipv6(self):
        return any(":" in address for one in self.setup["interfaces"] for address in one["addresses"])

    def addressing(self):
        lines = [f"link set {name} up" for name in ("lo", *self.names)]
        owned = [(address, one["name"]) for one in self.setup["interfaces"] for address in one["addresses"]]
        for vip in self.setup["vips"]:
            owned.append((f"{vip['addr']}/{128 if ':' in vip['addr'] else 32}", vip["dev"]))
        for address, device in owned:
            lines.append(f"address add {address} dev {device}{' nodad' if ':' in address else ''}")
        for near in self.setup["neighbours"]:
            lines.append(f"neighbour replace {near['ip']} lladdr {near['mac']} dev {near['dev']} nud permanent")
        for route in self.setup["routes"]:
            via = f" via {route['via']}" if route.get("via") else ""
            lines.append(f"route add {route['dst']}{via} dev {route['dev']}")
        return lines

    def deliver_marked(self):
        """Packets with some marks are taken in although no address here is theirs (policy routing)."""
        marks = self.setup["local_marks"]
        for family in ("-4", "-6") if self.has_ipv6 else ("-4",):
            lines = [f"rule add fwmark {mark} lookup 100" for mark in marks]
            if lines:
                self.space.ip([*lines, "route add local default dev lo table 100"], family)

    def listen(self, name):
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        ear.setsockopt(PACKET_LEVEL, IGNORE_OUTGOING, 1)
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        ear.bind((self.end(name), ANY_PROTOCOL))
        ear.setblocking(False)
        return ear

    # Traffic

    def send(self, name, frame, verified=False):
        """Puts a frame on a cable; `verified` as one whose sum its sender leaves to be finished."""
        unfinished = frames.unfinished_sum(frame) if verified else None
        try:
            if unfinished is None:
                self.sockets[name].send(frame)
            else:
                start, offset, bytes_ = unfinished
                header = struct.pack("=BBHHHH", NEEDS_CHECKSUM, 0, 0, 0, start, offset)
                self.offers(name).send(header + bytes_)
        except OSError as error:
            # The director's link takes no frame as long as this one: it is lost, as on a wire.
            if error.errno not in (errno.ENOBUFS, errno.EMSGSIZE):
                raise

    def offers(self, name):
        """A second socket on the cable, which speaks of sums in front of every frame."""
        if name not in self.offering:
            with self.far.space.entered():
                mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                mouth.setsockopt(PACKET_LEVEL, VIRTIO_HEADER, 1)
                mouth.bind((self.end(name), 0))
            self.offering[name] = mouth
        return self.offering[name]

    def receive(self):
        """What has come out of the director since the last look, as (interface, bytes)."""
        found = []
        for name, ear in self.sockets.items():
            while True:
                try:
                    frame = ear.recv(1 << 16)
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno == errno.ENETDOWN:
                        break
                    raise
                if not frames.is_chatter(frame):
                    found.append((name, frame))
        return found

    def destroy(self):
        for one in (*self.sockets.values(), *self.offering.values()):
            one.close()
        self.space.destroy()


def switch_offloads_off(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in OFFLOADS.values():
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sQ16x", name.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
