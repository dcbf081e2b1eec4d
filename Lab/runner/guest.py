"""Guests: virtual machines as hosts of a lab, each a Linux of its own in User-Mode Linux."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import types

from .host import Failure, Host, Skip, until
from .lab import ROOT

PROGRAM = "linux.uml"
MODULES = "/usr/lib/uml/modules"
BOOT_SECONDS = 90

# The first program of a guest. Below everything are the files of the machine outside, read only; changes go to memory,
# or to the guest's own disk, which outlasts it. Then the guest's real first program takes over.
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /run/modules/lib
ln -s {modules} /run/modules/lib/modules
modprobe -d /run/modules overlay
if [ -n "{disk}" ]; then mount -t ext4 /dev/ubda /mnt; else mount -t tmpfs own /mnt; fi
mkdir -p /mnt/changes /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/work own /mnt/root
mount -t devtmpfs dev /mnt/root/dev
umount /run
exec switch_root /mnt/root /bin/sh {second}
"""

# Then, on files of the guest's own. Modules of this kernel are where the kernel itself looks for them, too.
SECOND = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=1777 tmp /tmp
mkdir -p /run/modules/lib {directory}
ln -s {modules} /run/modules/lib/modules
printf '#!/bin/sh\\nexec /sbin/modprobe -d /run/modules "$@"\\n' > /run/modules/load
chmod 755 /run/modules/load
echo /run/modules/load > /proc/sys/kernel/modprobe
mount -t hostfs none {directory} -o {directory}
hostname {name}
ip link set lo up
number=0
while ip link set vec$number name eth$number 2> /dev/null; do number=$((number + 1)); done
{network}
{last}
"""

AGENT = "{python} {helper} {jobs}"

# A guest with systemd is an ordinary Debian, but for services that the machine outside happens to start, and for those
# that wait for hardware. What runs here at a second start, from the guest's own disk, finds most of it done.
UNIT = """[Unit]
Description=Does the lab's jobs
DefaultDependencies=no
After=sysinit.target

[Service]
ExecStart={agent}

[Install]
WantedBy=multi-user.target
"""
WANTED = "director.service ipvsadm.service lab-agent.service dbus.service"
SYSTEMD = """
for unit in /etc/systemd/system/*.wants/*.service /etc/systemd/system/*.wants/*.timer /etc/rc[2-5].d/S*; do
    name=${{unit##*/}}
    case " {wanted} " in *" $name "*) ;; *) rm -f "$unit" ;; esac
done
for name in systemd-logind systemd-udevd systemd-udev-trigger systemd-udev-settle getty@tty1 console-getty systemd-timesyncd; do
    ln -sf /dev/null /etc/systemd/system/$name.service
done
rm -f /usr/sbin/policy-rc.d
[ -s /etc/machine-id ] || echo {identity} > /etc/machine-id
cp {unit} /etc/systemd/system/lab-agent.service
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -sf ../lab-agent.service /etc/systemd/system/multi-user.target.wants/lab-agent.service
exec /lib/systemd/systemd --system --unit=multi-user.target
"""


@functools.cache
def obstacle():
    """Why there can be no guests here, or None; finding out takes one boot."""
    from kernel import uml

    if not os.path.exists("/lib/systemd/systemd"):
        return "there is no systemd (Debian package systemd)"
    return uml.obstacle()


class Guest(Host):
    """A virtual machine whose cards are taps of a host that is its switch; `network` are its commands at each boot."""

    def __init__(self, lab, name, switch, bridges, *, network="", systemd=False, disk=False, memory="256M"):
        super().__init__(lab, name)
        self.switch = switch
        self.bridges = bridges
        self.network = "\n".join(line.strip() for line in network.splitlines())
        self.systemd = systemd
        self.disk = lab.file(f"{name}.disk") if disk else None
        self.memory = memory
        self.directory = lab.file(f"guest-{name}")
        self.jobs = 0
        self.process = None

    def create(self):
        self.directory.mkdir()
        if self.disk:
            with open(self.disk, "wb") as disk:
                disk.truncate(1 << 29)
            made = subprocess.run(["mkfs.ext4", "-q", "-F", self.disk], capture_output=True, text=True)
            if made.returncode != 0:
                raise Failure(f"mkfs.ext4: {made.stderr}")
        for number, bridge in enumerate(self.bridges):
            tap = f"{self.name}-{number}"
            self.switch.run("ip", "tuntap", "add", "dev", tap, "mode", "tap")
            self.switch.run("ip", "link", "set", tap, "master", bridge, "up")
        self.write_programs()
        self.boot()

    def write_programs(self):
        # The checkout itself may lie where the guest has a directory of its own, /tmp for one.
        helper = shutil.copy(ROOT / "Lab/runner/helpers/guest.py", self.directory / "agent.py")
        agent = AGENT.format(python=os.path.realpath(sys.executable), helper=helper, jobs=self.directory)
        last = f"exec {agent}"
        if self.systemd:
            unit = self.directory / "lab-agent.service"
            unit.write_text(UNIT.format(agent=agent))
            last = SYSTEMD.format(wanted=WANTED, unit=unit, identity=os.urandom(16).hex())
        second = self.directory / "second"
        second.write_text(
            SECOND.format(
                modules=MODULES, directory=self.lab.directory, name=self.name, network=self.network, last=last
            )
        )
        init = self.directory / "init"
        init.write_text(INIT.format(modules=MODULES, disk=self.disk or "", second=second))
        init.chmod(0o755)

    def boot(self):
        """Switches the machine on; `await_boot` waits for it, so that several can start at once."""
        (self.directory / "ready").unlink(missing_ok=True)
        cards = [
            f"vec{number}:transport=tap,ifname={self.name}-{number},depth=128,mac=52:54:{self.hardware()}:{number:02x}"
            for number in range(len(self.bridges))
        ]
        disk = [f"ubd0={self.disk}"] if self.disk else []
        memory = "/dev/shm" if os.path.isdir("/dev/shm") else "/tmp"
        self.process = self.switch.start(
            *("env", f"TMPDIR={memory}", PROGRAM, f"mem={self.memory}", "rootfstype=hostfs", "rootflags=/", "ro"),
            *(f"init={self.directory}/init", "con=null", "con0=null,fd:1", "quiet"),
            *(f"uml_dir={self.directory}", "umid=machine", *cards, *disk),
            log=f"{self.name}-console.log",
        )

    def hardware(self):
        """Three bytes of a hardware address that follow from the name."""
        digest = sum(ord(letter) * 251**place for place, letter in enumerate(self.name)) & 0xFFFFFF
        return ":".join(f"{digest >> shift & 255:02x}" for shift in (16, 8, 0))

    def await_boot(self):
        def is_up():
            if self.process.poll() is not None:
                raise Failure(f"the machine {self.name} ended while it started:\n{self.console()}")
            return (self.directory / "ready").exists()

        try:
            until(is_up, f"the machine {self.name} to start", BOOT_SECONDS)
        except Failure as failure:
            raise Failure(f"{failure}; it said:\n{self.console()}") from None

    def console(self):
        return self.lab.file(f"{self.name}-console.log").read_text(errors="replace")[-3000:]

    def cut_power(self):
        """Switches the machine off without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    # Commands

    def ask(self, job, seconds):
        """Hands a job in and waits for its answer."""
        self.jobs += 1
        part = self.directory / "job.part"
        part.write_text(json.dumps(job), encoding="utf-8")
        part.rename(self.directory / f"{self.jobs}.job")
        path = self.directory / f"{self.jobs}.answer"

        def answered():
            if self.process.poll() is not None:
                raise Failure(f"the machine {self.name} is down:\n{self.console()}")
            return path.exists()

        until(answered, f"an answer of the machine {self.name} to {job}", seconds)
        return json.loads(path.read_text(encoding="utf-8"))

    def attempt(self, *argv, show=False, timeout=60, input=None):
        if show:
            self.say(argv)
        answer = self.ask({"kind": "run", "argv": argv, "input": input or "", "timeout": timeout}, timeout + 10)
        if answer.get("late"):
            raise Failure(f"{self.name}: no end after {timeout} s: {' '.join(argv)}")
        if show and answer["out"]:
            print(answer["out"], end="")
        return types.SimpleNamespace(returncode=answer["status"], stdout=answer["out"], stderr=answer["err"])

    def start(self, *argv, log):
        answer = self.ask({"kind": "start", "argv": argv, "log": str(self.lab.file(log))}, 20)
        if "process" not in answer:
            raise Failure(f"{self.name}: {' '.join(argv)}: {answer['err']}")
        process = answer["process"]
        return types.SimpleNamespace(poll=lambda: self.ask({"kind": "status", "process": process}, 20)["status"])

    def processes(self):
        return [self.process.pid] if self.process and self.process.poll() is None else []

    def destroy(self):
        """Power off; the taps go with the switch."""
        if self.processes():
            self.cut_power()


class KernelDirector:
    """The kernel's IPVS of a guest, with the words of a director of ours."""

    def __init__(self, host):
        self.host = host

    def ctl(self, line, show=True):
        if line == "status":
            return self.host.run("cat", "/proc/net/ip_vs_stats", show=show)
        return self.host.run("ipvsadm", *line.split(), show=show)

    def stop(self):
        self.host.run("ipvsadm", "-C")


def make(lab, bridges, members):
    """Starts guests side by side; `members` gives name and options of each, and `bridges` what they may be joined to."""
    # The runner looks for a lab that stands already by its directory, which is the guests' as well.
    lab.directory.mkdir(parents=True, mode=0o755, exist_ok=True)
    reason = obstacle()
    if reason:
        raise Skip(reason)
    switch = lab.add("switch")
    for bridge in bridges:
        switch.run("ip", "link", "add", "name", bridge, "type", "bridge", "stp_state", "0")
        switch.run("ip", "link", "set", bridge, "up")
    for name, options in members.items():
        guest = Guest(lab, name, switch, **options)
        lab.hosts[name] = guest
        guest.create()
    for name in members:
        lab.host(name).await_boot()
    print(f"  machines: {', '.join(members)}, Linux {lab.host(name).run('uname', '-r').strip()}")
