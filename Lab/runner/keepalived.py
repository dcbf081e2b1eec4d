"""Debian's keepalived behind director-run, and the configuration that its instructions give."""

from .guest import Guest
from .host import stop, until

# As in the usual instructions for two directors. The intervals between checks are short, so that a lab takes seconds; this
# keepalived skips the two lines of older instructions that it does not know (nb_get_retry, persistence_timeout 0).
INSTANCE = """
vrrp_instance VI_1 {{
    state {state}
    interface {interface}
    virtual_router_id 51
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass 1111
    }}
    virtual_ipaddress {{
        {addresses}
    }}
    {more}
}}
"""
SERVICE = """
virtual_server {vip} 80 {{
    delay_loop 1
    lb_algo rr
    lb_kind {kind}
    persistence_timeout 0
    protocol TCP
{servers}
}}
"""
SERVER = """
    real_server {address} 80 {{
        weight 1
        TCP_CHECK {{
            connect_timeout 1
            nb_get_retry 3
            delay_before_retry 1
            connect_port 80
        }}
    }}
"""
ROLES = {"MASTER": 100, "BACKUP": 90}


def configuration(state, kind, vip, servers, interface="eth0", addresses=(), more="", head=""):
    """The text of keepalived.conf for one of two directors."""
    instance = INSTANCE.format(
        state=state,
        priority=ROLES[state],
        interface=interface,
        addresses="\n        ".join(addresses or [vip]),
        more=more,
    )
    blocks = "".join(SERVER.format(address=address) for address in servers)
    return head + instance + SERVICE.format(vip=vip, kind=kind, servers=blocks)


class Keepalived:
    """One keepalived on the host of a director."""

    def __init__(self, host, text):
        self.host = host
        self.config = host.lab.file(f"keepalived-{host.name}.conf")
        self.config.write_text(text)
        self.process = None

    def start(self):
        # Two of them share the file system of the lab, so each has files of its own.
        files = {"-p": "all", "-r": "vrrp", "-c": "checkers"}
        words = [
            word
            for option, name in files.items()
            for word in (option, str(self.host.lab.file(f"keepalived-{self.host.name}-{name}.pid")))
        ]
        # A machine of its own has the kernel's IPVS.
        bridge = [] if isinstance(self.host, Guest) else ["director-run"]
        command = [*bridge, "keepalived", "-n", "-l", "-D", "-f", str(self.config)]
        self.host.say([*command, "&"])
        self.process = self.host.start(*command, *words, log=f"keepalived-{self.host.name}.log")

    def told(self):
        return self.host.lab.file(f"keepalived-{self.host.name}.log").read_text(errors="replace")

    def stop(self):
        """Ends it as an operator would."""
        self.host.say(["service", "keepalived", "stop"])
        if isinstance(self.host, Guest):
            self.host.run("kill", self.host.lab.file(f"keepalived-{self.host.name}-all.pid").read_text().strip())
            until(lambda: self.process.poll() is not None, "keepalived to end")
        else:
            stop(self.process)
