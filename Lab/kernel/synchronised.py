"""Messages of a synchronisation daemon, which leave when chance has it: a kernel looks once a second for those that are old."""

from .frames import Packet, be16, fold

PORTS = range(8848, 8848 + 64)


def entries(frames):
    """What all these frames tell in one piece, and what they have in common; None when one of them is no message."""
    heads, told = set(), []
    for frame in frames:
        parts = message(frame)
        if parts is None:
            return None
        heads.add(parts[0])
        told += parts[1]
    return heads, told


def message(frame):
    """The head of a message, without what follows from its length, and its entries; None when it is none."""
    packet = Packet(frame)
    if not packet.ok or not frame[0] & 1 or len(frame) < 70:
        return None
    wide = frame[12:14] == b"\x86\xdd"
    udp = 54 if wide else 34
    if (frame[20] if wide else frame[23]) != 17 or be16(frame, udp + 2) not in PORTS:
        return None
    data = frame[udp + 8 :]
    is_sound = fold(frame[udp:], packet.pseudo()) == 0xFFFF and be16(frame, udp + 4) == len(data) + 8
    if wide:
        is_sound = is_sound and be16(frame, 18) == len(data) + 8
        head = frame[:18] + frame[20:54]
    else:
        is_sound = is_sound and fold(frame[14:34]) == 0xFFFF and be16(frame, 16) == len(data) + 28
        head = frame[:16] + frame[20:24] + frame[26:34]
    found = split(data)
    if not is_sound or found is None:
        return None
    return head + frame[udp + 2 : udp + 4] + found[0], found[1]


def split(data):
    """Header without size and count, and entries, of a message of either format; None when it is not whole."""
    if be16(data, 2) != len(data):
        return None
    told = []
    if data[0] == 0 and data[5] == 1:
        at = 8
        while at < len(data):
            size = be16(data, at + 2) & 0xFFF
            if size < 36 or at + size > len(data):
                return None
            told.append(data[at : at + size])
            # The next one begins at a multiple of four; zeros fill up.
            pad = -size % 4 if at + size < len(data) else 0
            if any(data[at + size : at + size + pad]):
                return None
            at += size + pad
        return (data[:2] + data[5:8], told) if data[4] == len(told) else None
    told = [data[at : at + 24] for at in range(4, len(data), 24)]
    return (data[1:2], told) if data[0] == len(told) and (len(data) - 4) % 24 == 0 else None
