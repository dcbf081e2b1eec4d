"""NAT with every host in a virtual machine; the director's is set up as the README says, and loses power."""

import shutil
import sys

from runner import packages
from runner.client import HELPERS, requests
from runner.guest import make
from runner.host import Failure, until
from runner.servers import start_nginx

from .nat import VIP
from .readme import blocks

EVEN = {"server1": 5, "server2": 5}
ROUTER = f"""
    ip address add {VIP}/24 dev eth0
    ip address add 192.168.0.8/24 dev eth1
    ip link set eth0 up
    ip link set eth1 up
    sysctl -qw net.ipv4.ip_forward=1
"""


def server(address):
    return f"""
        ip address add {address}/24 dev eth0
        ip link set eth0 up
        ip route add default via 192.168.0.8
    """


def run(lab):
    make(
        lab,
        ["outside", "inside"],
        {
            "director": director_machine(["outside", "inside"], ROUTER),
            "client": {
                "bridges": ["outside"],
                "network": "ip address add 172.16.254.10/24 dev eth0\nip link set eth0 up",
            },
            "server1": {"bridges": ["inside"], "network": server("192.168.0.18")},
            "server2": {"bridges": ["inside"], "network": server("192.168.0.28")},
        },
    )
    client, director = lab.host("client"), lab.host("director")
    for name in ("server1", "server2"):
        start_nginx(lab.host(name))
    set_up(lab, director, "".join(blocks()["machine"]))
    requests(client, f"http://{VIP}/", expect=EVEN, alternate=True)
    director.run("ipvsadm", "-Ln", "--stats", show=True)
    if "ingress block: " not in director.run("directorctl", "status", show=True):
        raise Failure("the machine's own stack is not kept away from served packets")

    goes_on(client, director)

    # What `service ipvsadm save` of the README has kept, by systemd's own ways.
    for command in ("service ipvsadm start", "service ipvsadm restart", "systemctl reload ipvsadm"):
        director.run("ipvsadm", "-C")
        director.run(*command.split(), show=True)
        requests(client, f"http://{VIP}/", count=2, expect={"server1": 1, "server2": 1})
    director.run("service", "ipvsadm", "stop", show=True)
    if director.run("ipvsadm", "-Sn"):
        raise Failure("service ipvsadm stop leaves services in the table")
    director.run("service", "ipvsadm", "load", show=True)

    # The operator's own files have been there for a while; the director looks after its own itself.
    director.run("sync")
    director.run(*f"ipvsadm -d -t {VIP}:80 -r 192.168.0.28:80".split(), show=True)
    until(lambda: kept_servers(director) == ["192.168.0.18"], "the state file to have the change")
    print("  the director's machine loses power and starts again")
    director.cut_power()
    director.boot()
    director.await_boot()
    await_service(director)
    requests(client, f"http://{VIP}/", count=4, expect={"server1": 4})


def goes_on(client, director):
    """A connection outlives the service's end, in good order and by a kill, as systemd brings it back."""
    helper = shutil.copy(HELPERS / "keep_alive.py", client.directory)
    client.run("touch", "/tmp/wanted")
    client.start("sh", "-c", f"tail -n +1 -f /tmp/wanted | exec {sys.executable} -u {helper} {VIP}", log="held")
    answers = lambda: client.lab.file("held").read_text().split("\n")[:-1]

    def ask(what):
        before = len(answers())
        client.run("sh", "-c", "echo / >> /tmp/wanted")
        until(lambda: len(answers()) > before, f"an answer on the open connection {what}", 20)
        if set(answers()) - {"ok server1"} and set(answers()) - {"ok server2"}:
            raise Failure(f"an open connection {what}: {answers()}")

    ask("at first")
    for command in ("systemctl restart director", "systemctl kill -s KILL director"):
        director.run(*command.split(), show=True)
        until(lambda: director.attempt("directorctl", "-Ln").returncode == 0, "the service director", 20)
        ask(f"after {command}")
    taken = [line for line in journal(director).splitlines() if "taken over" in line]
    print("\n".join(f"  {line.split('director: ', 1)[-1]}" for line in taken))
    if len(taken) != 2:
        raise Failure(f"the table was not taken over twice:\n{journal(director)}")
    print(f"  one connection went on: {', '.join(answers())}")


def director_machine(bridges, network):
    """A machine with systemd whose files outlast it."""
    return {"bridges": bridges, "network": network, "systemd": True, "disk": True, "memory": "512M"}


def set_up(lab, director, commands):
    """Gives an operator's commands to the director's machine, in a directory with the packages."""
    # The checkout may lie where the machine has a directory of its own, /tmp for one.
    place = lab.file("packages")
    place.mkdir()
    for path in packages.ready(lab).values():
        shutil.copy(path, place)
    director.run("sh", "-c", 'printf "%s" "$1" > /root/commands', "sh", commands)
    done = director.attempt("sh", "-c", f"cd {place} && exec bash -ev /root/commands 2>&1", timeout=240)
    print(done.stdout)
    if done.returncode != 0:
        raise Failure(f"the director's machine: a command ends with status {done.returncode}: {done.stderr}")
    await_service(director)


def kept_servers(director):
    """Addresses of the servers in the state file of the director's service."""
    lines = [line.split() for line in director.run("cat", "/var/lib/director/state").splitlines()]
    return [words[5] for words in lines if words[1] == "server"]


def await_service(director):
    """The service runs, as systemd knows it, and answers."""
    is_active = lambda: director.attempt("systemctl", "is-active", "director").stdout.strip() == "active"
    try:
        until(is_active, "the service director", 30)
    except Failure:
        raise Failure(f"the service director does not run:\n{journal(director)}") from None
    director.run("systemctl", "status", "director", "--no-pager", "-n", "3", show=True)
    director.run("ipvsadm", "-ln", show=True)


def journal(director):
    """What the service said since its machine started."""
    return director.attempt("journalctl", "-b", "-u", "director", "--no-pager").stdout
