"""A server of weight 0 keeps its open connection and gets no new one."""

from runner.client import KeepAlive, requests
from runner.host import Failure

from . import nat


def run(lab):
    director = nat.prepare(lab)
    client = lab.host("client")
    held = KeepAlive(client, nat.VIP)
    owner = held.get()
    address = {"server1": "192.168.0.18", "server2": "192.168.0.28"}[owner]
    other = {"server1": "server2", "server2": "server1"}[owner]

    director.ctl(f"-e -t {nat.VIP}:80 -r {address}:80 -m -w 0")
    requests(client, f"http://{nat.VIP}/", expect={other: 10})
    if held.get() != owner:
        raise Failure("the open connection changed its server")
    print(f"  the open connection is still answered by {owner}")
    director.ctl("-Ln")

    director.ctl(f"-e -t {nat.VIP}:80 -r {address}:80 -m -w 1")
    requests(client, f"http://{nat.VIP}/", expect={"server1": 5, "server2": 5})
    held.close()
