"""Asks by ARP on INTERFACE who has ADDRESS and prints the hardware address of each answer within SECONDS."""

import socket
import struct
import sys
import time

interface, address, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
ARP = 0x0806
# A first socket only learns which own address this interface would use towards the one asked for.
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    probe.connect((address, 9))
    own = socket.inet_aton(probe.getsockname()[0])
wanted = socket.inet_aton(address)

tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP))
tap.bind((interface, ARP))
hardware = tap.getsockname()[4]
request = struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, 1, hardware, own, bytes(6), wanted)
tap.send(b"\xff" * 6 + hardware + struct.pack("!H", ARP) + request)

deadline = time.monotonic() + seconds
while (left := deadline - time.monotonic()) > 0:
    tap.settimeout(left)
    try:
        frame = tap.recv(128)
    except TimeoutError:
        break
    operation, sender, sender_address = struct.unpack("!H6s4s", frame[20:32])
    if operation == 2 and sender_address == wanted:
        print(sender.hex(":"))
