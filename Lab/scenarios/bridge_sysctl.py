"""Behind director-run the settings under /proc/sys/net/ipv4/vs are the director's, to read and to write."""

from runner.host import Failure

from .refusals import refused

DIRECTORY = "/proc/sys/net/ipv4/vs"
FILE = f"{DIRECTORY}/am_droprate"
KNOWN = {"conn_reuse_mode", "conntrack", "drop_entry", "expire_nodest_conn", "schedule_icmp", "snat_reroute"}


def behind(host, *words):
    return host.run("director-run", *words, show=True)


def shell(host, script, name="sh"):
    return host.run("director-run", name, "-c", script, show=True)


def expect(director, value, what):
    found = director.ctl("get am_droprate", show=False).split()[-1]
    if found != str(value):
        raise Failure(f"after {what} am_droprate is {found} and not {value}")


def run(lab):
    lab.build("routed")
    director = lab.director(interfaces=("eth0",))
    host = director.host
    if "expire_nodest_conn = 0" not in behind(host, "sysctl", "net.ipv4.vs.expire_nodest_conn"):
        raise Failure("sysctl does not read the director's setting")
    behind(host, "sysctl", "-w", "net.ipv4.vs.expire_nodest_conn=1")
    if director.ctl("get expire_nodest_conn", show=False).split()[-1] != "1":
        raise Failure("sysctl -w does not change the director's setting")

    for number, (name, script) in enumerate(
        [
            ("bash", f"echo 20 > {FILE}"),
            ("dash", f"echo 21 > {FILE}"),
            ("sh", f"/bin/echo 22 > {FILE}"),
            ("sh", f"echo 23 | tee {FILE} > /dev/null"),
            ("sh", f"printf 24 > rule; cp rule {FILE}; rm rule"),
            ("sh", f"exec 5> {FILE}; echo 25 >&5"),
        ],
        20,
    ):
        host.run("director-run", name, "-c", script, show=True, cwd=lab.directory)
        expect(director, number, script)
    behind(host, "python3", "-c", f"open('{FILE}', 'w').write('26')")
    expect(director, 26, "a write of Python's")
    if shell(host, f"cat {FILE}; read value < {FILE}; echo $value; test -w {FILE} && echo writable") != "26\n26\nwritable\n":
        raise Failure("a shell does not read the setting")

    listed = {
        "ls": behind(host, "ls", DIRECTORY).split(),
        "a shell": [path.rpartition("/")[2] for path in shell(host, f"echo {DIRECTORY}/*").split()],
        "sysctl -a": [
            line.split()[0].removeprefix("net.ipv4.vs.")
            for line in host.run("director-run", "sysctl", "-a").splitlines()
            if line.startswith("net.ipv4.vs.")
        ],
    }
    for what, names in listed.items():
        if sorted(names) != sorted(listed["ls"]) or not KNOWN.issubset(names):
            raise Failure(f"{what} shows {sorted(names)}")
    for name in listed["ls"]:
        # Of two numbers a file has a tab between them.
        ours = director.ctl(f"get {name}", show=False).split()
        theirs = host.run("director-run", "cat", f"{DIRECTORY}/{name}").split()
        if ours != theirs:
            raise Failure(f"{name} is {ours} and its file says {theirs}")
    print(f"  {len(listed['ls'])} settings are the same under both names")
    # The host's own settings stay the host's.
    behind(host, "sysctl", "-w", "net.ipv4.ip_forward=1")
    if host.run("cat", "/proc/sys/net/ipv4/ip_forward").strip() != "1":
        raise Failure("sysctl behind director-run does not reach the host's settings")

    setting = "net.ipv4.vs.am_droprate"
    refused(host, "director-run", "sysctl", "-w", f"{setting}=many", says=["invalid argument"])
    refused(host, "director-run", "sysctl", "-w", "net.ipv4.vs.no_such_setting=1", says=["no such file"])
    refused(host, "director-run", "sysctl", "-w", "net.ipv4.vs.drop_entry=9", says=["invalid argument"])
    refused(host, "director-run", "dash", "-c", f"echo many > {FILE}", says=["I/O error"])
    refused(host, "director-run", "sh", "-c", f"/bin/echo many > {FILE}", says=["invalid argument"])
    refused(host, "director-run", "tee", "/proc/net/ip_vs", says=["permission denied"])
    expect(director, 26, "what was refused")
    director.stop()
