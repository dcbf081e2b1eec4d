"""What a director finds in the file of its connection table: taken over, or named and put aside; it stays after SIGTERM."""

from runner.client import KeepAlive, requests
from runner.host import Failure

from . import nat
from .refusals import refused


def expect(director, words, what):
    """The director says so, in its last start's lines and in its status."""
    note = next((line for line in director.told().splitlines()[::-1] if " table /" in line), "")
    if words not in note:
        raise Failure(f"{what}: not told ({words!r}):\n{director.told()}")
    if words not in director.ctl("status", show=False):
        raise Failure(f"{what}: status does not tell it")
    print(f"  {what}: {note.split(': ', 2)[-1]}")


def run(lab):
    nat.prepare_host(lab)
    host, client = lab.host("director"), lab.host("client")
    rules = lab.file("rules")
    rules.write_text(nat.RULES)
    table = f"/dev/shm/{lab.prefix}table"
    host.run("rm", "-f", table, f"{table}.old")
    try:
        meet(lab, host, client, ("--rules", str(rules)), table)
    finally:
        host.run("rm", "-f", table, f"{table}.old")


def meet(lab, host, client, options, table):
    director = lab.director(interfaces=("eth0", "eth1"), options=(*options, "--table", table))
    if host.run("stat", "-c", "%a", table).strip() != "600":
        raise Failure("others may read the table")
    other = ("--control", str(lab.file("other.sock")))
    refused(host, "director", *director.options, *other, says=[table, "another director"])
    held = KeepAlive(client, nat.VIP)
    owner = held.get()

    # As systemctl restart does it.
    director.stop()
    director.start()
    expect(director, " go on, taken over in ", "after SIGTERM")
    if held.get() != owner:
        raise Failure("the open connection has another server")
    director.kill()
    director.options = (*director.options, "--workers", "2")
    director.start()
    expect(director, " go on, taken over in ", "after a kill, with another worker")
    if held.get() != owner:
        raise Failure("the open connection has another server")
    held.close()

    director.stop()
    director.options = (*director.options, "--connections", "100000")
    director.start()
    expect(director, "made for 1000000 connections", "with another size")
    host.run("test", "-f", f"{table}.old")
    requests(client, f"http://{nat.VIP}/", count=2)

    for what, damage, words in (
        ("a file of zeros", f"truncate -s 0 {table} && truncate -s 20M {table}", "empty"),
        ("a file of noise", f"head -c 20000000 /dev/urandom > {table}", "no connection table"),
        ("a short file", f"head -c 100 /dev/urandom > {table}", "empty"),
    ):
        director.stop()
        host.run("sh", "-c", damage)
        director.start()
        expect(director, words, what)
        requests(client, f"http://{nat.VIP}/", count=2)
    director.stop()

    anonymous = lab.director(interfaces=("eth0", "eth1"), options=(*options, "--table", "anonymous"))
    if "kept in" in anonymous.told().splitlines()[-1]:
        raise Failure("an anonymous table is kept")
    anonymous.stop()
    disk = lab.file("table")
    refused(host, "director", *options, "--table", str(disk), says=["not in memory", "tmpfs"])
    host.run("sh", "-c", f"umask 0; echo > {table}.old; chmod 666 {table}.old")
    refused(host, "director", *options, "--table", f"{table}.old", says=["this user alone"])
