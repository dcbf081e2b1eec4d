"""Files of a host's own: a copy of this machine's file system whose changes nobody else sees."""

from .host import Failure, until
from .lab import ROOT

# Overlay of the machine's root with the changes in memory. Everything is mounted in a name space that goes with
# this script's process. What may lie on other file systems is bound into the copy: overlays do not follow mounts.
HOLD = """
set -eu
own=$1
shift
mount -t tmpfs -o mode=755 own "$own"
mkdir "$own/changes" "$own/work" "$own/root"
mount -t overlay -o "lowerdir=/,upperdir=$own/changes,workdir=$own/work" own "$own/root"
mount --rbind /dev "$own/root/dev"
mount --rbind /sys "$own/root/sys"
mount -t proc proc "$own/root/proc"
mount -t tmpfs -o mode=755 run "$own/root/run"
mount -t tmpfs -o mode=1777 tmp "$own/root/tmp"
mkdir -p "$own/root/run/lock"
for place in "$@"; do
    mkdir -p "$own/root$place"
    mount --bind "$place" "$own/root$place"
done
: > "$own/ready"
exec sleep infinity
"""


def own_files(host):
    """From now on everything on the host runs on a copy of this machine's files."""
    lab = host.lab
    root = lab.file(f"root-{host.name}")
    root.mkdir()
    script = lab.file("own-files.sh")
    script.write_text(HOLD)
    places = sorted({str(ROOT), str(lab.directory), *lab.binaries})
    keeper = host.start(
        *("unshare", "--mount", "--propagation", "private"),
        *("sh", str(script), str(root), *places),
        log=f"{host.name}-files.log",
    )

    def is_ready():
        if keeper.poll() is not None:
            said = lab.file(f"{host.name}-files.log").read_text()
            raise Failure(f"{host.name} gets no files of its own: {said}")
        return host.attempt("nsenter", "-t", str(keeper.pid), "-m", "test", "-e", f"{root}/ready").returncode == 0

    until(is_ready, f"the files of {host.name}")
    host.live_in(keeper.pid, f"{root}/root")


def write(host, path, text):
    """Writes a file on the host, as an editor would."""
    host.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1"', "sh", path, input=text)


def answer_for_ipvsadm(host):
    """Puts what the package swift-lvs-ipvsadm brings on a host with files of its own."""
    packaging = ROOT / "Lab" / "packaging"
    host.run("sh", "-c", 'ln -sf "$(command -v directorctl)" /sbin/ipvsadm')
    host.run("install", str(packaging / "ipvsadm-save"), str(packaging / "ipvsadm-restore"), "/sbin")
    host.run("install", "-D", "-t", "/usr/lib/swift-lvs", str(packaging / "ipvsadm-service"))
    host.run("install", "-T", str(packaging / "debian/swift-lvs-ipvsadm.ipvsadm.init"), "/etc/init.d/ipvsadm")
    host.run("rm", "-f", "/etc/ipvsadm.rules", "/etc/sysconfig/ipvsadm", "/etc/default/ipvsadm")


def director_of_instructions(lab):
    """The lab's director as a host on which `ipvsadm` is ours, and which may be changed as instructions say."""
    host = lab.host("director")
    own_files(host)
    answer_for_ipvsadm(host)
    return host


def script(host, path, text, expected=""):
    """Writes a script on the host and runs it by bash, as instructions say; nothing but `expected` may go wrong in it."""
    write(host, path, text)
    done = host.attempt("bash", path, show=True)
    if done.returncode != 0 or done.stderr.strip() != expected:
        raise Failure(f"{host.name}: {path} ends with status {done.returncode} and says:\n{done.stderr}")


def type_in(host, text):
    """Gives every line of a text to a shell on the host, one after another; returns what all printed."""
    return "".join(
        host.run("bash", "-c", line.strip(), show=True) for line in text.strip().splitlines() if line.strip()
    )
