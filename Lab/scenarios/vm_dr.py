"""Direct routing with every host in a virtual machine of its own."""

from runner.client import requests
from runner.files import write
from runner.guest import make
from runner.host import Failure, until
from runner.keepalived import configuration
from runner.servers import quiet_about_vip, start_nginx
from topologies.switched import HOSTS, VIP

from .dr import RULES
from .vm_nat import EVEN, director_machine, set_up


def build(lab):
    """Client, director and two servers on one segment; the director has the VIP."""
    members = {}
    for name in ("client", "server1", "server2", "director"):
        network = f"ip address add {HOSTS[name]}/24 dev eth0\nip link set eth0 up"
        members[name] = {"bridges": ["segment"], "network": network}
    members["director"] = director_machine(["segment"], f"{network}\nip address add {VIP}/32 dev eth0")
    make(lab, ["segment"], members)


def commands(rules):
    """What the README says for NAT, with these rules."""
    lines = "\n".join(line.strip() for line in rules.strip().splitlines())
    return f"""
apt-get install -y ./swift-lvs_*.deb ./swift-lvs-ipvsadm_*.deb
cat >> /etc/director.rules <<'END'
{lines}
END
systemctl reload director
"""


def run(lab):
    build(lab)
    for name in ("server1", "server2"):
        quiet_about_vip(lab.host(name), VIP, "lo")
        start_nginx(lab.host(name))
    set_up(lab, lab.host("director"), commands(RULES))
    requests(lab.host("client"), f"http://{VIP}/", expect=EVEN, alternate=True)
    director = lab.host("director")
    director.run("ipvsadm", "-Ln", "--stats", show=True)

    # The same by Debian's keepalived and its own service.
    director.run("ipvsadm", "-C", show=True)
    servers = [HOSTS["server1"], HOSTS["server2"]]
    write(director, "/etc/keepalived/keepalived.conf", configuration("MASTER", "DR", VIP, servers))
    director.run("systemctl", "start", "keepalived", show=True)
    listed = lambda: director.run("ipvsadm", "-Sn")
    until(lambda: all(f"-r {address}:80 -g" in listed() for address in servers), "keepalived to name the servers")
    director.run("systemctl", "status", "keepalived", "--no-pager", "-n", "3", show=True)
    requests(lab.host("client"), f"http://{VIP}/", expect=EVEN, alternate=True)
    director.run("systemctl", "stop", "keepalived", show=True)
    if listed():
        raise Failure(f"keepalived has ended and left its services:\n{listed()}")
