"""Looks at a generic netlink socket in every way that programs do; behind director-run, to be told by nothing from a real one.

Prints "ok" when all is well. With the word "away" the director is expected to be killed after the line "ready".
"""

import ctypes
import errno
import os
import platform
import select
import socket
import struct
import subprocess
import sys
import threading

GENERIC = 16
NLCTRL, GETFAMILY, FAMILY_NAME = 0x10, 3, 2
ERROR, ACK_AND_REQUEST = 2, 5
PORT = 0x12345
# Numbers of the system call close.
CLOSE = {"x86_64": 3, "aarch64": 57}


def request(sequence, name=b"IPVS\0"):
    attribute = struct.pack("HH", 4 + len(name), FAMILY_NAME) + name
    attribute += b"\0" * (-len(attribute) % 4)
    body = struct.pack("BBH", GETFAMILY, 1, 0) + attribute
    return struct.pack("IHHII", 16 + len(body), NLCTRL, ACK_AND_REQUEST, sequence, 0) + body


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r} and not {wanted!r}")


def expect_answer(link, sequence, what, port=PORT):
    """An answer and its acknowledgement, from the kernel's address."""
    for kind in (NLCTRL, ERROR):
        packet, sender = link.recvfrom(65536)
        _, found, _, number, to = struct.unpack_from("IHHII", packet)
        expect(f"{what}: sender", sender, (0, 0))
        expect(f"{what}: type, sequence and port", (found, number, to), (kind or NLCTRL, sequence, port))
        if kind == ERROR:
            expect(f"{what}: code", struct.unpack_from("i", packet, 16)[0], 0)


def netlink(kind=socket.SOCK_RAW):
    return socket.socket(socket.AF_NETLINK, kind, GENERIC)


def looks():
    link = netlink()
    link.bind((PORT, 0))
    expect("getsockname", link.getsockname(), (PORT, 0))
    expect("getpeername", link.getpeername(), (0, 0))
    expect("domain", link.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN), socket.AF_NETLINK)
    expect("type", link.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), socket.SOCK_RAW)
    expect("protocol", link.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL), GENERIC)
    link.setsockopt(270, 1, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    datagram = netlink(socket.SOCK_DGRAM)
    expect("other type", datagram.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE), socket.SOCK_DGRAM)
    datagram.send(request(1))
    expect_answer(datagram, 1, "a socket without a name", datagram.getsockname()[0])
    expect("its port", datagram.getsockname()[0], os.getpid())
    datagram.close()

    link.sendto(request(7), (0, 0))
    size = link.recv_into(bytearray(1), 1, socket.MSG_PEEK | socket.MSG_TRUNC)
    expect("more bytes than room for them", size > 1, True)
    expect_answer(link, 7, "peeked at")
    link.sendmsg([request(8)[:10], request(8)[10:]])
    expect_answer(link, 8, "sent in pieces")
    os.write(link.fileno(), request(9))
    ready = select.select([link], [], [], 5)[0]
    expect("polled", ready, [link])
    expect_answer(link, 9, "written")
    link.setblocking(False)
    try:
        link.recv(100)
        sys.exit("a non-blocking read of nothing returned")
    except BlockingIOError:
        pass
    link.setblocking(True)
    return link


def copies(link):
    """Copies of a descriptor are the same socket; a number that is used again is not."""
    copy = link.dup()
    copy.send(request(20))
    expect_answer(link, 20, "sent by a copy")
    number = link.fileno()
    os.dup2(copy.fileno(), 99)
    os.write(99, request(21))
    expect_answer(copy, 21, "sent by a copy of a chosen number")
    os.close(99)
    with open("/dev/null", "wb") as null:
        os.dup2(null.fileno(), number)
    expect("a file in the place of a socket", os.write(number, b"x" * 1000), 1000)
    link.detach()
    os.close(number)
    reader, writer = os.pipe()
    expect("a pipe after it", os.write(writer, b"pipe"), 4)
    expect("what it carried", os.read(reader, 100), b"pipe")
    copy.send(request(22))
    expect_answer(copy, 22, "the copy is left")
    # Another program's descriptors are closed in a child that shares our memory.
    subprocess.run(["true"], check=True, close_fds=True)
    copy.send(request(23))
    expect_answer(copy, 23, "after a child")
    child = os.fork()
    if child == 0:
        copy.send(request(24))
        expect_answer(copy, 24, "in a child")
        copy.close()
        os._exit(0)
    expect("the child", os.waitpid(child, 0)[1], 0)
    copy.send(request(25))
    expect_answer(copy, 25, "after a child closed its copy")
    return copy


def file_in_the_place_of(link):
    """Closes a copy so that no library sees it, and opens a file, which gets its number; returns the number."""
    number = link.dup().detach()
    ctypes.CDLL(None).syscall(CLOSE[platform.machine()], number)
    expect("number of a new file", os.open(".", os.O_TMPFILE | os.O_RDWR), number)
    return number


def expect_file(number, text):
    os.write(number, text)
    expect("a file in the place of a socket", os.pread(number, 100, os.fstat(number).st_size - len(text)), text)


def others():
    """Sockets that are not IPVS's are the kernel's own, and IPVS's options are nobody's."""
    route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    route.bind((0, 0))
    # RTM_GETLINK, as a dump.
    route.send(struct.pack("IHHII", 32, 18, 0x301, 5, 0) + bytes(16))
    expect("the kernel's links", struct.unpack_from("IHHI", route.recv(65536))[1], 16)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 255)
    for option in (1152, 1153, 1157):
        try:
            raw.getsockopt(socket.IPPROTO_IP, option, 64)
            sys.exit(f"option {option} is answered")
        except OSError as error:
            expect(f"option {option}", error.errno, errno.ENOPROTOOPT)
    one, other = socket.socketpair()
    one.send(b"pair")
    expect("a pair", other.recv(10), b"pair")


def threads():
    """Many at once, each with sockets of its own."""
    trouble = []

    def work(number):
        try:
            for sequence in range(1, 60):
                with netlink() as own:
                    own.bind((PORT + number, 0))
                    own.send(request(sequence))
                    expect_answer(own, sequence, f"thread {number}", PORT + number)
        except SystemExit as error:
            trouble.append(str(error))

    all_of_them = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in all_of_them:
        thread.start()
    for thread in all_of_them:
        thread.join()
    expect("threads", trouble, [])


def refusal(link, sequence):
    """What a client reads when no director comes back: EAGAIN in answer to its request, peeked at or read."""
    expect("sending to nobody", link.send(request(sequence)), len(request(sequence)))
    expect("polled", bool(select.select([link], [], [], 5)[0]), True)
    peeked = link.recv(65536, socket.MSG_PEEK)
    packet, sender = link.recvfrom(65536)
    expect("peeked and read", peeked, packet)
    size, kind, _, number, port, code = struct.unpack_from("IHHIIi", packet)
    expect("refusal", (size, kind, number, port, code), (36, ERROR, sequence, PORT, -errno.EAGAIN))
    expect("sender", sender, (0, 0))


link = looks()
link = copies(link)
others()
threads()
file = file_in_the_place_of(link)
if sys.argv[1:] == ["away"]:
    print("ready", flush=True)
    sys.stdin.readline()
    for sequence in (40, 41):
        refusal(link, sequence)
    print("refused", flush=True)
    sys.stdin.readline()
    link.send(request(42))
    expect_answer(link, 42, "the director that came back")
expect_file(file, b"first")
expect_file(file, b"second")
print("ok")
