"""The packages: made twice to the same bytes, installed, used by their units, removed without a trace."""

import subprocess

from runner.client import KeepAlive, digest, requests
from runner.files import own_files, write
from runner.host import Failure, until
from runner.keepalived import configuration
from runner.packages import make
from runner.service import Service
from runner.servers import start_nginx

from .nat import RULES, VIP

SERVERS = ["192.168.0.18", "192.168.0.28"]
OURS = ("swift-lvs-ipvsadm", "swift-lvs")


def files(host):
    """Every file of the host with type, mode, size and target, but for what dpkg and others keep of their own work."""
    left_out = ["var/cache", "var/log", "var/lib/dpkg", "var/lib/lvs-lab", "var/lib/apt"]
    prune = " -o ".join(f"-path {path}" for path in left_out)
    command = f"cd / && find etc usr var -xdev \\( {prune} \\) -prune -o -type d -printf '%p/ %m\\n' -o -printf '%p %y %m %s %l\\n'"
    return set(host.run("sh", "-c", command, timeout=120).splitlines())


def state(host, package):
    return host.attempt("dpkg-query", "-W", "-f", "${db:Status-Status}", package).stdout or "not-installed"


def run(lab):
    lab.build("routed")
    host = lab.host("director")
    for name in ("server1", "server2"):
        start_nginx(lab.host(name))
    packages = make(lab, lab.file("packages"))
    again = make(lab, lab.file("packages-again"))
    for name, path in packages.items():
        if digest(path) != digest(again[name]):
            raise Failure(f"{path.name} made twice of the same programs differs")
    paths = [str(path) for path in packages.values()]
    found = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", *paths], capture_output=True, text=True)
    print("  lintian:", found.stdout.strip() or "nothing to complain about")
    if found.returncode != 0:
        raise Failure(f"lintian finds errors:\n{found.stdout}{found.stderr}")

    own_files(host)
    # What an index of manual pages takes is of no interest here.
    host.run("rm", "-f", "/var/lib/man-db/auto-update")
    replaced = state(host, "ipvsadm") == "installed"
    install(host, paths)
    if state(host, "ipvsadm") == "installed":
        raise Failure("Debian's ipvsadm is installed beside ours")
    print(f"  Debian's ipvsadm was {'replaced' if replaced else 'not there'}")
    host.run("dpkg", "--purge", *OURS, "ipvsadm")
    before = files(host)

    install(host, paths)
    check_installed(host)
    use(lab, host)
    host.run("dpkg", "--remove", *OURS, show=True)
    for path in ("/etc/director.rules", "/etc/ipvsadm.rules"):
        host.run("test", "-f", path)
    host.run("dpkg", "--purge", *OURS, show=True)
    after = files(host)
    if before != after:
        raise Failure(f"left behind: {sorted(after - before)}\ngone: {sorted(before - after)}")
    print(f"  {len(after)} files on the system are what they were")


def install(host, paths):
    host.run("dpkg", "-i", *paths, show=True, timeout=120)


def check_installed(host):
    """What was installed is whole, finds its libraries and is understood by systemd."""
    changed = host.run("dpkg", "-V", *OURS)
    if changed:
        raise Failure(f"files are not as they were packed:\n{changed}")
    for program in ("/usr/sbin/director", "/usr/sbin/directorctl", "/usr/sbin/director-run"):
        needed = host.run("ldd", program)
        if "not found" in needed or "swift" in needed:
            raise Failure(f"{program} needs what Debian does not have:\n{needed}")
    for program in ("/sbin/ipvsadm", "/sbin/ipvsadm-save", "/sbin/ipvsadm-restore"):
        if host.run("dpkg", "-S", program).split(":")[0] != "swift-lvs-ipvsadm":
            raise Failure(f"{program} is not ours")
    for page in ("director", "directorctl", "director-run", "ipvsadm", "ipvsadm-save", "ipvsadm-restore"):
        host.run("sh", "-c", 'zcat "$1" | grep -q "^[.]TH"', "sh", f"/usr/share/man/man8/{page}.8.gz")
    completions = "/usr/share/bash-completion/completions"
    host.run("bash", "-c", f". {completions}/ipvsadm && complete -p ipvsadm directorctl")
    units = [f"/lib/systemd/system/{name}.service" for name in ("director", "ipvsadm", "keepalived")]
    said = host.attempt("systemd-analyze", "verify", "--man=no", *units)
    if said.returncode != 0 or said.stderr.strip():
        raise Failure(f"systemd-analyze verify: {said.stderr}")


def use(lab, host):
    """The services as an operator meets them, over restarts and a power failure."""
    client, url = lab.host("client"), f"http://{VIP}/"
    even = {"server1": 5, "server2": 5}
    host.set(ip_forward=1)
    director = Service(host, "director")
    director.start()
    host.run("sh", "-c", "cat >> /etc/director.rules", input=RULES)
    director.reload()
    until(lambda: len(table(host)) == 3, "the rules of /etc/director.rules to be served")
    requests(client, url, expect=even)

    director.stop()
    director.start()
    expect(host, "a restart", 3)
    requests(client, url, expect=even)

    # The process is killed, as the kernel does when memory is short.
    held = KeepAlive(client, VIP)
    owner = held.get()
    director.lose()
    director.start()
    if held.get() != owner:
        raise Failure("an open connection did not outlast a kill of the service")
    held.close()
    print("  an open connection outlasts a kill of the service")

    # By hand, and then the power fails: nothing is left but what is on the disk.
    host.run(*f"ipvsadm -a -t {VIP}:80 -r 192.168.0.68:80 -m -w 0".split(), show=True)
    host.run("service", "ipvsadm", "save", show=True)
    until(lambda: "192.168.0.68" in host.attempt("cat", "/var/lib/director/state").stdout, "the state file")
    director.lose()
    host.run("rm", "-rf", "/run/director")
    host.run("nft", "flush", "ruleset")
    director.start()
    expect(host, "a power failure", 4)
    requests(client, url, expect=even)

    # The saved table, by the unit of the service ipvsadm.
    saved = Service(host, "ipvsadm")
    saved.once("ExecStop")
    expect(host, "systemctl stop ipvsadm", 0)
    saved.once("ExecStart")
    expect(host, "systemctl start ipvsadm", 4)
    requests(client, url, expect=even)
    host.run("ipvsadm", "-ln", show=True)

    # Debian's keepalived, whose unit ours is dropped into.
    host.run("ipvsadm", "-C")
    write(host, "/etc/keepalived/keepalived.conf", configuration("MASTER", "NAT", VIP, SERVERS))
    keepalived = Service(host, "keepalived")
    keepalived.start(ready=lambda: len(table(host)) == 3)
    requests(client, url, expect=even)
    keepalived.stop()
    expect(host, "systemctl stop keepalived", 0)
    host.run("rm", "/etc/keepalived/keepalived.conf")
    director.stop()


def table(host):
    return host.run("ipvsadm", "-Sn").splitlines()


def expect(host, what, lines):
    found = table(host)
    if len(found) != lines:
        raise Failure(f"after {what} the table has {len(found)} lines, not {lines}:\n" + "\n".join(found))
