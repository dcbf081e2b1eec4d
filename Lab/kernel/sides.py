"""The two sides: kernel IPVS, commanded by ipvsadm, and our director, commanded by directorctl."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess

from runner.host import Failure

from .scenario import KINDS

# From the last packet until ipvsadm sees it counted: the kernel adds up every two seconds.
ESTIMATOR_SECONDS = 2.3


KEEP_OUT = """
table inet keep_out {
    chain arriving {
        type filter hook prerouting priority -400;
        iifname != "lo" drop
    }
}
"""


class Side:
    """What both sides have in common: a stage, and a command that understands ipvsadm's words."""

    def __init__(self, stage):
        self.stage = stage

    def command(self, args, text=None):
        raise NotImplementedError

    def start(self):
        """Gets ready for commands, in pieces: yields the seconds until it wants to be asked again."""
        yield from ()

    def must(self, args, text=None):
        done = self.command(args, text)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise Failure(f"{' '.join(args)}: status {done.returncode}: {said}")
        return done

    def configure(self, setup):
        for name, value in (setup.get("sysctl") or {}).items():
            self.sysctl(name, value)
        if setup.get("timeouts"):
            self.must(["--set", *map(str, setup["timeouts"])])
        self.mark(setup["marks"])
        done = self.must(["-R"], "".join(line + "\n" for line in setup["rules"]))
        # The status is that of the last line.
        if done.stderr.strip():
            raise Failure(f"-R: {done.stderr.strip()}")

    def listing(self, kind):
        done = self.command(KINDS[kind])
        if done.returncode != 0:
            return f"(status {done.returncode}: {done.stderr.strip()})"
        return done.stdout

    def stop(self):
        """Ends what it started."""


class KernelSide(Side):
    """IPVS of the kernel that runs this process."""

    settling = ESTIMATOR_SECONDS

    def command(self, args, text=None):
        return self.stage.space.run(["ipvsadm", *args], text)

    def start(self):
        self.stage.deliver_marked()
        for name, value in (self.stage.setup.get("kernel_sysctl") or {}).items():
            self.sysctl(name, value)
        yield from ()

    def sysctl(self, name, value):
        path = pathlib.Path("/proc/sys", *name.split("."))
        with self.stage.space.entered():
            try:
                path.write_text(f"{value}\n")
            except OSError as error:
                raise Failure(f"{name}={value}: {error.strerror}") from None

    def mark(self, marks):
        for mark in marks:
            tool = "ip6tables-legacy" if is_ipv6(mark) else "iptables-legacy"
            if not shutil.which(tool):
                tool = tool.removesuffix("-legacy")
            self.stage.space.must([tool, "-t", "mangle", "-A", "PREROUTING", *mark_rule(mark)])


class DirectorSide(Side):
    """The director's binary in the stage's name space, on a host that owns the virtual addresses and forwards.

    The host's own stack gets no packet that arrives, unless `on_host`: then what leaves is what both of them sent.
    """

    # It counts at once.
    settling = 0

    def __init__(self, stage, work, path, on_host=False):
        super().__init__(stage)
        self.on_host = on_host
        self.socket = work / f"{stage.number}.socket"
        self.log = work / f"{stage.number}.log"
        self.environment = os.environ | {"PATH": path, "DIRECTOR_CONTROL": str(self.socket)}
        self.process = None

    def start(self):
        if not self.on_host:
            self.stage.space.must(["nft", "-f", "-"], KEEP_OUT)
        words = [word for name in self.stage.names for word in ("--interface", name)]
        program = shutil.which("director", path=self.environment["PATH"])
        if not program:
            raise Failure("there is no director yet: build it with Lab/lab build, or set DIRECTOR_BIN")
        self.socket.unlink(missing_ok=True)
        with self.stage.space.entered(), open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program, *words, "--control", str(self.socket)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
        for _ in range(1000):
            if self.process.poll() is not None:
                raise Failure(f"the director ended with status {self.process.returncode}: {self.told()}")
            if self.answers():
                # As on the stage and in the reference kernel: no limit, unless the scenario sets one.
                self.sysctl("icmp_ratelimit", 0)
                return
            yield 0.01
        raise Failure(f"the director does not answer: {self.told()}")

    def answers(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as knock:
            try:
                knock.connect(str(self.socket))
            except OSError:
                return False
        return True

    def told(self):
        return self.log.read_text(errors="replace").strip()[-2000:] if self.log.exists() else ""

    def command(self, args, text=None):
        program = shutil.which("directorctl", path=self.environment["PATH"])
        return self.stage.space.run(
            [program, "--control", str(self.socket), *args], text, self.environment
        )

    def sysctl(self, name, value):
        self.must(["set", f"{name.removeprefix('net.ipv4.vs.')}={value}"])

    def mark(self, marks):
        for mark in marks:
            self.must(["mark", "-A", *mark_rule(mark)])

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() not in (None, 0):
            raise Failure(f"the director ended with status {self.process.returncode}: {self.told()}")
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure("the director survives SIGTERM") from None
        finally:
            self.socket.unlink(missing_ok=True)


def is_ipv6(mark):
    return mark.get("family") == 6 or ":" in str(mark.get("dst", "")) + str(mark.get("src", ""))


def mark_rule(mark):
    """A mark of a scenario in the words of iptables."""
    words = []
    for key, option in (
        *(("in", "-i"), ("proto", "-p"), ("src", "-s"), ("dst", "-d")),
        *(("sport", "--sport"), ("dport", "--dport")),
    ):
        if mark.get(key) is not None:
            words += [option, str(mark[key])]
    return [*words, "-j", "MARK", "--set-mark", str(mark["mark"])]
