"""directorctl capture takes packets from a running director, before and after, and replays as it was."""

import re
import signal
import subprocess
import time

from runner.client import KeepAlive, get, requests
from runner.host import Failure, until

from . import nat

# The network around the director of the topology, for its replay.
NETWORK = """
    address add 172.16.254.200/24 dev eth0
    address add 192.168.0.8/24 dev eth1
"""
SUMMARY = re.compile(r"(\d+) packets? as they came, (\d+) frames? that left because of them, (\d+) bytes to (\S+); (.*)")


class Capture:
    """`directorctl capture` at work; it has begun when this is there."""

    def __init__(self, host, path, *words):
        self.host, self.path = host, path
        words = ("directorctl", "capture", *words, "--write", str(path))
        host.say([*words, "&"])
        self.process = host.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # The head of the file comes with the director's first answer.
        until(lambda: path.exists() and path.stat().st_size > 0, "the capture to begin")

    def end(self, act=None, status=0):
        """Its summary: packets, frames, bytes, and how it ended."""
        if act:
            self.process.send_signal(act)
        output, errors = self.process.communicate(timeout=20)
        said = (output + errors).decode()
        print("  " + said.strip().replace("\n", "\n  "))
        found = SUMMARY.search(said)
        if self.process.returncode != status or not found:
            raise Failure(f"directorctl capture ends with status {self.process.returncode}: {said}")
        packets, frames, size = (int(found[number]) for number in (1, 2, 3))
        if size != self.path.stat().st_size:
            raise Failure(f"{size} bytes were told and {self.path.stat().st_size} written")
        if len(frames_of(self.host, self.path)) != packets + frames:
            raise Failure("the file has not as many packets as were told")
        return packets, frames, found[5]


def frames_of(host, path, *expression):
    """The packets of a file, as tcpdump shows them, which must read it to its end."""
    done = host.attempt("tcpdump", "-n", "-e", "-r", str(path), *expression)
    if done.returncode != 0:
        raise Failure(f"tcpdump does not read {path}: {done.stderr}")
    return done.stdout.splitlines()


def refused(host, words, said):
    done = host.attempt("directorctl", *words)
    if done.returncode == 0 or said not in done.stderr:
        raise Failure(f"directorctl {' '.join(words)}: status {done.returncode}, {done.stderr}")


def both_sides(lab, host):
    """Four requests, each packet of theirs as it came and as it left."""
    capture = Capture(host, lab.file("web.pcapng"), "tcp", "host", "172.16.254.10")
    refused(host, ("capture", "--write", str(lab.file("two.pcapng"))), "somebody else captures")
    refused(host, ("explain", "--next", "tcp"), "a capture is under way")
    requests(lab.host("client"), f"http://{nat.VIP}/", count=4)
    packets, frames, how = capture.end(signal.SIGINT)
    if packets != frames or packets < 4 * 8 or how != "nothing lost; ended by a signal":
        raise Failure("not every packet of four requests is there as it came and as it left")
    for name, expression in (("outside", f"host {nat.VIP}"), ("inside", "net 192.168.0.0/24")):
        seen = frames_of(host, capture.path, *expression.split(), "and", "tcp[tcpflags]", "==", "tcp-syn")
        print("  " + "\n  ".join(seen))
        if len(seen) != 4:
            raise Failure(f"four connections, and {name} {len(seen)} begin")
    text = capture.path.read_bytes().decode(errors="replace")
    for comment in (
        "sent by eth1; service tcp 172.16.254.200:80; scheduler wrr chose 192.168.0.18:80; new connection to",
        "packet 1 as it left",
        "state SYN_RECV -> ESTABLISHED",
    ):
        if comment not in text:
            raise Failure(f"no packet has the comment '{comment}'")
    return capture.path, frames


def replays(lab, host, path, frames):
    """A replay takes what came in, and sends as much as the director has sent."""
    rules, network, sent = lab.file("rules"), lab.file("network"), lab.file("sent.pcapng")
    rules.write_text(host.run("directorctl", "-Sn"))
    network.write_text(NETWORK)
    told = host.run(
        *("director", "replay", "--rules", str(rules), "--network", str(network)),
        *("--read", str(path), "--write", str(sent)),
        show=True,
    )
    if len(frames_of(host, sent)) != frames or f"{frames} the director's own left out" not in told:
        raise Failure(f"the replay of the capture does not send {frames} frames:\n{told}")


def ends(lab, host, director):
    """By numbers, by time, by a client that is killed, and with the director."""
    client = lab.host("client")
    capture = Capture(host, lab.file("few.pcapng"), "--packets", "5", "tcp")
    get(client, f"http://{nat.VIP}/")
    if capture.end()[0] != 5:
        raise Failure("five packets were asked for")
    capture = Capture(host, lab.file("short.pcapng"), "--bytes", "10K", "--snap", "64", "tcp")
    for _ in range(4):
        get(client, f"http://{nat.VIP}/")
    if not capture.end()[2].endswith("--bytes") or capture.path.stat().st_size > 10_000:
        raise Failure("the capture is longer than was asked for")
    capture = Capture(host, lab.file("timed.pcapng"), "--seconds", "0.5", "udp")
    if capture.end()[0] != 0:
        raise Failure("there was no packet for the filter")
    capture = Capture(host, lab.file("killed.pcapng"))
    capture.process.kill()
    capture.process.communicate()
    # The director sees at once that the client is gone, and is free for the next one.
    until(
        lambda: host.attempt("directorctl", "capture", "--seconds", "0.1", "--write", str(lab.file("next.pcapng"))).returncode == 0,
        "the capture of a killed client to end",
    )
    # A director that does not answer does not hold the user: the second Ctrl-C ends it, and the file is whole.
    capture = Capture(host, lab.file("mute.pcapng"), "tcp")
    director.process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    for _ in range(2):
        capture.process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    status = capture.process.wait(timeout=5)
    capture.process.communicate()
    director.process.send_signal(signal.SIGCONT)
    frames_of(host, capture.path)
    print(f"  ended with status {status} though the director does not answer")
    pipe = f"directorctl capture tcp --packets 6 --write - | tcpdump -n -r - > {lab.file('pipe.txt')}"
    streamed = host.start("bash", "-c", pipe, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    open_connection = KeepAlive(client, nat.VIP)
    until(lambda: (open_connection.get(), streamed.poll() is not None)[1], "six packets in a pipe")
    print("  " + streamed.communicate()[0].decode().strip())
    if len(lab.file("pipe.txt").read_text().splitlines()) < 6:
        raise Failure("tcpdump has not read six packets from the pipe")
    capture = Capture(host, lab.file("orphan.pcapng"), "tcp")
    get(client, f"http://{nat.VIP}/")
    time.sleep(0.5)
    director.stop()
    if capture.end(status=1)[0] == 0:
        raise Failure("what came before the director went away is not in the file")


def run(lab):
    director = nat.prepare(lab)
    host = lab.host("director")
    refused(host, ("capture", "nonsense", "--write", str(lab.file("none.pcapng"))), '"nonsense" is not known')
    if lab.file("none.pcapng").exists():
        raise Failure("a capture that is refused has made its file")
    path, frames = both_sides(lab, host)
    replays(lab, host, path, frames)
    ends(lab, host, director)
