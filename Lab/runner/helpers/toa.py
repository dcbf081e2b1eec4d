"""Prints the client addresses that TCP packets to PORT carry in an option of kind 254, as they come to INTERFACE.

One line a packet: its flags, the address and port of the option, and what the packet's own source is.
"""

import ipaddress
import socket
import struct
import sys

FLAGS = ((0x02, "SYN"), (0x10, "ACK"), (0x08, "PSH"), (0x01, "FIN"), (0x04, "RST"))
KIND = 254


def transport(packet):
    """Source address and TCP segment of a packet without extension headers; None for others."""
    if packet[0] >> 4 == 4:
        start = (packet[0] & 15) * 4
        return (ipaddress.ip_address(packet[12:16]), packet[start:]) if packet[9] == 6 else None
    return (ipaddress.ip_address(packet[8:24]), packet[40:]) if packet[6] == 6 else None


def client(segment):
    """Address and port of the first such option."""
    options = segment[20 : (segment[12] >> 4) * 4]
    while options and options[0] != 0:
        if options[0] == 1:
            options = options[1:]
            continue
        if len(options) < 2 or not 2 <= options[1] <= len(options):
            return None
        if options[0] == KIND and options[1] in (8, 20):
            (port,) = struct.unpack("!H", options[2:4])
            return ipaddress.ip_address(options[4 : options[1]]), port
        options = options[options[1] :]
    return None


def main():
    interface, port = sys.argv[1], int(sys.argv[2])
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    tap.bind((interface, 3))
    print("ready", flush=True)
    while True:
        packet, (_, _, direction, *_) = tap.recvfrom(65536)
        found = transport(packet) if direction == socket.PACKET_HOST and packet else None
        if found is None or len(found[1]) < 20 or struct.unpack("!H", found[1][2:4])[0] != port:
            continue
        source, segment = found
        told = client(segment)
        if told:
            flags = "+".join(word for bit, word in FLAGS if segment[13] & bit)
            own = struct.unpack("!H", segment[:2])[0]
            print(flags, "client", *told, "source", source, own, flush=True)


main()
