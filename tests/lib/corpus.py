# SPDX-License-Identifier: GPL-2.0-or-later
"""Octets to try things on: the rows' messages, the fuzzer's seeds, packets from elsewhere, and mutations of all.

Packets from elsewhere are BIND's, or those of the directory that DG_PACKETS names, one raw DNS message a file.
Nothing random here is new at every run: what failed once fails again.
"""
import functools
import os
import random

import bind_packets
import replay
import wire

SEEDS = os.path.join(replay.ROOT, "tests", "fuzz", "corpus", "fuzz_question")
MESSAGE_MAX = 1400


def _files(directory):
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            data = file.read(MESSAGE_MAX + 1)
        if len(data) <= MESSAGE_MAX:
            yield data


@functools.lru_cache(maxsize=None)
def elsewhere():
    """(packets of others, why there are none)."""
    directory, why = os.environ.get("DG_PACKETS"), ""
    if not directory:
        directory, why = bind_packets.packets(replay.BUILD)
    return (list(_files(directory)) if directory else []), why


def _as_query(message):
    """The same octets with a header that makes them a query: what stands behind it is then read at all."""
    return message[:2] + b"\x01\x00\x00\x01\0\0\0\0" + message[10:12] + message[12:]


def mutate(data, chance):
    """One to four small accidents."""
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = chance.choice((0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF, 41, 10, chance.randrange(256)))
        elif kind == 2:
            del data[at : at + chance.randint(1, 8)]
        elif kind == 3:
            data[at:at] = chance.randbytes(chance.randint(1, 8))
        elif kind == 4:
            data = data[: max(1, at)]
        else:
            other = chance.randrange(len(data) + 1)
            data[at:at] = data[other : other + chance.randint(1, 24)]
    return bytes(data[:MESSAGE_MAX])


def row_messages(book):
    """The UDP payloads of the rows; every wire carries the same ones."""
    found = {}
    for row in book.rows:
        net = row["net"]
        if net is wire.WIRES[0] and len(row["frame"]) > net.l4 + 8:
            found[row["frame"][net.l4 + 8 :]] = None
    return [data for data in found if len(data) <= MESSAGE_MAX]


def messages(book, mutations):
    """DNS messages, good and bad, no two alike."""
    chance = random.Random(20240229)
    base = row_messages(book) + list(_files(SEEDS)) + elsewhere()[0]
    base += [_as_query(data) for data in base if len(data) >= 12]
    found = dict.fromkeys(base)
    while mutations:
        found[mutate(chance.choice(base), chance)] = None
        mutations -= 1
    return list(found)


def frames(book, mutations):
    """Whole frames: the rows' own, and mutations of them that still are frames."""
    chance = random.Random(19871101)
    base = [row["frame"] for row in book.rows]
    found = dict.fromkeys(base)
    while mutations:
        data = mutate(chance.choice(base), chance)
        found[data + bytes(max(0, 14 - len(data)))] = None
        mutations -= 1
    return list(found)
