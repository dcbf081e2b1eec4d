"""Bytes in bulk from a client to a service, and long datagrams, with the servers that take them."""

import sys

from .client import HELPERS
from .host import Failure, until

PORT = 7000
TOOL = (sys.executable, str(HELPERS / "bulk.py"))


def start_bulk(host, *addresses):
    """A server for all of this on a host; datagrams are answered at these addresses."""
    host.start(*TOOL, "serve", str(PORT), *addresses, log=f"bulk-{host.name}.log")

    def listening():
        datagrams = host.run("ss", "-lun").count(f":{PORT} ")
        return f":{PORT} " in host.run("ss", "-ltn") and datagrams == len(addresses)

    until(listening, f"the server on {host.name}")


def rules(vip, servers, method):
    """One virtual service of TCP and one of UDP; `vip` and `servers` as ipvsadm writes them, `method` its option."""
    return "\n".join(
        line
        for kind in ("-t", "-u")
        for line in [
            f"-A {kind} {vip}:{PORT} -s rr",
            *(f"-a {kind} {vip}:{PORT} -r {server}:{PORT} {method}" for server in servers),
        ]
    )


def upload(client, address, count=8_000_000):
    """Sends bytes by TCP, which must arrive as they are; returns MB/s."""
    told = client.run(*TOOL, "send", address, str(PORT), str(count), timeout=60).split()
    if told[0] != "same":
        raise Failure(f"{count:,} bytes to {address} arrived damaged")
    return float(told[1])


def datagram(client, address, count, df, expect):
    """Sends a datagram of so many bytes and compares what came of it."""
    told = client.run(*TOOL, "datagram", address, str(PORT), str(count), "df" if df else "cut", timeout=30).strip()
    what = f"a datagram of {count} bytes {'with' if df else 'without'} DF"
    if told != expect:
        raise Failure(f"{what} to {address}: {told}, and not {expect}")
    print(f"  {what}: {told}")


def counted(host, name):
    """A counter of the host's kernel, as nstat calls it."""
    for line in host.run("nstat", "-asz", name).splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise Failure(f"{host.name} does not count {name}")
