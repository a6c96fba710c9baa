# SPDX-License-Identifier: GPL-2.0-or-later
"""The book of rows: scenes and rows are said here in the terms of the design page and written as replay's commands.

A scene is a state of the guard, a row is one frame shown to it. What a verdict must count is known here once.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import message as dns
import wire
from wire import WIRES

SECOND = 10**9
FOREVER = 2**64 - 1
OFF, OBSERVE, ENFORCE = range(3)  # enum dg_mode
GUARDED, OWN = 1, 2  # enum dg_service_flags
NO_LIMIT, NO_SINKHOLE, CLIENT = 1, 2, 4  # enum dg_source_flags
IF_OBSERVE, IF_ANSWERS_OFF = 2, 4  # enum dg_iface_flags
EDE_TEXT, COOKIE_SECRET, COOKIE_PASS, CLIENTS_ONLY = 1, 2, 4, 8  # enum dg_settings_flags
BELOW, SELF = 1, 2  # enum dg_scope
PASSED, DROPPED, SLIPPED, OBSERVED = range(4)  # enum dg_limit_action
FIRST, RETRANSMITTED = range(2)  # enum dg_syn_kind
UNIX_OFFSET = 1700000000 * SECOND  # realtime_offset_ns of the base state

# Frames that are not DNS queries to us: nothing but the verdict counts them.
NOT_QUERIES = {"pass_not_dns", "pass_fragment", "pass_ip_options", "pass_bad_length", "pass_not_service",
               "pass_paused", "pass_short", "pass_response", "pass_tcp", "drop_banned", "drop_syn_limited",
               "pass_observed_syn", "drop_tcp_share", "pass_observed_tcp_share"}


# Of a query with one of these verdicts the question was not read.
UNREAD_VERDICTS = {"pass_opcode", "pass_counts", "pass_bad_name", "pass_class"}
QTYPES = (1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 43, 46, 47, 48, 52, 64, 65, 251, 252, 255, 257)  # DG_QTYPES
OTHER, UNREAD, FIRST_QTYPE = 0, 1, 2  # enum dg_qtype


def qtype_row(qtype):
    if qtype in QTYPES:
        return FIRST_QTYPE + QTYPES.index(qtype)
    return OTHER if qtype else UNREAD


def question_row(message, verdict, slip=0):
    """Where a query's type is counted, by the message itself. A refused one is read only to be told to use TCP."""
    if verdict in UNREAD_VERDICTS or (verdict == "pass_records" and message[10:12] > b"\0\2"):
        return UNREAD
    if verdict == "drop_limited" and slip != 1:
        return UNREAD
    at = 12
    while message[at:at + 1] > b"\0":
        at += 1 + message[at]
    if verdict == "drop_limited" and message[2] & 0x78:
        return UNREAD
    qtype, qclass = message[at + 1:at + 3], message[at + 3:at + 5]
    return qtype_row(int.from_bytes(qtype, "big")) if qclass == b"\0\1" else UNREAD


class Book:
    def __init__(self):
        self.lines, self.rows, self.now_ns = [], [], SECOND
        self.answers = {}  # (entry or list name) -> (Answer, list number), of the scene at hand

    def say(self, *words):
        words = [str(word) for word in words]
        assert not any("\t" in word or "\n" in word for word in words), words
        self.lines.append("\t".join(words))

    # ---- states

    def scene(self, title, services=True):
        self.say("scene", title)
        self.title, self.rules, self.lists, self.slip = title, dns.Rules(), 0, 0
        self.at(SECOND)
        if services:
            for server in ("192.0.2.53", "2001:db8:53::53"):
                self.say("service", server, GUARDED)

    def at(self, now_ns):
        self.now_ns = now_ns
        self.say("now", now_ns)

    def set(self, **fields):
        self.slip = fields.get("slip", self.slip)
        for field, value in fields.items():
            self.say("set", field, value)

    def _answer(self, answer):
        return (answer.kind, answer.flags, answer.ede, answer.text, (answer.v4 or bytes(4)).hex(),
                (answer.v6 or bytes(16)).hex())

    def own(self, qname, answer=None, until=0):
        """An entry of the operator's; kind ALLOW makes it an allow entry. qname: text or wire form."""
        answer = answer or dns.Answer()
        self.say("own", qname if isinstance(qname, str) else dns.text_of(qname), until, *self._answer(answer))
        return answer

    def image(self, *lists):
        """lists: (Answer, names...), published as list 1, 2, ... A name may be (name, scope) or (name, scope, Answer)."""
        for answer, *_ in lists:
            self.say("list", *self._answer(answer))
        self._own_answers = {}
        for number, (_, *names) in enumerate(lists, 1):
            for qname in names:
                if isinstance(qname, tuple):
                    self._scoped(len(lists), number, *qname)
                else:
                    self.say("name", qname if isinstance(qname, str) else dns.text_of(qname), number)
        self.say("publish")

    def _scoped(self, lists, number, qname, scope, answer=None):
        """A name in one scope, with an answer of its own (equal ones have one number) or its list's."""
        if answer:
            key = (number, self._answer(answer))
            if key not in self._own_answers:
                self.say("answer", number, *self._answer(answer))
            number = self._own_answers.setdefault(key, lists + 1 + len(self._own_answers))
        self.say("scope", qname, number, scope)

    def source(self, prefix, flags=0, banned_until=0):
        self.say("source", prefix, flags, banned_until)

    def device(self, flags=0, virtual_mac=bytes(6)):
        self.say("device", flags, virtual_mac.hex())

    def rate(self, per_sec, burst, charge="query"):
        for family in ("ipv4", "ipv6"):
            self.say("rate", charge, family, per_sec, burst)

    # ---- rows

    def row(self, sentence, net, frame, verdict, *, out=None, counts=(), query=None, facts=None, is_query=None):
        """out: the answer's frame. counts: (what, where, which, how often) beyond those of the verdict."""
        family = net.pick("ipv4", "ipv6")
        self.say("row", "%s (%s)" % (sentence, net.name))
        self.say("in", frame.hex())
        self.say("verdict", verdict)
        if out is not None:
            self.say("out", out.hex())
        if verdict not in NOT_QUERIES if is_query is None else is_query:
            self.say("count", "queries", family, 0, 1)
            self.say("count", "service", 0, 0, 1)
            self.say("count", "qtype", 0, question_row(frame[net.l4 + 8:], verdict, self.slip), 1)
        for what, where, which, times in counts:
            self.say("count", what, where or family, which, times)
        self.say("run")
        self.rows.append({"title": self.title, "sentence": sentence, "net": net, "frame": frame, "verdict": verdict,
                          "out": out, "query": query, "facts": facts or {}, "now_ns": self.now_ns})

    def asks(self, net, query, sentence, verdict, *, counts=(), **udp):
        """A query that passes or is dropped."""
        self.row(sentence, net, net.udp(query.wire, **udp), verdict, counts=counts, query=query)

    def answered(self, net, query, sentence, answer, owner, *, number=0, counts=(), **udp):
        """A query that the kernel answers on behalf of entry `owner` of list `number`."""
        client = wire.address(udp.get("src") or net.client)
        owner = dns.name(owner) if isinstance(owner, str) else owner
        rules = dns.Rules(**{**vars(self.rules), "unix": (self.now_ns + UNIX_OFFSET) // SECOND})
        reply = dns.sinkholed(query, answer, owner, client, rules)
        back = {key: udp[key] for key in ("src", "dst", "sport", "dport", "dst_mac") if key in udp}
        self.row(sentence, net, net.udp(query.wire, **udp), "reply_sinkhole", out=net.answer(reply, **back),
                 counts=[*counts, ("answers", number, answer.kind, 1)], query=query,
                 facts={"answer": answer, "owner": owner, "reply": reply, "secret": self.rules.secret})

    def slipped(self, net, query, sentence, counts=None, **udp):
        client = wire.address(udp.get("src") or net.client)
        rules = dns.Rules(**{**vars(self.rules), "unix": (self.now_ns + UNIX_OFFSET) // SECOND})
        reply = dns.truncated(query, client, rules)
        back = {key: udp[key] for key in ("src", "dst", "sport", "dport", "dst_mac") if key in udp}
        self.row(sentence, net, net.udp(query.wire, **udp), "reply_truncated", out=net.answer(reply, **back),
                 counts=counts or [("limit", None, SLIPPED, 1)], query=query, facts={"reply": reply})
