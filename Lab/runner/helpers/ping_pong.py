"""Round trips of small UDP datagrams, one after another; prints one line of quantiles in microseconds for each target.

`ping_pong.py serve PORT` answers; `ping_pong.py COUNT WORK ADDRESS:PORT...` asks each target in turn, in rounds, so
that what happens on the machine meanwhile happens to all of them. The server works WORK microseconds for an answer.
"""

import socket
import sys
import time

ROUNDS = 10


def serve(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("", port))
        while True:
            data, peer = door.recvfrom(2048)
            until = time.thread_time_ns() + 1000 * int(data)
            while time.thread_time_ns() < until:
                pass
            door.sendto(data, peer)


def ask(door, count, work):
    times = []
    for _ in range(count):
        began = time.perf_counter_ns()
        door.send(work.encode())
        door.recv(2048)
        times.append((time.perf_counter_ns() - began) / 1000)
    return times


def main():
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    count, work, targets = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    doors, times = [], [[] for _ in targets]
    for target in targets:
        address, _, port = target.rpartition(":")
        door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        door.connect((address, int(port)))
        door.settimeout(3)
        ask(door, 5, work)
        doors.append(door)
    for _ in range(ROUNDS):
        for door, seen in zip(doors, times):
            seen += ask(door, count // ROUNDS, work)
    for seen in times:
        seen.sort()
        print(*(round(seen[int(len(seen) * share)], 1) for share in (0.5, 0.9, 0.99)))


main()
