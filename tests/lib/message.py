# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS messages octet by octet (RFC 1035, 6891, 7873, 8914): queries, good and broken, and the answers they must get.

The rules of an answer are written down here a second time, from the design page, not from the program.
"""
import struct

import cookie

A, SOA, TXT, SIG, AAAA, OPT, HTTPS, TSIG, ANY = 1, 6, 16, 24, 28, 41, 65, 250, 255
IN, CHAOS = 1, 3
NOERROR, NXDOMAIN, REFUSED = 0, 3, 5
OPTION_COOKIE, OPTION_PADDING, OPTION_EDE, OPTION_NSID, OPTION_SUBNET = 10, 12, 15, 3, 8
QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010

ALLOW, NX, NODATA, ADDRESS, NULL, REFUSE, TRUNCATE, DROP, OBSERVE = range(9)  # enum dg_answer_kind
HAS_V4, HAS_V6, NO_EDE = 1, 2, 4  # enum dg_answer_flags


def labels(*parts):
    """A name in wire form from its labels, each bytes or text."""
    parts = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def name(text):
    """Plain names only, no escapes: "www.Example.com", "." is the root."""
    return labels(*[part for part in text.split(".") if part])


def text_of(wire):
    """Master-file text of a wire name; every octet that is not a letter, a digit or '-' as \\DDD."""
    out, at = [], 0
    while wire[at]:
        label = wire[at + 1 : at + 1 + wire[at]]
        out.append("".join(chr(c) if chr(c).isalnum() and c < 128 or c in b"-_" else "\\%03d" % c for c in label))
        at += 1 + wire[at]
    return ".".join(out) or "."


def lower(wire):
    """ASCII letters only; a length octet is at most 63 and so never a letter."""
    return bytes(c + 32 if 65 <= c <= 90 else c for c in wire)


def opt(size=1232, do=False, version=0, options=(), rcode=0, z=0, owner=b"\0", rdlen=None):
    rdata = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)
    ttl = rcode << 24 | version << 16 | (0x8000 if do else 0) | z
    return owner + struct.pack("!HHIH", OPT, size, ttl, len(rdata) if rdlen is None else rdlen) + rdata


def record(owner, rtype, ttl, rdata, rclass=IN):
    return owner + struct.pack("!HHIH", rtype, rclass, ttl, len(rdata)) + rdata


class Query:
    """A query message; what is not named is what a stub resolver would send."""

    def __init__(self, qname, qtype=A, *, ident=0xBEEF, flags=RD, qclass=IN, edns=None, extra=b"", counts=None,
                 tail=b""):
        self.qname = name(qname) if isinstance(qname, str) else qname
        self.qtype, self.ident, self.flags, self.edns = qtype, ident, flags, edns
        self.question = self.qname + struct.pack("!HH", qtype, qclass)
        additional = (opt(**edns) if edns is not None else b"") + extra
        counts = counts or (1, 0, 0, (edns is not None) + (1 if extra else 0))
        self.wire = struct.pack("!HH4H", ident, flags, *counts) + self.question + additional + tail

    def option(self, code):
        for have, data in (self.edns or {}).get("options", ()):
            if have == code:
                return data
        return None


class Answer:
    """What a listed name gets: one list's, or one of the operator's entries'."""

    def __init__(self, kind=NX, *, v4=None, v6=None, ede=15, text="operator", no_ede=False):
        self.kind, self.v4, self.v6, self.ede, self.text = kind, v4, v6, ede, text
        self.flags = (HAS_V4 if v4 else 0) | (HAS_V6 if v6 else 0) | (NO_EDE if no_ede else 0)


class Rules:
    """The live settings that shape an answer."""

    def __init__(self, negative_ttl=60, address_ttl=60, ede_text=True, secret=None, unix=0):
        self.negative_ttl, self.address_ttl, self.ede_text = negative_ttl, address_ttl, ede_text
        self.secret, self.unix = secret, unix


def _addresses(answer, qtype):
    """The one RRset of an address answer, or None: A before AAAA for ANY."""
    v4, v6 = (bytes(4), bytes(16)) if answer.kind == NULL else (answer.v4, answer.v6)
    if v4 and qtype in (A, ANY):
        return A, v4
    if v6 and qtype in (AAAA, ANY):
        return AAAA, v6
    return None


def _opt(query, rules, ede, client):
    options = []
    sent = query.option(OPTION_COOKIE)
    if ede is not None:
        options.append((OPTION_EDE, ede))
    if sent and rules.secret:
        options.append((OPTION_COOKIE, sent[:8] + cookie.server_cookie(rules.secret, sent[:8], client, rules.unix)))
    return opt(1232, do=query.edns.get("do", False), options=options)


def _soa(query, owner, rules):
    """owner: wire form of the name that decided, a suffix of the question's; sent as a pointer into it."""
    at = 12 + len(query.qname) - len(owner)
    pointer = struct.pack("!H", 0xC000 | at)
    rdata = pointer + b"\0" + struct.pack("!IIIII", 1, 3600, 600, 86400, rules.negative_ttl)
    return record(pointer, SOA, rules.negative_ttl, rdata)


def _head(query, flags, rcode, counts):
    flags |= QR | RA | query.flags & (RD | CD) | rcode
    return struct.pack("!HH4H", query.ident, flags, *counts) + query.question


def sinkholed(query, answer, owner, client, rules=None):
    """The message that must answer query; owner is the wire name of the entry, client the packed address."""
    rules = rules or Rules()
    found = _addresses(answer, query.qtype) if answer.kind in (ADDRESS, NULL) else None
    negative = answer.kind in (NX, NODATA) or answer.kind in (ADDRESS, NULL) and not found
    rcode = {NX: NXDOMAIN, REFUSE: REFUSED}.get(answer.kind, NOERROR)
    body, counts = b"", [1, 0, 0, 0]
    if found:
        body, counts[1] = record(b"\xc0\x0c", found[0], rules.address_ttl, found[1]), 1
    elif negative:
        body, counts[2] = _soa(query, owner, rules), 1
    if query.edns is not None:
        text = answer.text.encode() if rules.ede_text else b""
        ede = None if answer.flags & NO_EDE else struct.pack("!H", answer.ede) + text
        body, counts[3] = body + _opt(query, rules, ede, client), 1
    return _head(query, TC if answer.kind == TRUNCATE else 0, rcode, counts) + body


def truncated(query, client, rules=None):
    """The message of a slip: nothing but the question, TC=1, and an OPT for an OPT."""
    body = _opt(query, rules or Rules(), None, client) if query.edns is not None else b""
    return _head(query, TC, NOERROR, (1, 0, 0, 1 if body else 0)) + body
