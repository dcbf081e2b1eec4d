"""Short TCP connections, one after another.

`sequence.py serve PORT` takes a connection, sends back the eight bytes that come and closes it.
`sequence.py connect ADDRESS PORT COUNT CLIENT...` makes connections from each client's address in turn, every one from a
port that none had before, and prints how many were made, how many failed and in what time; then the first failures.
"""

import socket
import sys
import time

FIRST = 2000


def serve(port):
    with socket.create_server(("", port), backlog=1024) as door:
        while True:
            connection, _ = door.accept()
            with connection:
                connection.sendall(connection.recv(8))


def once(address, port, client, own, number):
    word = number.to_bytes(8, "big")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.settimeout(5)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((client, own))
        door.connect((address, port))
        door.sendall(word)
        got = b""
        while data := door.recv(64):
            got += data
        if got != word:
            raise OSError(f"{word.hex()} came back as {got.hex() or 'nothing'}")


def connect(address, port, count, clients):
    failures = []
    began = time.monotonic()
    for number in range(count):
        client, own = clients[number % len(clients)], FIRST + number // len(clients)
        try:
            once(address, port, client, own, number)
        except OSError as error:
            failures.append(f"{client}:{own}, the {number}th: {error}")
            if len(failures) == 20:
                break
    seconds = time.monotonic() - began
    print(f"{number + 1 - len(failures)} connections made, {len(failures)} failed, in {seconds:.1f} s")
    print(*failures[:5], sep="\n")


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    connect(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
