"""While a director is away the tools wait for it, give up in time, and never turn to a kernel."""

import re
import signal
import time

from runner.host import Failure, until

from .refusals import refused

WAIT = "1"
TOOL = ("director-run", "--wait", WAIT, "ipvsadm")
SERVICE = "10.0.0.1:80"
# A tool that gives up has waited once.
PATIENCE = 4.0


def timed(what, action):
    began = time.monotonic()
    result = action()
    seconds = time.monotonic() - began
    print(f"  {what}: after {seconds:.1f} s")
    if seconds > PATIENCE:
        raise Failure(f"{what} took {seconds:.1f} s")
    return result


def expect_no_kernel(host, what):
    """What a tool does when nobody answers: no option of IP_VS, no netlink of the kernel's, no module."""
    trace = host.lab.file("trace")
    names = "trace=socket,setsockopt,getsockopt,init_module,finit_module"
    host.attempt("strace", "-f", "-o", str(trace), "-e", names, *TOOL, "-A", "-t", SERVICE)
    lines = trace.read_text().splitlines()
    bad = [line for line in lines if re.search(r"SOL_IP\b|NETLINK_GENERIC|_module\(", line)]
    if not any("SOCK_SEQPACKET" in line for line in lines):
        raise Failure(f"{what}: strace saw nothing of director-run:\n" + "\n".join(lines))
    if bad:
        raise Failure(f"{what}: ipvsadm turns to the kernel:\n" + "\n".join(bad))
    print(f"  {what}: ipvsadm asks the kernel nothing")


def expect_services(director, count, what):
    found = director.ctl("-Sn", show=False).count("-A ")
    if found != count:
        raise Failure(f"{what}: the table has {found} services and not {count}")


def run(lab):
    lab.build("routed")
    host = lab.host("director")
    says = ["no director answers", "can't initialize ipvs"]
    timed("no director yet", lambda: refused(host, *TOOL, "-A", "-t", SERVICE, says=says))
    expect_no_kernel(host, "no director yet")
    refused(host, "director-run", "modprobe", "ip_vs", says=["not loading ip_vs"])
    refused(host, "director-run", "--wait", "0.1", "cat", "/proc/net/ip_vs", says=["/proc/net/ip_vs"])

    # Started first, served later.
    early = host.start("director-run", "ipvsadm", "-A", "-t", SERVICE)
    time.sleep(0.5)
    director = lab.director(interfaces=("eth0",))
    if early.wait(timeout=10) != 0:
        raise Failure("ipvsadm did not wait for its director")
    expect_services(director, 1, "what was asked before the director came")

    director.process.send_signal(signal.SIGSTOP)
    timed("a director that hangs", lambda: refused(host, *TOOL, "-C", says=["no director answers"]))
    director.process.send_signal(signal.SIGCONT)
    expect_services(director, 1, "what was given up")
    director.kill()
    timed("a director that was killed", lambda: refused(host, *TOOL, "-Ln", says=says))
    expect_no_kernel(host, "a director that was killed")
    director.start()

    # One tool for all the time: a restore reads its lines while directors come and go.
    restore = host.start("director-run", "ipvsadm", "-R", stdin=-1, text=True, bufsize=1)
    for number in range(1, 7):
        if number % 2 == 0:
            director.kill()
            late = host.start("sleep", "0.4")
        restore.stdin.write(f"-A -t 10.0.0.{number}:80 -s rr\n")
        if number % 2 == 0:
            late.wait(timeout=5)
            director.start()
            address = f"10.0.0.{number}:80"
            until(lambda: address in director.ctl("-Sn", show=False), f"{address}, asked for before the director came back")
    restore.stdin.close()
    if restore.wait(timeout=10) != 0:
        raise Failure("ipvsadm -R lost a line while directors came and went")
    director.stop()
    timed("a director that was ended", lambda: refused(host, *TOOL, "-Ln", says=says))
