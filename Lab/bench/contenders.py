"""What stands between client and server: kernel routing, nft, proxies, and the director by each driver and method."""

import subprocess

from runner.host import Failure, until
from runner.lab import Lab
from runner.servers import quiet_about_vip, receive_ipip, start_nginx
from runner.traffic import Background, listening
from topologies import straight, switched
from topologies.straight import SERVER, VIP

# Ports of the services, the same on director and server.
HTTP, IPERF, DIAL, FRAMES, PING = 80, 5201, 7000, 9000, 7001
TCP_PORTS, UDP_PORTS = (HTTP, IPERF, DIAL, FRAMES), (FRAMES, PING)


class Contender:
    """One way from client to server, with hosts of its own; all of them stand during all rounds."""

    name = ""
    # What it can be asked: frames of the crowd, TCP, datagrams of sockets, connections held in its memory.
    can = {"frames", "tcp", "ping"}
    # What a reader of its figures must know.
    note = ""
    # Whether its processes are put on a CPU of their own where the sender of frames has another.
    is_bound = False

    def __init__(self, prefix):
        self.lab = Lab(f"{prefix}{self.name}-")
        self.lab.is_urgent = True
        self.address = VIP
        self.processes = []
        self.rounds = 0

    def start(self):
        self.lab.expect_free()
        self.build()
        server = self.lab.host("server1")
        start_nginx(server)
        server.start("iperf3", "-s", log="iperf3.log")
        Background(server, "accept", "--port", DIAL, ready="listening")
        Background(server, "reflect", "--port", PING, ready="listening")
        for port in (HTTP, IPERF, DIAL):
            listening(server, port)
        # A client that closes first keeps its port for a minute; there are enough of them.
        self.lab.host("client").set(ip_local_port_range="1100 65000", tcp_tw_reuse=1)
        self.serve(self.lab.host("director"))

    def build(self):
        self.lab.build("straight")

    def serve(self, host):
        raise NotImplementedError

    def stop(self):
        self.lab.clear()

    @property
    def client(self):
        return self.lab.host("client")

    @property
    def server(self):
        return self.lab.host("server1")


class Routing(Contender):
    """The kernel forwards between its interfaces; the client knows the server's address."""

    name = "routing"

    def serve(self, host):
        self.address = SERVER
        host.set(ip_forward=1)


class NFT(Contender):
    """The kernel's own address translation, with connection tracking."""

    name = "nft-dnat"

    def serve(self, host):
        host.set(ip_forward=1)
        rules = "add table ip bench; add chain ip bench in { type nat hook prerouting priority -100; };"
        for transport, ports in (("tcp", TCP_PORTS), ("udp", UDP_PORTS)):
            named = ", ".join(map(str, ports))
            rules += f" add rule ip bench in ip daddr {VIP} {transport} dport {{ {named} }} dnat to {SERVER};"
        host.run("nft", rules)


class Proxy(Contender):
    """A program that ends the client's connection and makes one of its own."""

    can = {"tcp", "held"}

    def configuration(self):
        raise NotImplementedError

    def command(self, path):
        raise NotImplementedError

    def serve(self, host):
        path = self.lab.file(f"{self.name}.conf")
        path.write_text(self.configuration())
        process = host.start("sh", "-c", 'ulimit -n "$(ulimit -H -n)"; exec "$@"', "sh", *self.command(path), log=f"{self.name}.log")
        for port in (HTTP, IPERF, DIAL):
            listening(host, port)
        # Masters with their workers.
        told = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
        self.processes = [process.pid, *map(int, told.stdout.split())]


class HAProxy(Proxy):
    name = "haproxy"

    def configuration(self):
        # As many threads as there are CPUs, which is its default.
        text = "global\n  maxconn 8000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n"
        for port in (HTTP, IPERF, DIAL):
            text += f"listen port-{port}\n  bind :{port}\n  server server1 {SERVER}:{port}\n"
        return text

    def command(self, path):
        return "haproxy", "-db", "-f", str(path)


class NginxStream(Proxy):
    name = "nginx-stream"

    def configuration(self):
        servers = "".join(
            f"server {{ listen {port} backlog=65535; proxy_pass {SERVER}:{port}; }}\n" for port in (HTTP, IPERF, DIAL)
        )
        return (
            "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
            f"daemon off; worker_processes auto; pid {self.lab.file('proxy.pid')}; error_log /dev/null crit;\n"
            "events { worker_connections 16000; }\n"
            f"stream {{ proxy_timeout 1h;\n{servers}}}\n"
        )

    def command(self, path):
        return "nginx", "-c", str(path), "-e", str(self.lab.file("proxy-error.log"))


class Balanced(Contender):
    """The director by NAT, with one driver."""

    can = {"frames", "tcp", "ping", "edits", "held", "idle"}
    is_bound = True
    interfaces = ("eth0", "eth1")
    options = ()
    method = "-m"
    vip, real_server = VIP, SERVER

    def serve(self, host):
        self.address = self.vip
        self.director = self.lab.director(interfaces=self.interfaces, options=self.options)
        self.processes = [self.director.process.pid]
        for option, ports in (("-t", TCP_PORTS), ("-u", UDP_PORTS)):
            for port in ports:
                self.director.ctl(f"-A {option} {self.vip}:{port} -s rr", show=False)
                self.director.ctl(f"-a {option} {self.vip}:{port} -r {self.real_server}:{port} {self.method}", show=False)


class AFPacket(Balanced):
    name = "afpacket"


class XDP(Balanced):
    name = "xdp"
    interfaces = ("xdp:eth0", "xdp:eth1")


class NFQueue(Balanced):
    name = "nfqueue"
    interfaces = ("nfqueue:0",)

    def serve(self, host):
        # This driver leaves the routing to the kernel.
        host.set(ip_forward=1)
        super().serve(host)


class TwoWorkers(Balanced):
    name = "two-workers"
    options = ("--workers", "2")
    is_bound = False


class OnOneSegment(Balanced):
    """Methods whose servers answer the client themselves: all hosts on one switch."""

    can = {"tcp", "idle"}
    interfaces = ("eth0",)
    vip, real_server = switched.VIP, switched.HOSTS["server1"]

    def build(self):
        self.lab.build("switched")
        self.lab.host("director").address("eth0", f"{self.vip}/32")
        self.hold(self.lab.host("server1"))

    def hold(self, server):
        raise NotImplementedError


class DR(OnOneSegment):
    name = "dr"
    method = "-g"

    def hold(self, server):
        quiet_about_vip(server, self.vip, "lo")


class TUN(OnOneSegment):
    name = "tun"
    method = "-i"

    def hold(self, server):
        receive_ipip(server, must_be_fast=True)
        # What comes in a tunnel comes in single segments, and cards put them together again; a veth does when told.
        server.run("ethtool", "-K", "eth0", "gro", "on")
        quiet_about_vip(server, self.vip, "tunnel")
        if self.lab.file("unwrap").exists():
            self.note = "this kernel has no ipip: a BPF program of the lab unwraps on the server"
        if self.lab.file("receiver").exists():
            self.note = "this kernel has no ipip: a program of the lab unwraps on the server, and bounds what comes to it"


ALL = [Routing, NFT, HAProxy, NginxStream, AFPacket, XDP, NFQueue, TwoWorkers, DR, TUN]
# Those that a director may not be built with, and what it says then.
OPTIONAL = {NFQueue: "nfqueue", TwoWorkers: "--workers"}


def stand_up(prefix, names):
    """Starts contenders by name (all without a name); those that this director cannot be are said and left out."""
    known = {kind.name: kind for kind in ALL}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failure(f"no contender is called {', '.join(unknown)}; there are: {', '.join(known)}")
    standing = []
    try:
        for kind in [known[name] for name in names] or ALL:
            contender = kind(prefix)
            standing.append(contender)
            try:
                contender.start()
            except Failure as failure:
                if kind not in OPTIONAL or "ended with status" not in str(failure):
                    raise
                reason = str(failure).strip().splitlines()[-1]
                print(f"{kind.name}: left out, this director does not have it: {reason}")
                standing.remove(contender)
                contender.stop()
        until(lambda: all(answers(one) for one in standing), "every contender to answer", 20)
    except BaseException:
        take_down(standing)
        raise
    return standing


def answers(contender):
    url = f"http://{contender.address}/"
    return contender.client.attempt("curl", "-sf", "-m", "2", "-o", "/dev/null", url).returncode == 0


def take_down(standing):
    for contender in standing:
        contender.stop()
