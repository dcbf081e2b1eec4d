"""Servers with FULLNAT learn who the client is: nginx by the PROXY protocol, a small receiver by the TOA option."""

import sys

from runner.client import HELPERS, download, get, requests
from runner.host import Failure, stop, until
from runner.servers import make_payload, start_nginx
from topologies.distant import LOCAL, LOCAL6, SERVERS, SERVERS6, VIP, VIP6

from .fullnat import rules

LONG = True

CLIENT, CLIENT6 = "172.16.254.10", "2001:db8:254::10"
FAMILIES = ((f"{VIP}", CLIENT, LOCAL), (f"[{VIP6}]", CLIENT6, LOCAL6))
TOLD = "listen {port} proxy_protocol; listen [::]:{port} proxy_protocol; access_log {log};"
TOLD += " set_real_ip_from 0.0.0.0/0; set_real_ip_from ::/0; real_ip_header proxy_protocol;"
PORT = 8080


def run(lab):
    lab.build("distant")
    logs = {name: lab.file(f"access-{name}.log") for name in SERVERS}
    for name in SERVERS:
        start_nginx(lab.host(name), more=TOLD.format(port=PORT, log=logs[name]))
    payload = make_payload(lab)
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(rules(VIP, SERVERS.values(), LOCAL) + rules(VIP6, SERVERS6.values(), LOCAL6))
    director.configure(
        rules(VIP, SERVERS.values(), LOCAL, port=PORT) + rules(VIP6, SERVERS6.values(), LOCAL6, port=PORT)
    )
    by_proxy_protocol(lab, director, logs, payload)
    by_option(lab, director, payload)
    director.ctl("-Ln --stats")
    director.ctl("status")
    director.stop()


def by_proxy_protocol(lab, director, logs, payload):
    client = lab.host("client")
    for version in ("v1", "v2"):
        for vip, own, _ in FAMILIES:
            for log in logs.values():
                log.write_text("")
            director.ctl(f"-E -t {vip}:{PORT} -s rr --proxy-protocol {version}")
            requests(client, f"http://{vip}:{PORT}/", expect={"server1": 5, "server2": 5}, alternate=True)
            # Many requests and answers on one connection: every segment's numbers are moved.
            seen = get(client, f"http://{vip}:{PORT}/client")
            download(client, f"http://{vip}:{PORT}/payload", payload)
            logged = [line.split()[0] for log in logs.values() for line in log.read_text().splitlines()]
            print(f"  PROXY {version} {vip}: nginx logs {len(logged)} requests of {', '.join(sorted(set(logged)))}")
            if len(logged) != 12 or set(logged) != {own} or seen != own:
                raise Failure(f"nginx logs {logged} and tells {seen}, where {own} asked 12 times")


def by_option(lab, director, payload):
    client = lab.host("client")
    for mode in ("ack", "syn"):
        for vip, own, local in FAMILIES:
            director.ctl(f"-E -t {vip}:80 -s rr --toa {mode}")
            told = receive(lab, vip)
            print(f"  TOA {mode} {vip}:\n    " + "\n    ".join(told[:4]))
            words = [line.split() for line in told]
            if not words or any(word[2] != own or word[5] != local for word in words):
                raise Failure(f"the option should tell {own}, of packets from {local}")
            has_opener = any(word[0] == "SYN" for word in words)
            if has_opener != (mode == "syn") or not any("ACK" in word[0] for word in words):
                raise Failure("the option is in the wrong packets")
            # A server that knows nothing of the option notices nothing.
            download(client, f"http://{vip}/payload", payload)


def receive(lab, vip):
    """What the receiver on both servers prints of ten connections; each of their ports is told."""
    client = lab.host("client")
    logs, receivers = [], []
    for name in SERVERS:
        log = lab.file(f"toa-{name}.log")
        log.write_text("")
        logs.append(log)
        receivers.append(
            lab.host(name).start(sys.executable, str(HELPERS / "toa.py"), "eth0", "80", log=log.name)
        )
    until(lambda: all("ready" in log.read_text() for log in logs), "the receivers")
    for log in logs:
        log.write_text("")
    ports = set()
    for _ in range(10):
        done = client.run("curl", "-sS", "--max-time", "5", "-o", "/dev/null", "-w", "%{local_port}", f"http://{vip}/")
        ports.add(done.strip())

    def lines():
        return [line for log in logs for line in log.read_text().splitlines() if "client" in line]

    until(lambda: {line.split()[3] for line in lines()} >= ports, f"the ports {ports} to be told")
    told = lines()
    for receiver in receivers:
        stop(receiver)
    if {line.split()[3] for line in told} != ports:
        raise Failure(f"ports {ports} asked, and the option tells\n" + "\n".join(told))
    return told
