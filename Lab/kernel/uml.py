"""The reference kernel: User-Mode Linux as an ordinary process, in which an agent (agent.py) plays scenarios."""

import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from runner.host import Failure

PROGRAM = "linux.uml"
MODULES = pathlib.Path("/usr/lib/uml/modules")
PACKAGES = ["user-mode-linux", "ipvsadm", "kmod"]
SCHEDULERS = "rr wrr lc wlc sed nq dh sh lblc lblcr mh fo ovf".split()
WANTED = [
    *("ip_vs", "veth", "ipip", "ip6_tunnel", "sit", "xt_mark", "iptable_mangle", "ip6table_mangle"),
    *("iptable_nat", "ip6table_nat", "xt_nat", "xt_conntrack"),
    *("ip_vs_ftp", "ip_vs_pe_sip", *(f"ip_vs_{name}" for name in SCHEDULERS)),
]

# The root of the machine outside is read only inside; one directory is shared for what comes and goes.
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={lab} LVS_AT_ONCE={at_once}
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs none /run
mkdir -p /run/netns /run/shared /run/modules/lib
mount -t hostfs none /run/shared -o {shared}
ln -s {modules} /run/modules/lib/modules
for name in {wanted}; do modprobe -d /run/modules $name; done
ip link set lo up
echo 1000000 > /proc/sys/net/ipv4/icmp_msgs_per_sec
echo 100000 > /proc/sys/net/ipv4/icmp_msgs_burst
cd /
{python} -m {agent} /run/shared > /run/shared/log 2>&1
echo $? > /run/shared/status
sync
echo o > /proc/sysrq-trigger
sleep 5
"""


def obstacle():
    """Why the reference kernel cannot be used here, or None."""
    for program, package in ((PROGRAM, PACKAGES[0]), ("ipvsadm", PACKAGES[1]), ("modprobe", PACKAGES[2])):
        if not shutil.which(program, path=search_path()):
            return f"there is no {program} (Debian package {package})"
    if not MODULES.is_dir() or not any(MODULES.iterdir()):
        return f"there are no kernel modules in {MODULES} (Debian package {PACKAGES[0]})"
    return trial()


def trial():
    """Boots with nothing to do: a container may forbid what User-Mode Linux needs."""
    try:
        machine = Machine([], pathlib.Path(__file__).resolve().parents[1], 1)
        try:
            deadline = time.monotonic() + 120
            while machine.is_running and time.monotonic() < deadline:
                Ending.check()
                time.sleep(0.05)
            machine.check()
        finally:
            machine.close()
    except (Failure, OSError) as problem:
        return f"{PROGRAM} does not start: {str(problem).splitlines()[-1]}"
    return None


def search_path():
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def release():
    """The version of the reference kernel."""
    told = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return told.stdout.strip()


class Ending:
    """The status to end with, once a signal has asked for an end."""

    status = None

    @classmethod
    def check(cls):
        if cls.status:
            raise SystemExit(cls.status)


class Machine:
    """One boot. Answers appear one after another in a directory."""

    def __init__(self, scenarios, lab, at_once, agent="kernel.agent"):
        self.shared = pathlib.Path(tempfile.mkdtemp(prefix="lvs-kernel-"))
        (self.shared / "answers").mkdir()
        jobs = [scenario.data for scenario in scenarios]
        (self.shared / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
        init = self.shared / "init"
        init.write_text(
            INIT.format(
                lab=shlex.quote(str(lab)),
                at_once=at_once,
                agent=agent,
                shared=shlex.quote(str(self.shared)),
                modules=MODULES,
                wanted=" ".join(WANTED),
                python=shlex.quote(os.path.realpath(sys.executable)),
            ),
            encoding="utf-8",
        )
        init.chmod(0o755)
        self.seen = set()
        with open(self.shared / "console", "wb") as console:
            self.process = subprocess.Popen(
                [
                    *(PROGRAM, "mem=640M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}"),
                    *("con=null", "con0=null,fd:1", "quiet", f"uml_dir={self.shared}", "umid=machine"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env=os.environ | {"TMPDIR": "/dev/shm" if os.path.isdir("/dev/shm") else "/tmp"},
                start_new_session=True,
            )

    def answers(self):
        """Answers that are new since the last look."""
        new = []
        for path in sorted((self.shared / "answers").glob("*.json")):
            if path.name not in self.seen:
                self.seen.add(path.name)
                new.append(json.loads(path.read_text(encoding="utf-8")))
        return new

    @property
    def is_running(self):
        return self.process.poll() is None

    def told(self):
        """What went wrong inside, as far as it could be said."""
        for name in ("log", "console"):
            path = self.shared / name
            text = path.read_text(errors="replace").strip() if path.exists() else ""
            if text:
                return text[-3000:]
        return "nothing"

    def check(self):
        """Complains about a machine that ended badly."""
        status = self.shared / "status"
        if not status.exists() or status.read_text().strip() != "0":
            raise Failure(f"the reference kernel did not get to the end; it said:\n{self.told()}")

    def close(self):
        if self.is_running:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        shutil.rmtree(self.shared, ignore_errors=True)
