"""FTP by its helper through FULLNAT: passive and active transfers, over both families, of many files in one session."""

import re

from runner.host import Failure
from runner.servers import start_vsftpd
from topologies.distant import LOCAL, LOCAL6, SERVERS, SERVERS6, VIP, VIP6

from . import ftp
from .fullnat import rules


def run(lab):
    lab.build("distant")
    payload = lab.file("file")
    payload.write_bytes(bytes(range(256)) * 4096)
    for name in SERVERS:
        start_vsftpd(lab.host(name), payload)
    director = lab.director(interfaces=("eth0", "eth1"))
    director.configure(
        rules(VIP, SERVERS.values(), LOCAL, port=21) + rules(VIP6, SERVERS6.values(), LOCAL6, port=21)
    )
    client = lab.host("client")
    for word, options in ftp.WAYS.items():
        ftp.fetch(client, f"ftp://{VIP}", word, options, payload)
    for word in ("EPSV", "EPRT"):
        ftp.fetch(client, f"ftp://[{VIP6}]", word, ftp.WAYS[word], payload)
    listed = director.ctl("-Ln --stats --exact")
    for address in SERVERS.values():
        if not re.search(rf"{re.escape(address)}:21 +[1-9]", listed):
            raise Failure(f"no session went to {address}")
    director.ctl("-Lnc")
    director.stop()
