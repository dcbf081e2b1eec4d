"""FULLNAT to servers who know no way to the clients: both families, TCP and UDP; the director owns the local addresses."""

from runner.client import get, requests, who_has
from runner.host import Failure, until
from runner.servers import start_nginx
from topologies.distant import LOCAL, LOCAL6, SERVERS, SERVERS6, VIP, VIP6

from . import udp

EVEN = {"server1": 5, "server2": 5}


def rules(vip, servers, local, port=80, letter="t"):
    """A service, its servers and its local addresses; `vip` and `servers` are plain addresses."""
    def bracketed(address):
        return f"[{address}]" if ":" in address else address

    service = f"-{letter} {bracketed(vip)}:{port}"
    lines = [f"-A {service} -s rr"]
    lines += [f"-a {service} -r {bracketed(address)}:{port} --fullnat -w 1" for address in servers]
    lines += [f"-P {service} -z {local}"] if local else []
    return "\n".join(lines) + "\n"


RULES = rules(VIP, SERVERS.values(), LOCAL) + rules(VIP6, SERVERS6.values(), LOCAL6)


def prepare(lab, options=(), text=RULES, interfaces=("eth0", "eth1"), more=""):
    """The lab with a director of these rules; `more` goes into nginx's configuration."""
    lab.build("distant")
    for name in SERVERS:
        start_nginx(lab.host(name), more=more)
    director = lab.director(interfaces=interfaces, options=options)
    director.configure(text)
    return director


def hardware(host, interface):
    return host.run("cat", f"/sys/class/net/{interface}/address").strip()


def run(lab):
    director = prepare(lab)
    client, host, router = lab.host("client"), lab.host("director"), lab.host("router")
    for vip in (VIP, f"[{VIP6}]"):
        requests(client, f"http://{vip}/", expect=EVEN, alternate=True)
    seen = {get(client, f"http://{vip}/client") for vip in (VIP, f"[{VIP6}]")}
    if seen != {LOCAL, LOCAL6}:
        raise Failure(f"the servers saw {seen} as their clients")
    director.ctl("-Ln")
    director.ctl("-Lnc")
    director.ctl("-G")

    answered(router, host, director)
    datagrams(lab, director)
    no_way_by_nat(client, director)
    withdrawn(router, client, director)
    director.stop()
    if who_has(router, LOCAL):
        raise Failure("somebody answers for a local address of a director that has ended")


def answered(router, host, director):
    """The director says that it has the address, and tells everybody when it gets one."""
    own = hardware(host, "eth1")
    if set(who_has(router, LOCAL)) != {own}:
        raise Failure(f"{LOCAL} is not answered for by {own}")
    # A station that knew the address elsewhere hears of the change.
    fourth, sixth = "192.168.0.101", "2001:db8:168::101"
    for address in (fourth, sixth):
        router.run("ip", "neighbour", "replace", address, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "stale")
    director.ctl(f"-P -t {VIP}:80 -z {fourth}")
    director.ctl(f"-P -t [{VIP6}]:80 -z {sixth}")
    for address in (fourth, sixth):
        until(
            lambda: own in router.run("ip", "neighbour", "show", address),
            f"the router to hear that {address} is at {own}",
        )
    print(f"  the router was told where {fourth} and {sixth} are")


def datagrams(lab, director):
    text = rules(VIP, (), LOCAL, port=5353, letter="u")
    text += "".join(f"-a -u {VIP}:5353 -r {address}:5300 --fullnat\n" for address in SERVERS.values())
    director.configure(text)
    udp.exchange(lab, sizes=(1, 100, 1400, 1460), vip=VIP)
    director.ctl(f"-D -u {VIP}:5353")


def no_way_by_nat(client, director):
    """The same servers by NAT: their answers find no way."""
    director.configure(f"-A -t {VIP}:81 -s rr\n-a -t {VIP}:81 -r {SERVERS['server1']}:80 -m")
    done = client.attempt("curl", "-sS", "--max-time", "3", f"http://{VIP}:81/", show=True)
    if done.returncode != 28:
        raise Failure(f"NAT should have found no way back: {done.stderr}{done.stdout}")
    print("  by NAT there is no answer")
    director.ctl(f"-D -t {VIP}:81")


def withdrawn(router, client, director):
    """What was taken away is not answered for any more, once no connection has it."""
    director.ctl(f"-Q -t {VIP}:80 -z 192.168.0.101")
    director.ctl(f"-Q -t [{VIP6}]:80 -z 2001:db8:168::101")
    until(lambda: not who_has(router, "192.168.0.101", seconds=0.3), "192.168.0.101 to be nobody's", seconds=150)
    if not who_has(router, LOCAL):
        raise Failure(f"{LOCAL} is not answered for any more")
    requests(client, f"http://{VIP}/", expect=EVEN)
    print("  a local address that was taken away is nobody's")
