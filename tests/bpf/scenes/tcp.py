# SPDX-License-Identifier: GPL-2.0-or-later
"""The books on TCP: first SYNs, retransmitted ones, what is no SYN, and the SYN limit."""
from book import ENFORCE, FIRST, IF_OBSERVE, NO_LIMIT, OBSERVE, OFF, RETRANSMITTED, SECOND, WIRES

SYN, ACK, RST, FIN, PSH, ECE, CWR = 0x02, 0x10, 0x04, 0x01, 0x08, 0x40, 0x80
SERVICE_SYN, SERVICE_RETRANSMITTED = 2, 3  # words of struct dg_service_stats


def _first(book, net, sentence, verdict="pass_tcp", **tcp):
    book.row(sentence, net, net.tcp(**tcp), verdict, counts=[("syn", None, FIRST, 1), ("service", 0, SERVICE_SYN, 1)])


def _again(book, net, sentence, verdict="pass_tcp", **tcp):
    book.row(sentence, net, net.tcp(**tcp), verdict,
             counts=[("syn", None, RETRANSMITTED, 1), ("service", 0, SERVICE_RETRANSMITTED, 1)])


def _books(book):
    for net in WIRES:
        book.scene("SYNs, %s" % net.name)
        _first(book, net, "a first SYN")
        book.at(2 * SECOND)
        _again(book, net, "the same SYN a second later is a retransmission")
        book.at(4 * SECOND)
        _again(book, net, "and again")
        book.at(36 * SECOND)
        _again(book, net, "and after the longest back-off of 32 s")
        _first(book, net, "another sequence number is another connection", seq=2)
        _first(book, net, "another port is another connection", sport=40054)
        _first(book, net, "another sender is another connection", src=net.pick("198.51.100.8", "2001:db8:c:1::8"))
        book.at(80 * SECOND)
        _first(book, net, "after more than 40 s it is a new one")
        for flags, what in ((SYN | ACK, "SYN and ACK"), (ACK, "ACK"), (RST, "RST"), (FIN | ACK, "FIN and ACK"),
                            (PSH | ACK, "PSH and ACK"), (0, "no flag at all")):
            book.row("%s is on no book" % what, net, net.tcp(flags=flags, seq=9), "pass_tcp")
        _first(book, net, "a SYN that offers ECN is one", flags=SYN | ECE | CWR, seq=10)
        _first(book, net, "a SYN with data (fast open) is one", seq=11, payload=b"y" * 40)
        cut = net.tcp(seq=12)[: net.l4 + 14]
        book.row("a TCP header cut short is on no book", net, cut, "pass_tcp")


def _limit(book):
    for net in WIRES:
        book.scene("SYN limit, %s" % net.name)
        book.set(syn_mode=ENFORCE)
        book.rate(2, 2, "syn")
        _first(book, net, "within the burst, 1", seq=1)
        _again(book, net, "within the burst, 2, a retransmission", seq=1)
        _first(book, net, "over the burst", "drop_syn_limited", seq=3)
        book.row("twin: what is no SYN passes", net, net.tcp(flags=ACK, seq=9), "pass_tcp")
        _first(book, net, "twin: another sender", seq=4, src=net.pick("203.0.113.8", "2001:db8:d::8"))
        book.at(SECOND + SECOND // 2 + 1000)
        _first(book, net, "half a second later one more", seq=5)
        _first(book, net, "and not two", "drop_syn_limited", seq=6)
        _limit_modes(book, net)


def _limit_modes(book, net):
    for title, mode, device, label in (("SYN limit observed", OBSERVE, 0, "pass_observed_syn"),
                                       ("SYN limit on a device that observes", ENFORCE, IF_OBSERVE, "pass_observed_syn"),
                                       ("SYN limit off", OFF, 0, "pass_tcp")):
        book.scene("%s, %s" % (title, net.name))
        book.set(syn_mode=mode)
        book.device(device)
        book.rate(2, 1, "syn")
        _first(book, net, "within the burst")
        _first(book, net, "over it", label, seq=2)
    book.scene("SYN limit and an exempt sender, %s" % net.name)
    book.set(syn_mode=ENFORCE)
    book.rate(2, 1, "syn")
    book.source(net.pick("198.51.100.7", "2001:db8:c:1::7"), NO_LIMIT)
    for turn in range(3):
        _first(book, net, "is not limited, %d" % turn, seq=turn)


def write(book):
    for part in (_books, _limit):
        part(book)
