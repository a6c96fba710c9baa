# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS messages that are not plain queries, or not well formed: passed by rule, never answered.

All ask for a name under a blocked one. DESIGN, "What a blocked query gets", last rule.
"""
import struct

import message as dns
from book import WIRES

NAME = "www.blocked.example"
COOKIE = b"\x24\x64\xc4\xab\xcf\x10\xc9\x57"


def _base(book, title):
    book.scene(title)
    book.own("blocked.example")


def _twin(book, net, query, why):
    book.answered(net, query, "twin: %s" % why, dns.Answer(), "blocked.example")


def _raw(book, net, payload, sentence, verdict):
    book.row(sentence, net, net.udp(payload), verdict)


def _header(book):
    _base(book, "header")
    good = dns.Query(NAME)
    for net in WIRES:
        _twin(book, net, good, "a plain query is answered")
        for length in (0, 1, 11):
            _raw(book, net, good.wire[:length], "a message of %d octets is too short" % length, "pass_short")
        _raw(book, net, dns.Query(NAME, flags=dns.QR | dns.RD).wire, "QR=1 passes", "pass_response")
        for opcode, what in ((1, "IQUERY"), (2, "STATUS"), (3, "3"), (4, "NOTIFY"), (5, "UPDATE"), (6, "DSO"), (15, "15")):
            _raw(book, net, dns.Query(NAME, flags=opcode << 11).wire, "opcode %s passes" % what, "pass_opcode")
        for flags, what in ((dns.AA | dns.TC, "AA and TC"), (0x0040, "the reserved bit"), (dns.AD, "AD"),
                            (dns.RA, "RA"), (0x000F, "an RCODE"), (0, "no RD"), (dns.RD | dns.CD, "RD and CD")):
            _twin(book, net, dns.Query(NAME, flags=flags), "%s in the query is no reason" % what)
        for ident in (0, 1, 0xFFFF):
            _twin(book, net, dns.Query(NAME, ident=ident), "ID %d is echoed" % ident)


def _counts(book):
    _base(book, "counts")
    for net in WIRES:
        _twin(book, net, dns.Query(NAME), "1, 0, 0, 0 is answered")
        for counts in ((0, 0, 0, 0), (2, 0, 0, 0), (256, 0, 0, 0), (65535, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0),
                       (1, 256, 0, 0), (1, 0, 256, 0), (1, 1, 1, 0)):
            query = dns.Query(NAME, counts=counts, tail=dns.Query(NAME).question)
            _raw(book, net, query.wire, "counts %d, %d, %d, %d pass" % counts, "pass_counts")
        _raw(book, net, struct.pack("!HH4H", 1, dns.RD, 0, 0, 0, 1) + dns.opt(options=[(10, COOKIE)]),
             "a cookie query without a question (RFC 7873) passes", "pass_counts")


def _broken_names():
    blocked = dns.name("blocked.example")
    fixed = struct.pack("!HH", dns.A, dns.IN)
    yield b"\xc0\x0c" + fixed, "a pointer to itself"
    yield b"\x03www\xc0\x20" + fixed + blocked, "a pointer behind a label"
    yield b"\x03www\xc0\x00" + fixed, "a pointer into the header"
    for first, what in ((0x40, "label type 01"), (0x7f, "label type 01, 63 more"), (0x80, "label type 10"), (0xbf, "label type 10, 63 more")):
        yield bytes([first]) + b"a" * first + blocked + fixed, what
    yield b"\x41\x01\x02" + fixed, "an EDNS bit label"
    yield b"\x3f" + b"a" * 20, "a label that runs out of the message"
    yield b"\x03www\x07blocked", "a name without its root"
    yield b"\x03www\x07blocked\x07exampl", "a last label that is one octet short"
    yield b"", "no name at all"
    yield dns.labels(*["a" * 63] * 3, "b" * 62, ) [:-1] + b"\x01c\0" + fixed, "a name of 258 octets"
    yield dns.labels(*["a" * 63] * 3, "b" * 62) + fixed, "a name of 256 octets"
    yield dns.labels(*["a"] * 128) + fixed, "128 labels"
    yield dns.labels(*["a"] * 200) + fixed, "200 labels"
    yield blocked, "a name without type and class"
    yield blocked + b"\0\1", "a question without class"
    yield blocked + b"\0\1\0", "a question that is one octet short"


def _names(book):
    _base(book, "names")
    longest = dns.labels("x" * 60, *["a" * 63] * 2, "b" * 48, "blocked", "example")
    many = dns.labels(*["a"] * 119, "blocked", "example")
    assert len(longest) == 255 and len(many) == 255
    head = struct.pack("!HH4H", 7, dns.RD, 1, 0, 0, 0)
    for net in WIRES:
        for body, what in _broken_names():
            _raw(book, net, head + body, "QNAME: %s passes" % what, "pass_bad_name")
        _twin(book, net, dns.Query(longest), "255 octets are answered")
        _twin(book, net, dns.Query(many), "121 labels in 255 octets are answered")
        _twin(book, net, dns.Query(dns.labels("l" * 63, "blocked", "example")), "a label of 63 octets is answered")
        _twin(book, net, dns.Query(dns.labels(bytes(range(0, 63)), bytes(range(193, 256)), "blocked", "example")),
              "labels of any octets are answered, and echoed")
        _twin(book, net, dns.Query("wWw.BLOckED.eXAMPLe"), "0x20 case is echoed")


def _longest(book):
    """127 labels leave room for nothing else: the blocked name is such a one itself."""
    book.scene("the most labels")
    most = dns.labels(*["a"] * 127)
    upper = dns.labels(*["A"] * 127)
    assert len(most) == 255
    book.own(most)
    book.image((dns.Answer(dns.REFUSE, text="deep"), dns.labels(*["b"] * 127), dns.labels(*["c"] * 126)))
    deep = dns.Answer(dns.REFUSE, text="deep")
    for net in WIRES:
        book.answered(net, dns.Query(most), "127 labels, the operator's", dns.Answer(), most)
        book.answered(net, dns.Query(upper), "127 labels in upper case", dns.Answer(), upper)
        book.answered(net, dns.Query(dns.labels(*["b"] * 127)), "127 labels, a list's", deep, dns.labels(*["b"] * 127),
                      number=1)
        book.answered(net, dns.Query(dns.labels("x", *["c"] * 126)), "126 labels and one below", deep,
                      dns.labels(*["c"] * 126), number=1)
        book.asks(net, dns.Query(dns.labels(*["a"] * 126)), "126 of the 127 labels are not the name", "pass_clean")
        book.asks(net, dns.Query(dns.labels(*["c"] * 125)), "125 of the 126 labels are not the name", "pass_clean")


def _class(book):
    _base(book, "class")
    for net in WIRES:
        _twin(book, net, dns.Query(NAME), "class IN is answered")
        for qclass in (0, 2, 3, 4, 254, 255, 256, 0x8001):
            _raw(book, net, dns.Query(NAME, qclass=qclass).wire, "class %d passes" % qclass, "pass_class")


def _signatures():
    tsig = dns.record(dns.name("key.example"), dns.TSIG, 0, bytes(40), 255)
    sig = dns.record(b"\0", dns.SIG, 0, bytes(60), 255)
    pointed = dns.record(b"\xc0\x0c", dns.TSIG, 0, bytes(40), 255)
    yield dns.Query(NAME, extra=tsig), "TSIG"
    yield dns.Query(NAME, edns={}, extra=tsig), "TSIG behind an OPT"
    yield dns.Query(NAME, extra=sig), "SIG(0)"
    yield dns.Query(NAME, edns={"do": True}, extra=sig), "SIG(0) behind an OPT"
    yield dns.Query(NAME, extra=pointed), "TSIG with a compressed owner"


def _bad_records():
    plain = dns.opt()
    yield dns.Query(NAME, counts=(1, 0, 0, 1)), "ARCOUNT 1 and nothing there"
    yield dns.Query(NAME, tail=plain), "an OPT that ARCOUNT does not count"
    yield dns.Query(NAME, tail=b"\0"), "one octet behind the question"
    yield dns.Query(NAME, edns={}, tail=b"\0"), "one octet behind the OPT"
    yield dns.Query(NAME, edns={}, extra=plain), "two OPT records"
    yield dns.Query(NAME, edns={}, counts=(1, 0, 0, 2)), "ARCOUNT 2 and one there"
    yield dns.Query(NAME, edns={}, counts=(1, 0, 0, 257)), "ARCOUNT 257"
    yield dns.Query(NAME, extra=dns.record(dns.name("a.example"), dns.A, 1, bytes(4))), "an A record"
    yield dns.Query(NAME, edns={}, extra=dns.record(b"\xc0\x0c", dns.A, 1, bytes(4))), "an A record behind an OPT"
    yield dns.Query(NAME, extra=dns.record(b"\0", dns.A, 1, bytes(4)) + plain, counts=(1, 0, 0, 2)), "an A in front of an OPT"
    yield dns.Query(NAME, edns={"owner": dns.name("x")}), "an OPT whose owner is not the root"
    yield dns.Query(NAME, edns={"owner": b"\xc0\x0c"}), "an OPT whose owner is a pointer"
    yield dns.Query(NAME, edns={"rdlen": 1}), "an OPT whose RDLENGTH passes the end"
    yield dns.Query(NAME, edns={"rdlen": 65535}), "an OPT whose RDLENGTH is 65535"
    for cut in range(1, 11):
        yield dns.Query(NAME, extra=plain[:cut]), "an OPT cut after %d octets" % cut


def _bad_options():
    def edns(data):
        return dns.Query(NAME, extra=dns.opt(rdlen=len(data)) + data)

    yield edns(b"\0"), "one octet of options"
    yield edns(b"\0\3\0"), "an option header cut short"
    yield edns(b"\0\3\0\1"), "an option longer than RDLENGTH"
    yield edns(b"\0\3\0\0\0"), "an octet behind the last option"
    yield edns(b"\0\3\xff\xff"), "an option of 65535 octets"
    for length in (0, 1, 7, 9, 15, 41, 64):
        yield dns.Query(NAME, edns={"options": [(10, bytes(length))]}), "a COOKIE of %d octets (RFC 7873)" % length


def _records(book):
    _base(book, "additional section")
    for net in WIRES:
        for query, what in _signatures():
            _raw(book, net, query.wire, "%s passes" % what, "pass_signed")
        for query, what in (*_bad_records(), *_bad_options()):
            _raw(book, net, query.wire, "%s passes" % what, "pass_records")
        for version in (1, 2, 255):
            _raw(book, net, dns.Query(NAME, edns={"version": version}).wire, "EDNS version %d passes" % version,
                 "pass_edns_version")
        _records_good(book, net)


def _records_good(book, net):
    _twin(book, net, dns.Query(NAME, edns={}), "one OPT is answered with one")
    _twin(book, net, dns.Query(NAME, edns={"do": True}), "DO is copied")
    _twin(book, net, dns.Query(NAME, edns={"z": 0x7FFF}), "the other EDNS flags are not copied")
    _twin(book, net, dns.Query(NAME, edns={"rcode": 0xFF}), "an extended RCODE in a query is no reason, nor copied")
    for size in (0, 511, 512, 4096, 65535):
        _twin(book, net, dns.Query(NAME, edns={"size": size}), "UDP size %d" % size)
    for options, what in (([(3, b"")], "NSID"), ([(8, b"\0\1\x18\0\xc0\0\2")], "a client subnet"),
                          ([(12, bytes(128))], "padding"), ([(65001, b"x")] * 8, "eight unknown options"),
                          ([(11, b""), (10, COOKIE), (3, b"")], "a client cookie among others"),
                          ([(10, COOKIE + bytes(8))], "a cookie of 16 octets"),
                          ([(10, COOKIE + bytes(32))], "a cookie of 40 octets"),
                          ([(0, b"")], "option 0")):
        _twin(book, net, dns.Query(NAME, edns={"options": options}), "%s in the query is no reason" % what)


def write(book):
    for part in (_header, _counts, _names, _longest, _class, _records):
        part(book)
