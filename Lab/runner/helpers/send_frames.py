"""Sends Ethernet frames by an interface; reads them from standard input, one a line in hexadecimal."""

import socket
import sys
import time

with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
    link.bind((sys.argv[1], 0))
    for line in sys.stdin:
        link.send(bytes.fromhex(line))
        # Not faster than a crowded machine takes them in.
        time.sleep(0.001)
