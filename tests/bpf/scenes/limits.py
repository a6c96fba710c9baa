# SPDX-License-Identifier: GPL-2.0-or-later
"""The limiter's decisions row by row, its slip, and the answer budget. The clock is the rows' own."""
import message as dns
from book import (CLIENTS_ONLY, DROPPED, EDE_TEXT, ENFORCE, IF_ANSWERS_OFF, IF_OBSERVE, NO_LIMIT, NO_SINKHOLE, OBSERVE,
                  OBSERVED, OFF, PASSED, SECOND, SLIPPED, WIRES)

CLEAN, LISTED = dns.Query("example.net"), dns.Query("example.com")
TICKS_A_SECOND = SECOND >> 4  # DG_TICK_SHIFT


def _scene(book, net, title, mode=ENFORCE, rate=10, burst=5):
    book.scene("%s, %s" % (title, net.name))
    book.set(limit_mode=mode)
    book.rate(rate, burst)
    book.own("example.com")


def _passes(book, net, times, sentence="within the burst", **udp):
    for turn in range(1, times + 1):
        book.asks(net, CLEAN, "%s, %d" % (sentence, turn), "pass_clean", counts=[("limit", None, PASSED, 1)], **udp)


def _refuses(book, net, times, sentence="over the burst", query=CLEAN, **udp):
    for turn in range(1, times + 1):
        book.asks(net, query, "%s, %d" % (sentence, turn), "drop_limited", counts=[("limit", None, DROPPED, 1)], **udp)


def _burst(book):
    for net in WIRES:
        _scene(book, net, "burst of 5 at 10 a second")
        _passes(book, net, 5)
        _refuses(book, net, 3)
        book.at(SECOND + SECOND // 10 - 1000)
        _refuses(book, net, 1, "a microsecond before a tenth of a second")
        book.at(SECOND + SECOND // 10 + 1000)
        _passes(book, net, 1, "after a tenth of a second one more: refused queries cost nothing")
        _refuses(book, net, 1, "and then no more")
        _passes(book, net, 5, "another sender", src=net.pick("203.0.113.77", "2001:db8:aaaa::7"))
        book.at(100 * SECOND)
        _passes(book, net, 5, "after a long rest the whole burst")
        _refuses(book, net, 1, "and not one more")
        book.at(100 * SECOND - SECOND)
        book.at(200 * SECOND)
        _passes(book, net, 2, "listed and malformed ones count too")
        book.answered(net, LISTED, "a listed name within the burst", dns.Answer(), "example.com",
                      counts=[("limit", None, PASSED, 1)])
        book.row("a malformed query is charged", net, net.udp(dns.Query("x", qclass=3).wire), "pass_class",
                 counts=[("limit", None, PASSED, 1)])
        book.row("a response is not", net, net.udp(dns.Query("x", flags=dns.QR).wire), "pass_response")
        book.row("nor is a short message", net, net.udp(b"12345678901"), "pass_short")
        _passes(book, net, 1, "the fifth")
        _refuses(book, net, 1, "a listed name over the limit is refused, not answered", LISTED)
        book.row("a malformed query over the limit is refused", net, net.udp(dns.Query("x", qclass=3).wire),
                 "drop_limited", counts=[("limit", None, DROPPED, 1)])


def _ladder(book):
    """The second rung of IPv6, /64, may use twice the base; IPv4's, /24, 32 times."""
    for net in WIRES:
        _scene(book, net, "ladder", rate=5, burst=4)  # 5 a second: no rung's cost is rounded
        for host in range(1, net.pick(33, 3)):
            source = net.pick("198.51.100.%d", "2001:db8:1:2::%x") % host
            _passes(book, net, 4, "address %d of the prefix" % host, src=source)
        _refuses(book, net, 1, "a fresh address of a prefix that is full", src=net.pick("198.51.100.200", "2001:db8:1:2::ff"))
        _passes(book, net, 3, "twin: a fresh address of the next prefix",
                src=net.pick("198.51.101.1", "2001:db8:1:3::1"))


def _exempt(book):
    for net in WIRES:
        _scene(book, net, "exempt from limits", burst=1)
        book.source(net.pick("198.51.100.0/24", "2001:db8:c::/48"), NO_LIMIT)
        book.source(net.pick("203.0.113.0/24", "2001:db8:d::/48"), NO_SINKHOLE)
        for turn in (1, 2, 3):
            book.asks(net, CLEAN, "an exempt sender, %d" % turn, "pass_clean", counts=[("limit", None, PASSED, 1)])
        book.answered(net, LISTED, "exempt from limits is not exempt from the sinkhole", dns.Answer(), "example.com",
                      counts=[("limit", None, PASSED, 1)])
        other = net.pick("203.0.113.7", "2001:db8:d::7")
        _passes(book, net, 1, "exempt from the sinkhole only", src=other)
        _refuses(book, net, 1, "exempt from the sinkhole only, over its limit", src=other)


def _modes(book):
    for net in WIRES:
        _scene(book, net, "limits off", OFF, burst=1)
        for turn in (1, 2):
            book.asks(net, CLEAN, "nothing is charged, %d" % turn, "pass_clean")
        for title, mode, device in (("limits observed", OBSERVE, 0), ("limits on a device that observes", ENFORCE, IF_OBSERVE)):
            _scene(book, net, title, mode, burst=1)
            book.device(device)
            book.set(slip=1)
            _passes(book, net, 1)
            book.asks(net, CLEAN, "over the burst is told and passes", "pass_observed_limited",
                      counts=[("limit", None, OBSERVED, 1)])
            if not device:
                book.answered(net, LISTED, "the sinkhole enforces all the same", dns.Answer(), "example.com",
                              counts=[("limit", None, OBSERVED, 1)])
            book.at(2 * SECOND)
            _passes(book, net, 1, "twin: within the rate again")
        _scene(book, net, "no rate", ENFORCE, rate=0, burst=1)
        _passes(book, net, 3, "a rate of 0 limits nobody")


def _slip(book):
    queries = (CLEAN, dns.Query("WwW.example.NET", dns.AAAA, edns={"do": True, "size": 4096}, flags=dns.RD | dns.CD), LISTED,
               dns.Query("x.example.net", edns={"options": [(10, bytes(8))]}, flags=0))
    for net in WIRES:
        _scene(book, net, "slip every query", burst=1)
        book.set(slip=1)
        _passes(book, net, 1)
        for number, query in enumerate(queries):
            book.slipped(net, query, "query %d is told to use TCP" % number)
        book.slipped(net, dns.Query("."), "the root's is the shortest answer: what padded the query is blanked", pad=b"\xa5" * 9)
        _refuses(book, net, 1, "a broken question is not answered", dns.Query(b"\xc0\x0c"))
        _refuses(book, net, 1, "EDNS version 1 is not answered", dns.Query("x", edns={"version": 1}))
        _refuses(book, net, 1, "a signed query is not answered", dns.Query("x", extra=dns.record(b"\0", dns.SIG, 0, b"")))
        _refuses(book, net, 1, "another opcode is not answered", dns.Query("x", flags=4 << 11))
        _refuses(book, net, 1, "another class is not answered", dns.Query("x", qclass=3))
        _refuses(book, net, 1, "a frame for another host is not answered", dst_mac="02:00:00:00:00:99")
        _slip_turns(book, net)


def _slip_turns(book, net):
    for slip in (2, 3):
        _scene(book, net, "slip every %d" % slip, burst=1)
        book.set(slip=slip)
        _passes(book, net, 1)
        for turn in range(1, 3 * slip + 1):
            if turn % slip:
                _refuses(book, net, 1, "refused query %d" % turn)
            else:
                book.slipped(net, CLEAN, "refused query %d has its turn" % turn)
        book.set(slip=0)
        _refuses(book, net, slip, "slip switched off")
    _scene(book, net, "slip and answers off", burst=1)
    book.set(slip=1)
    book.device(IF_ANSWERS_OFF)
    _passes(book, net, 1)
    _refuses(book, net, 2, "nothing is sent from a device whose answers are off")
    _scene(book, net, "slip and client prefixes", burst=1)
    book.set(slip=1, flags=EDE_TEXT | CLIENTS_ONLY)
    _passes(book, net, 1)
    _refuses(book, net, 2, "a stranger is sent nothing")
    _scene(book, net, "slip and bad sources", burst=1)
    book.set(slip=1)
    for source in (net.pick("224.0.0.1", "ff02::1"), net.pick("192.0.2.53", "2001:db8:53::53")):
        _passes(book, net, 1, "from %s" % source, src=source)
        _refuses(book, net, 1, "from %s, over its limit" % source, src=source)


def _budget(book):
    for net in WIRES:
        book.scene("budget of 3 answers, 10 a second, %s" % net.name)
        book.own("example.com")
        book.own("drop.example", dns.Answer(dns.DROP))
        book.set(budget_cost=TICKS_A_SECOND // 10, budget_ceiling=3 * (TICKS_A_SECOND // 10))
        for turn in range(3):
            source = net.pick("203.0.113.%d", "2001:db8:%x::1") % (turn + 1)
            book.answered(net, LISTED, "answer %d, each to another sender" % turn, dns.Answer(), "example.com", src=source)
        book.asks(net, LISTED, "the budget is spent", "drop_budget")
        book.asks(net, CLEAN, "twin: what is not answered needs no budget", "pass_clean")
        book.asks(net, dns.Query("drop.example"), "twin: a drop needs no budget", "drop_sinkhole",
                  counts=[("answers", 0, dns.DROP, 1)])
        book.at(SECOND + SECOND // 10 + 1000)
        book.answered(net, LISTED, "a tenth of a second later one more", dns.Answer(), "example.com")
        book.asks(net, LISTED, "and not two", "drop_budget")
        book.set(budget_cost=0)
        book.answered(net, LISTED, "no budget, no bound", dns.Answer(), "example.com")
        _budget_slip(book, net)
        _budget_batch(book, net)


# A bound of many answers is taken sixteen at a time: what a CPU has paid for, it may give without looking at the clock.
def _budget_batch(book, net):
    book.scene("budget of 64 answers, 1000 a second, %s" % net.name)
    book.own("example.com")
    cost = TICKS_A_SECOND // 1000
    book.set(budget_cost=cost, budget_ceiling=64 * cost)
    _answers(book, net, 64)
    book.asks(net, LISTED, "four batches are given: the budget is spent", "drop_budget")
    book.at(SECOND + SECOND // 1000 * 15)
    book.asks(net, LISTED, "fifteen answers later there is no batch yet", "drop_budget")
    book.at(SECOND + SECOND // 1000 * 16 + 1000)
    _answers(book, net, 16)
    book.asks(net, LISTED, "and not seventeen", "drop_budget")
    book.set(budget_cost=cost, budget_ceiling=63 * cost)
    book.at(SECOND + SECOND // 1000 * 18 + 1000)
    _answers(book, net, 1)
    book.asks(net, LISTED, "a bound of fewer is exact to the answer", "drop_budget")


def _answers(book, net, count):
    for turn in range(count):
        source = net.pick("203.0.113.%d", "2001:db8:%x::1") % (turn + 1)
        book.answered(net, LISTED, "answer %d" % (turn + 1), dns.Answer(), "example.com", src=source)


def _budget_slip(book, net):
    _scene(book, net, "budget and slip", burst=1)
    book.set(slip=1, budget_cost=TICKS_A_SECOND, budget_ceiling=TICKS_A_SECOND)
    _passes(book, net, 1)
    book.slipped(net, CLEAN, "the budget's one answer")
    _refuses(book, net, 1, "then a refused query is dropped")


def write(book):
    for part in (_burst, _ladder, _exempt, _modes, _slip, _budget):
        part(book)
