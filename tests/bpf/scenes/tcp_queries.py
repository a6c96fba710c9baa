# SPDX-License-Identifier: GPL-2.0-or-later
"""Queries in TCP segments: where a message begins, what is read of it, and what came before.

What a segment must count is said here by a reference that knows the whole stream and shares no code with the guard.
"""
import random
import struct

import message as dns
from book import ENFORCE, FIRST, RETRANSMITTED, SECOND, UNREAD, WIRES, question_row
from scenes.tcp import ACK, FIN, PSH, RST, SERVICE_RETRANSMITTED, SERVICE_SYN, SYN

TCP = 1  # enum dg_transport; also the word of struct dg_service_stats
REACHED, SEGMENTS, INSIDE, GAPS, FOUND = 0, 8, 9, 10, 11  # words of struct dg_tcp_stats
MESSAGES_MAX = 16  # read in one segment
NAME = "www.asked.example"


def message(name=NAME, qtype=dns.A, **query):
    """With its length in front: RFC 1035 section 4.2.2."""
    wire = dns.Query(name, qtype, **query).wire
    return struct.pack("!H", len(wire)) + wire


class Peer:
    """One connection: what it sent, and what the guard knows of it."""

    def __init__(self, book, net, seq=1000, sport=40053, begun=True):
        self.book, self.net, self.seq, self.sport = book, net, seq, sport
        self.queries = 0
        self.homed = begun  # a cell is kept
        if begun:
            self.syn()
        self.seq += 1

    def syn(self, kind=FIRST):
        word = SERVICE_SYN if kind == FIRST else SERVICE_RETRANSMITTED
        self.book.row("a SYN", self.net, self.net.tcp(sport=self.sport, seq=self.seq % 2**32), "pass_tcp",
                      counts=[("syn", None, kind, 1), ("service", 0, word, 1)])

    def counts(self, rows, inside=0, gaps=0, found=0):
        """rows: of each query found, where its type is counted."""
        counts = [("tcp", 0, SEGMENTS, 1), ("tcp", 0, INSIDE, inside), ("tcp", 0, GAPS, gaps), ("tcp", 0, FOUND, found)]
        self.homed = self.homed or bool(found)
        for row in rows:
            counts += [("queries", None, TCP, 1), ("service", 0, TCP, 1), ("qtype", TCP, row, 1)]
            self.queries += self.homed
            if self.homed and self.queries in [1 << power for power in range(8)]:
                counts.append(("tcp", 0, REACHED + self.queries.bit_length() - 1, 1))
        return counts

    def send(self, sentence, payload, rows=(), *, at=None, flags=ACK | PSH, verdict="pass_tcp", tcp=None, **what):
        """at: octets from the next one due; what comes before that came already, what comes behind left a gap."""
        seq = (self.seq + (at or 0)) % 2**32
        self.book.row(sentence, self.net, self.net.tcp(sport=self.sport, seq=seq, flags=flags, payload=payload, **(tcp or {})),
                      verdict, counts=self.counts(rows, **what))
        if at is None or at > 0:
            self.seq += (at or 0) + len(payload)

    def silent(self, sentence, **tcp):
        """A segment on no book."""
        self.book.row(sentence, self.net, self.net.tcp(**{"sport": self.sport, "seq": self.seq % 2**32, "flags": ACK, **tcp}),
                      "pass_tcp")


def row_of(data):
    return question_row(data[2:], "pass_tcp")


A, AAAA, OTHER_TYPE = message(), message(qtype=28), message(qtype=999)


def _plain(book, net):
    book.scene("TCP queries, %s" % net.name)
    peer = Peer(book, net)
    peer.silent("an acknowledgement is on no book")
    peer.send("one query in one segment", A, [row_of(A)])
    peer.send("the same segment again is not counted twice", A, at=-len(A), inside=1)
    peer.send("another type", AAAA, [row_of(AAAA)])
    peer.send("a type without a row of its own", OTHER_TYPE, [0])
    peer.send("two queries in one segment", A + AAAA, [row_of(A), row_of(AAAA)])
    peer.send("both again and a third", A + AAAA + A, [row_of(A)], at=-len(A + AAAA))
    peer.seq += len(A)
    peer.send("a query for the root", message("."), [row_of(A)])
    peer.send("with EDNS", message(edns={}), [row_of(A)])
    longest = message(dns.labels("x" * 60, *["a" * 63] * 2, "b" * 48, "asked", "example"))
    peer.send("of 255 octets", longest, [row_of(longest)])
    many = message(dns.labels(*["a"] * 127))
    peer.send("of 127 labels", many, [row_of(many)])
    peer.send("the most in one segment, and one that is left", message("a") * (MESSAGES_MAX + 1), [row_of(A)] * MESSAGES_MAX)
    peer.send("what follows is taken up", A, [row_of(A)], gaps=1)


def _pieces(book, net):
    book.scene("TCP queries in pieces, %s" % net.name)
    peer = Peer(book, net)
    peer.send("a length alone", A[:2])
    peer.send("and its query", A[2:], [row_of(A)])
    peer.send("that query again", A[2:], at=-len(A) + 2, inside=1)
    peer.send("a query, and the next one's length", A + AAAA[:2], [row_of(A)])
    peer.send("that one, and another", AAAA[2:] + A, [row_of(AAAA), row_of(A)])
    peer.send("a query without its last octet is counted, not read", A[:-1], [UNREAD])
    peer.send("which follows, with a query", A[-1:] + AAAA, [row_of(AAAA)])
    peer.send("a length and half a header", A[:8], [UNREAD])
    peer.send("the rest of it", A[8:], inside=1)
    peer.send("half a length", A[:1])
    peer.send("its other half and the query: lost", A[1:], gaps=1)
    peer.send("the next one is found", A, [row_of(A)], gaps=1)
    long = struct.pack("!H", 4000) + A[2:14] + bytes(3988)
    peer.send("a message of many segments begins", long[:1400], [UNREAD])
    peer.send("goes on", long[1400:2800], inside=1)
    peer.send("and ends where the next begins", long[2800:] + A, [row_of(A)])


def _not_queries(book, net):
    book.scene("TCP messages that are no queries, %s" % net.name)
    peer = Peer(book, net)
    peer.send("length 0", b"\0\0")
    peer.send("then a query", A, [row_of(A)])
    peer.send("length 0 and a query", b"\0\0" + A, [row_of(A)])
    peer.send("eleven octets", b"\0\x0b" + bytes(11))
    response = message(flags=dns.QR | dns.RD)
    peer.send("QR=1", response)
    peer.send("QR=1, in pieces", response[:-1])
    peer.send("and its end", response[-1:], inside=1)
    peer.send("opcode NOTIFY is counted, not read", message(flags=4 << 11), [UNREAD])
    peer.send("two questions", message(counts=(2, 0, 0, 0)), [UNREAD])
    peer.send("class CH", message(qclass=3), [UNREAD])
    broken = struct.pack("!H", 18) + A[2:14] + b"\xc0\x0c\0\1\0\1"
    peer.send("a compressed name", broken, [UNREAD])
    trailing = dns.Query(NAME).wire + b"x"
    peer.send("an octet too many behind the question", struct.pack("!H", len(trailing)) + trailing, [row_of(A)])
    peer.send("after all that a query", A, [row_of(A)])


def _headers(book, net):
    book.scene("TCP headers, %s" % net.name)
    peer = Peer(book, net)
    for words in (1, 3, 10):
        peer.send("%d words of options" % words, A, [row_of(A)], tcp={"options": b"\1" * 4 * words})
    peer.send("the last octet of a frame that was padded", A[:1], tcp={"pad": bytes(20)})
    peer.seq -= 1
    peer.silent("a header shorter than it can be", payload=A, words=4)
    peer.silent("a header longer than the segment", payload=b"", words=15)
    short = {"ip": {"total": 1000}} if net.family == 4 else {"ip": {"length": 1000}}
    peer.silent("an IP length beyond the frame", payload=A, **short)
    peer.send("twin: as it should be", A, [row_of(A)])
    reset = net.tcp(sport=peer.sport, seq=peer.seq, flags=RST | ACK, payload=A)
    book.row("what a reset carries is no query", net, reset, "pass_tcp")
    peer.send("a last query with FIN", A, [row_of(A)], flags=ACK | FIN)


def _before(book, net):
    book.scene("TCP connections from before, %s" % net.name)
    peer = Peer(book, net, begun=False)
    peer.send("the middle of something", b"\x17\x03\x03\x01" * 20)
    peer.send("a message that is longer than the segment", A[:-1])
    peer.send("a response", message(flags=dns.QR))
    peer.send("another opcode", message(flags=5 << 11))
    peer.send("two questions", message(counts=(2, 0, 0, 0)))
    peer.send("a query is taken", A, [row_of(A)], found=1)
    peer.send("not twice", A, at=-len(A), inside=1)
    peer.send("and what follows is read as ever", A[:2])
    peer.send("its query", A[2:], [row_of(A)])
    peer.send("a lost segment, then no beginning of a message", A[5:], at=100, gaps=1)
    peer.send("then one", AAAA, [row_of(AAAA)], gaps=1)
    peer.send("the lost segment comes: it may have been counted", A, at=-len(AAAA + A), inside=1)
    peer.send("another connection on the same ports", A, [row_of(A)], at=2**31, gaps=1)
    peer.send("is followed from there", AAAA, [row_of(AAAA)])


def _again(book, net):
    book.scene("TCP connections that begin again, %s" % net.name)
    peer = Peer(book, net, seq=5000)
    book.at(2 * SECOND)
    peer.seq -= 1
    peer.syn(RETRANSMITTED)
    peer.seq += 1
    peer.send("a query after a SYN that came twice", A, [row_of(A)])
    again = Peer(book, net, seq=70000)
    again.send("the same ports, a new connection: one more with a query", A, [row_of(A)])
    for seq in (2**32 - 2, 2**32 - 1, 2**32 - 20, 2**32 - len(A) - 1):
        peer = Peer(book, net, seq=seq, sport=seq % 1000 + 1024)
        peer.send("the sequence number wraps, from %d" % seq, A, [row_of(A)])
        peer.send("a length alone", A[:2])
        peer.send("its query", A[2:], [row_of(A)])
        peer.send("the first one again", A, at=-2 * len(A), inside=1)


def _refused(book, net):
    book.scene("TCP queries of who is refused, %s" % net.name)
    peer = Peer(book, net)
    book.source(net.client, banned_until=2 * SECOND)
    book.row("a banned sender's query is not counted", net, net.tcp(seq=peer.seq, flags=ACK, payload=A), "drop_banned")
    book.at(3 * SECOND)
    peer.send("twin: when the ban is over", A, [row_of(A)])
    book.set(syn_mode=ENFORCE, paused_until_ns=10 * SECOND)
    book.row("nothing is counted while the guard is paused", net, net.tcp(seq=peer.seq, flags=ACK, payload=A), "pass_paused",
             is_query=False)


# ---- any stream in any pieces ---------------------------------------------------------------------


def _stream(rnd):
    """Messages, each with the row it is counted in when it is whole in a segment; None = not a query."""
    kinds = ((A, row_of(A)), (AAAA, row_of(AAAA)), (message("a.b.c.example", 65), None), (message(flags=dns.QR), False),
             (message(flags=5 << 11), UNREAD), (b"\0\0", False), (b"\0\x05abcde", False), (message(edns={"size": 4096}), row_of(A)))
    picked = [kinds[rnd.randrange(len(kinds))] for _ in range(rnd.randrange(3, 14))]
    return [(data, row_of(data) if row is None else row) for data, row in picked]


class Follower:
    """What a guard that sees a stream from its beginning can know, said by who knows where each message lies."""

    def __init__(self, messages):
        self.messages, self.due, self.alone = {}, 0, False  # due: where the next message's length is
        at = 0
        for data, row in messages:
            self.messages[at] = (data, row)
            at += len(data)

    def _begins_query(self, start, end):
        """A whole query where a segment begins: there the guard takes up what it lost."""
        data, row = self.messages.get(start, (b"", False))
        return row is not False and start + len(data) <= end and data[4] & 0xF8 == 0

    def segment(self, start, end):
        """Returns the rows of the queries in it, and how it stands to what came before."""
        due = self.due + 2 * self.alone
        if due >= end:
            return [], {"inside": 1}
        if due >= start:
            return self._read(end), {}
        if not self._begins_query(start, end):
            return [], {"gaps": 1}
        self.due, self.alone = start, False
        return self._read(end), {"gaps": 1}

    def _read(self, end):
        rows = []
        while self.due in self.messages and (self.alone or self.due + 2 <= end):
            data, row = self.messages[self.due]
            seen = end - self.due
            if seen == 2 and len(data) > 2:
                self.alone = True
                break
            if seen < len(data):
                rows += [UNREAD] * (row is not False or seen < 2 + 12)
            elif row is not False:
                rows.append(row)
            self.due, self.alone = self.due + len(data), False
        return rows


def _segmented(book, net, rnd, number):
    messages = _stream(rnd)
    data = b"".join(wire for wire, _ in messages)
    follower, peer = Follower(messages), Peer(book, net, seq=rnd.randrange(2**32), sport=1024 + number)
    lengths = [at + 2 for at in follower.messages if at + 2 < len(data)]
    cuts = sorted({0, len(data), *(rnd.randrange(1, len(data)) for _ in range(rnd.randrange(1, 7))),
                   *rnd.sample(lengths, min(len(lengths), 2))})
    for start, end in zip(cuts, cuts[1:]):
        rows, stands = follower.segment(start, end)
        peer.send("stream %d, octets %d to %d of %d" % (number, start, end, len(data)), data[start:end], rows, **stands)
        if rnd.random() < 0.2 and follower.due >= end:
            peer.send("again", data[start:end], at=start - end, inside=1)


def _random(book):
    rnd = random.Random(53)
    for number in range(24):
        net = WIRES[number % len(WIRES)]
        book.scene("a TCP stream in pieces, %s" % net.name)
        _segmented(book, net, rnd, number)


def write(book):
    for net in WIRES:
        for part in (_plain, _pieces, _not_queries, _headers, _before, _again, _refused):
            part(book, net)
    _random(book)
