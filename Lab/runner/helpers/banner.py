"""Greets everybody who connects to port PORT with TEXT, as an SSH server does, and hangs up: banner.py PORT TEXT"""

import socket
import sys

listener = socket.create_server(("", int(sys.argv[1])), backlog=64)
while True:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(f"SSH-2.0-{sys.argv[2]}\r\n".encode())
