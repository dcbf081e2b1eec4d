"""Many TCP connections that are open all the time and say little.

`flows.py serve PORT NAME` answers every line with NAME.
`flows.py hold ADDRESS PORT COUNT CLIENT...` opens COUNT connections, in turn from these addresses, and asks each who
answers. Then, for every line of its input, a number of seconds, it asks all that have not failed so far once more and
waits that long at most. What came of it is one line of JSON each time, the opening too: a list of
[client's address and port, server asked first, outcome], where the outcome is a server's name, `reset` or `silence`.
"""

import asyncio
import json
import selectors
import socket
import sys
import time


async def serve(port, name):
    async def answer(reader, writer):
        try:
            while await reader.readline():
                writer.write(name.encode() + b"\n")
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(answer, "", port, backlog=4096)
    await server.serve_forever()


class Flow:
    def __init__(self, client, target):
        self.socket = socket.create_connection(target, timeout=5, source_address=(client, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.name = "{}:{}".format(*self.socket.getsockname())
        self.server = None
        self.outcome = None
        self.came = b""

    def ask(self):
        self.outcome, self.came = None, b""
        try:
            self.socket.send(b"who?\n")
        except OSError:
            self.outcome = "reset"

    def hear(self):
        try:
            data = self.socket.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.came += data
        if not data:
            self.outcome = "reset"
        elif self.came.endswith(b"\n"):
            self.outcome = self.came.decode().strip()
            self.server = self.server or self.outcome


def ask(flows, seconds):
    """Asks each flow that has not failed before, and tells what came of it."""
    with selectors.DefaultSelector() as waiting:
        for flow in flows:
            flow.ask()
            if not flow.outcome:
                waiting.register(flow.socket, selectors.EVENT_READ, flow)
        deadline = time.monotonic() + seconds
        while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                key.data.hear()
                if key.data.outcome:
                    waiting.unregister(key.fileobj)
    for flow in flows:
        flow.outcome = flow.outcome or "silence"
    print(json.dumps([[flow.name, flow.server, flow.outcome] for flow in flows]), flush=True)
    return [flow for flow in flows if flow.outcome == flow.server]


def hold(address, port, count, clients):
    flows = [Flow(clients[number % len(clients)], (address, port)) for number in range(count)]
    flows = ask(flows, 5)
    for line in sys.stdin:
        flows = ask(flows, float(line))


if sys.argv[1] == "serve":
    asyncio.run(serve(int(sys.argv[2]), sys.argv[3]))
else:
    hold(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
