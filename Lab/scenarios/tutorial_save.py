"""Tables saved to files, cleared and restored: by ipvsadm, by its companions, and by the service ipvsadm."""

from runner.files import director_of_instructions, type_in, write
from runner.host import Failure

VIP = "172.16.254.200"
TABLE = f"""
    ipvsadm -A -t {VIP}:80 -s wrr
    ipvsadm -a -t {VIP}:80 -r 192.168.0.18:80 -m -w 1
    ipvsadm -a -t {VIP}:80 -r 192.168.0.28:80 -m -w 2
    ipvsadm -A -t {VIP}:0 -s rr -p 1800
    ipvsadm -a -t {VIP}:0 -r 192.168.0.18 -g
    ipvsadm -A -f 10 -s sh
    ipvsadm -a -f 10 -r 192.168.0.68 -i
"""
EMPTY = 3
SYSCONFIG = "/etc/sysconfig/ipvsadm"
DEBIAN = "/etc/ipvsadm.rules"


def run(lab):
    lab.build("routed")
    host = director_of_instructions(lab)
    director = lab.director(interfaces=("eth0", "eth1"))

    def listed():
        return host.run("ipvsadm", "-ln")

    def expect(text, what):
        if listed() != text:
            raise Failure(f"after {what} the table is\n{listed()}and should be\n{text}")

    def expect_empty(what):
        if len(listed().splitlines()) != EMPTY:
            raise Failure(f"after {what} the table is not empty:\n{listed()}")

    type_in(host, TABLE)
    full = listed()
    print(full)
    for save, restore in (
        ("ipvsadm -Sn > /root/table", "ipvsadm -R < /root/table"),
        ("ipvsadm-save -n > /root/table", "ipvsadm-restore < /root/table"),
    ):
        type_in(host, f"{save}\nipvsadm -C")
        expect_empty("ipvsadm -C")
        type_in(host, restore)
        expect(full, restore)

    said = type_in(host, "service ipvsadm save")
    for path in (SYSCONFIG, DEBIAN):
        if path not in said or "-A -f 10 -s sh" not in host.run("cat", path):
            raise Failure(f"service ipvsadm save does not say or write {path}: {said}")
    type_in(host, "service ipvsadm stop")
    expect_empty("service ipvsadm stop")
    for command in ("service ipvsadm start", "service ipvsadm restart", "/etc/init.d/ipvsadm restart", "service ipvsadm load"):
        type_in(host, f"ipvsadm -C\n{command}")
        expect(full, command)
    if type_in(host, "service ipvsadm status") != full:
        raise Failure("service ipvsadm status shows another table than ipvsadm -ln")

    # Whichever file was edited last is the one that counts.
    host.run("touch", "-d", "1 minute ago", DEBIAN)
    type_in(host, f"sed -i '/-f 10/d' {SYSCONFIG}\nservice ipvsadm restart")
    if "FWM" in listed() or f"{VIP}:80 wrr" not in listed():
        raise Failure(f"the edited {SYSCONFIG} is not what was loaded:\n{listed()}")
    # A file with a mistake changes nothing.
    before = listed()
    write(host, SYSCONFIG, f"-A -t {VIP}:90 -s rr\n-a -t {VIP}:90 -r 999.1.1.1 -m\n")
    refused = host.attempt("service", "ipvsadm", "restart")
    print(f"  {refused.stderr.strip()}")
    if refused.returncode == 0 or SYSCONFIG not in refused.stderr:
        raise Failure(f"a wrong file is loaded with status {refused.returncode}: {refused.stderr}")
    expect(before, "a refused file")
    director.stop()
    refused = host.attempt("service", "ipvsadm", "save")
    if refused.returncode == 0 or "nothing was written" not in refused.stderr:
        raise Failure(f"saving without a director ends with {refused.returncode}: {refused.stderr}")
