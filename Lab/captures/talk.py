"""Small speakers of datagram protocols, run on hosts of the stage: talk.py COMMAND [ARGUMENT]...

dns-serve NAME            answers every query for an address (RFC 1035): 192.0.2.1 from server1, 192.0.2.2 from server2
dns-ask ADDRESS PORT N [deaf]
                          asks N times, each from a port of its own; does not wait for answers when deaf
sip-serve NAME            answers INVITE, ACK and BYE (RFC 3261)
sip-call ADDRESS N        N calls of three messages each, every message from a port of its own
echo PORT                 answers datagrams with themselves
send ADDRESS PORT SIZE [df] [ttl=N] [close] [silent]
                          one datagram; without `close` or `silent` an answer is waited for
"""

import random
import socket
import struct
import sys
import time

# Whatever is drawn, such as a query's number, is the same in every recording.
DICE = random.Random(8)


def door(address=None, port=None, here=None):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(3)
    if here is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.settimeout(None)
        made.bind(("", here))
    if address:
        made.connect((address, port))
    return made


def dns_serve(name):
    address = bytes([192, 0, 2, int(name[-1])])
    with door(here=53) as made:
        while True:
            query, peer = made.recvfrom(512)
            question = query[12:]
            # Response, recursion desired and available, no error; one question, one answer.
            head = query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0)
            answer = struct.pack("!3HIH", 0xC00C, 1, 1, 300, 4) + address
            made.sendto(head + question + answer, peer)


def dns_ask(address, port, count, *words):
    for number in range(int(count)):
        with door(address, int(port)) as made:
            head = struct.pack("!6H", DICE.randrange(65536), 0x0100, 1, 0, 0, 0)
            labels = (f"host{number}", "example", "net")
            name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
            made.send(head + name + struct.pack("!2H", 1, 1))
            if "deaf" in words:
                time.sleep(0.05)
                continue
            answer = made.recv(512)
            print(".".join(str(byte) for byte in answer[-4:]))


def sip_serve(name):
    with door(here=5060) as made:
        while True:
            message, peer = made.recvfrom(4096)
            lines = message.decode().split("\r\n")
            if lines[0].startswith("ACK"):
                continue
            kept = [line for line in lines[1:] if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
            text = "\r\n".join(["SIP/2.0 200 OK", *kept, f"Server: {name}", "Content-Length: 0", "", ""])
            made.sendto(text.encode(), peer)


def sip_call(address, count):
    for number in range(int(count)):
        for sequence, method in ((1, "INVITE"), (1, "ACK"), (2, "BYE")):
            with door(address, 5060) as made:
                here = "{}:{}".format(*made.getsockname())
                text = "\r\n".join(
                    [
                        f"{method} sip:service@{address} SIP/2.0",
                        f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{number}{method.lower()}",
                        f"From: <sip:caller{number}@example.net>;tag=c{number}",
                        f"To: <sip:service@{address}>",
                        f"Call-ID: call-{number}-{DICE.getrandbits(32):08x}@example.net",
                        f"CSeq: {sequence} {method}",
                        "Max-Forwards: 70",
                        "Content-Length: 0",
                        "",
                        "",
                    ]
                )
                # All messages of a call have one Call-ID.
                if method != "INVITE":
                    text = text.replace(text.split("Call-ID: ")[1].split("\r")[0], call)
                call = text.split("Call-ID: ")[1].split("\r")[0]
                made.send(text.encode())
                if method != "ACK":
                    said = made.recv(4096).decode()
                    print(said.split("Server: ")[1].split("\r")[0])


def echo(port):
    with door(here=int(port)) as made:
        while True:
            data, peer = made.recvfrom(65536)
            if data.startswith(b"later"):
                time.sleep(0.3)
            made.sendto(data, peer)


def send(address, port, size, *words):
    with door(address, int(port)) as made:
        if "df" in words:
            # As it is, whatever the kernel has learned of the path's MTU: IP_MTU_DISCOVER (10), IP_PMTUDISC_PROBE (3).
            made.setsockopt(socket.IPPROTO_IP, 10, 3)
        else:
            made.setsockopt(socket.IPPROTO_IP, 10, 0)
        for word in words:
            if word.startswith("ttl="):
                made.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(word[4:]))
        data = (b"later" if "close" in words else b"") + DICE.randbytes(int(size))
        made.send(data[: int(size)])
        if "close" in words:
            return
        if "silent" in words:
            made.settimeout(0.3)
        try:
            print("answered" if made.recv(65536) == data else "damaged")
        except OSError as error:
            print(error.strerror or "no answer")


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
