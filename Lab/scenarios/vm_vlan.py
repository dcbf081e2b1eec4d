"""VLAN interfaces on a tagged trunk, with every host in a virtual machine: the director serves eth0.10 and eth0.20."""

import os
import shutil

from runner.client import download, requests
from runner.director import Director
from runner.guest import make
from runner.host import Failure, until
from runner.servers import start_nginx

from .nat import RULES, VIP

EVEN = {"server1": 4, "server2": 4}


def vlan(number, *addresses):
    """Commands of a machine whose only card carries frames with this tag."""
    lines = ["modprobe -d /run/modules 8021q", "ip link set eth0 up"]
    lines += [f"ip link add link eth0 name eth0.{number} type vlan id {number}", f"ip link set eth0.{number} up"]
    return "\n".join([*lines, *(f"ip address add {address} dev eth0.{number}" for address in addresses)])


def machine(number, *addresses, gateway=None):
    route = f"\nip route add default via {gateway}" if gateway else ""
    return {"bridges": ["trunk"], "network": vlan(number, *addresses) + route}


def build(lab):
    """One cable to each machine; clients are on VLAN 10, servers on VLAN 20, the director on both."""
    both = vlan(10, "172.16.254.8/24", f"{VIP}/32") + "\n" + vlan(20, "192.168.0.8/24")
    both += "\nsysctl -qw net.ipv4.ip_forward=1"
    make(
        lab,
        ["trunk"],
        {
            "director": {"bridges": ["trunk"], "network": both, "memory": "512M"},
            "client": machine(10, "172.16.254.10/24"),
            "server1": machine(20, "192.168.0.18/24", gateway="192.168.0.8"),
            "server2": machine(20, "192.168.0.28/24", gateway="192.168.0.8"),
        },
    )


def serve(lab, payload, interfaces, served):
    """One director: what it serves, ten pages and a file."""
    host, client = lab.host("director"), lab.host("client")
    director = Director(host, interfaces=interfaces, options=("--connections", "10000"))
    lab.directors.append(director)
    director.start()
    director.configure(RULES)
    requests(client, f"http://{VIP}/", count=8, expect=EVEN, alternate=True)
    download(client, f"http://{VIP}/payload", payload)
    status = director.ctl("status")
    for name in ("eth0", "eth0.10", "eth0.20"):
        if (f"\n{name}: " in status) is not (name in served):
            raise Failure(f"{name} is {'not ' if name in served else ''}served")
    # A trunk that is served beside its VLANs leaves their frames to them.
    if "eth0" in served and " 0 frames, " not in status.split("\neth0: ")[1].split("\n")[1]:
        raise Failure("frames of the VLANs were taken from the trunk, too")
    host.run("pkill", "-x", "director")
    until(lambda: director.process.poll() is not None, "the director to end")


def run(lab):
    build(lab)
    # The machine sees this directory and not the one that the programs were built in.
    for program in ("director", "directorctl"):
        copy = shutil.copy(shutil.which(program, path=lab.path), lab.directory)
        lab.host("director").run("ln", "-s", copy, "/usr/local/bin")
    for name in ("server1", "server2"):
        start_nginx(lab.host(name))
    payload = lab.file("payload")
    payload.write_bytes(os.urandom(2_000_000))
    vlans = ("eth0.10", "eth0.20")
    serve(lab, payload, vlans, vlans)
    serve(lab, payload, ("eth0", *vlans), ("eth0", *vlans))
    serve(lab, payload, (), ("eth0", *vlans))
