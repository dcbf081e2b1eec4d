"""What explain foretells comes true, what it tells of a packet was so, and a capture tells the same afterwards."""

import itertools
import json
import signal

from captures.stage import network
from runner.host import Failure, stop, until

from . import nat

CLIENT = "172.16.254.10"
SERVERS = {"192.168.0.18": "server1", "192.168.0.28": "server2"}
# One service of weights and one that keeps clients, which are sent to their server by a template.
RULES = f"""
    -A -t {nat.VIP}:80 -s wrr
    -a -t {nat.VIP}:80 -r 192.168.0.18:80 -m -w 2
    -a -t {nat.VIP}:80 -r 192.168.0.28:80 -m -w 1
    -A -t {nat.VIP}:8080 -s rr -p 300
    -a -t {nat.VIP}:8080 -r 192.168.0.18:80 -m
    -a -t {nat.VIP}:8080 -r 192.168.0.28:80 -m
"""


def server(explanation):
    """The name of the server whose connection a packet goes on, as the last step that has one says."""
    found = [step["connection"]["server"] for step in explanation["steps"] if step.get("connection")]
    return SERVERS[found[-1]] if found else None


def words(explanation):
    return [step["step"] for step in explanation["steps"]]


class Talk:
    """Requests of one client, each from a port of its own, and which server answered on it."""

    def __init__(self, lab):
        self.client = lab.host("client")
        self.ports = itertools.count(20000)
        self.answers = {}

    def ask(self, service, port=None):
        port = port or next(self.ports)
        command = ("curl", "-sS", "--max-time", "10", "--local-port", str(port), f"http://{nat.VIP}:{service}/")
        self.answers[port, service] = self.client.run(*command).strip()
        return self.answers[port, service]


def foretold(director, talk):
    """A packet that nobody has sent, asked about again and again without a change, and then sent."""
    for service in (80, 80, 80, 80, 8080, 8080, 8080):
        port = next(talk.ports)
        packet = f"tcp {CLIENT}:{port} -> {nat.VIP}:{service}"
        told = [json.loads(director.host.run("directorctl", "explain", "--json", packet)) for _ in range(3)]
        # Counts and times beside it go on while connections end.
        if len({(server(one), *words(one)) for one in told}) > 1:
            raise Failure(f"explain {packet}: the answer changes by asking")
        answer = talk.ask(service, port)
        print(f"  {packet}: foretold {server(told[0])}, answered {answer}")
        if server(told[0]) != answer:
            raise Failure(f"explain {packet}: told {json.dumps(told[0]['steps'], indent=1)}, answered {answer}")
    if "template" not in words(told[0]):
        raise Failure(f"explain {packet}: no template in {words(told[0])}")
    director.ctl(f"explain tcp {CLIENT}:{port} to {nat.VIP}:80")


def caught(director, talk):
    """The next packet that a filter wants, while others come too."""
    for filter_words, service in (
        ("tcp dst port 80 flags syn", 80),
        (f"src host {CLIENT} dst port 80 flags fin", 80),
        ("src host 192.168.0.0/24 flags syn,ack", 8080),
    ):
        path = director.host.lab.file("next.json")
        path.write_bytes(b"")
        command = ("directorctl", "explain", "--json", "--next", "--wait", "20", *filter_words.split())
        waiting = director.host.start(*command, log="next.json")

        def has_come():
            talk.ask(service)
            talk.ask(8080 if service == 80 else 80)
            return waiting.poll() is not None

        until(has_come, f"a packet that {filter_words!r} wants")
        if waiting.returncode != 0:
            raise Failure(f"explain --next {filter_words}: {path.read_text()}")
        told = json.loads(path.read_text())
        packet = told["packet"]
        # Replies of a server are found by its side: the client is the connection's.
        found = [step["connection"] for step in told["steps"] if step.get("connection")][-1]
        answer = talk.answers.get((found["client_port"], found["virtual_port"]))
        print(f"  next {filter_words}: {packet['source']}:{packet['source_port']} {packet['flags']} on "
              f"{server(told)}'s connection; answered {answer}, {told['verdict']['outcome']}")
        if server(told) != answer or told["verdict"]["outcome"] != "send":
            raise Failure(f"explain --next {filter_words}: {json.dumps(told, indent=1)}, answered {answer}")
    done = director.host.attempt("directorctl", "explain", "--next", "--wait", "0.5", "udp dst port 9")
    if done.returncode != 1 or "no such packet has come in 0.5 seconds" not in done.stderr:
        raise Failure(f"explain --next of what never comes: status {done.returncode}, {done.stderr}")


def retold(director, talk, dump, path):
    """The same connections, explained from what tcpdump saw of them."""
    host = director.host
    expected = len(talk.answers)

    def openers():
        """Numbers of the packets that open connections, as explain and Wireshark count them."""
        lines = host.run("tcpdump", "-#nr", str(path)).splitlines()
        return [line.split()[0] for line in lines if "Flags [S]," in line]

    until(lambda: len(openers()) >= expected, "tcpdump to write all")
    stop(dump, signal.SIGINT)
    lab = host.lab
    lab.file("rules").write_text(director.ctl("-Sn", show=False))
    lab.file("network").write_text(network(host, ("eth0", "eth1")))
    common = ("--rules", str(lab.file("rules")), "--network", str(lab.file("network")), "--read", f"eth0={path}")
    numbers = openers()
    for number in numbers:
        told = json.loads(host.run("director", "explain", *common, "--packet", number, "--json"))
        packet = told["packet"]
        answer = talk.answers[packet["source_port"], packet["destination_port"]]
        if server(told) != answer:
            raise Failure(f"packet {number}: told {json.dumps(told, indent=1)}, answered {answer}")
    print(f"  {len(numbers)} connections of the capture are explained by the servers that answered")
    if len(numbers) != expected:
        raise Failure(f"{expected} requests were made")
    host.run("director", "explain", *common, "--packet", numbers[-1], show=True)
    done = host.attempt("director", "explain", *common, "--packet", "100000")
    if done.returncode != 1 or "packet 100000 never came to the director: the capture has" not in done.stderr:
        raise Failure(f"a packet that is not there: status {done.returncode}, {done.stderr}")
    simulated(host, common[-1], f"{nat.VIP}:80")


def simulated(host, read, service):
    """The same connections, given to other schedulers."""
    words = ("director", "simulate", "--schedulers", "wrr,mh", "--weights", "2,1", "--read", read, "--to", service)
    host.run(*words, show=True)
    result = json.loads(host.run(*words, "--json"))
    shares = [one["servers"] for one in result["schedulers"]]
    if result["load"]["clients"] != 1 or any(sum(one["connections"] for one in all) != result["load"]["connections"] for all in shares):
        raise Failure(f"simulate: {json.dumps(result['load'])}, {shares}")


def run(lab):
    nat.prepare_host(lab)
    host = lab.host("director")
    path = lab.file("in-eth0.pcap")
    dump = host.start(
        *("tcpdump", "-n", "-i", "eth0", "-Q", "in", "-w", str(path), "-U", "--immediate-mode", "-Z", "root"), log="tcpdump.log"
    )
    until(lambda: "listening" in lab.file("tcpdump.log").read_text(), "tcpdump at eth0")
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(RULES)
    talk = Talk(lab)
    foretold(director, talk)
    caught(director, talk)
    retold(director, talk, dump, path)
    director.stop()
