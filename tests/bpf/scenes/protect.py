# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP protection: SYNs of sources that hold their share of connections, and what the pressure tightens."""
import message as dns
from book import ENFORCE, FIRST, IF_OBSERVE, NO_LIMIT, OBSERVE, OFF, RETRANSMITTED, SECOND, WIRES

ACK = 0x10
TOP = 4  # DG_PROTECT_STEPS
NO_BOUND = 0
UNTIL = 10 * SECOND
CLEAN = dns.Query("example.net")


def _rungs(narrow, wide=NO_BOUND):
    """A __u32[DG_SHARE_RUNGS] as the one number that replay writes."""
    return narrow | wide << 32


def _syn(book, net, sentence, verdict="pass_tcp", kind=FIRST, **tcp):
    book.seq = getattr(book, "seq", 100) + (kind == FIRST)
    book.row(sentence, net, net.tcp(seq=book.seq, **tcp), verdict,
             counts=[("syn", None, kind, 1), ("service", 0, 2 + kind, 1)])


def _scene(book, net, title, mode=ENFORCE, **fields):
    book.scene("%s, %s" % (title, net.name))
    book.set(**{"protect.mode": mode}, **{"protect." + name: value for name, value in fields.items()})


def _client(net, last=7):
    return net.pick("198.51.100.%d" % last, "2001:db8:c:1::%x" % last)


def _neighbour(net):
    """Another source, in the same wide prefix."""
    return net.pick("198.51.100.99", "2001:db8:c:99::1")


def _stranger(net):
    return net.pick("203.0.113.7", "2001:db8:d::7")


def _share(book):
    for net in WIRES:
        _scene(book, net, "share of 3", base=_rungs(3))
        _syn(book, net, "nobody holds anything", src=_client(net))
        book.say("holds", _client(net), 2)
        _syn(book, net, "one less than its share", src=_client(net))
        book.say("holds", _client(net), 1)
        _syn(book, net, "its share", "drop_tcp_share", src=_client(net))
        book.at(2 * SECOND)
        _syn(book, net, "and so is the retransmission", "drop_tcp_share", RETRANSMITTED, src=_client(net))
        book.row("what is no SYN passes", net, net.tcp(flags=ACK, seq=9, src=_client(net)), "pass_tcp")
        book.asks(net, CLEAN, "UDP is not asked", "pass_clean", src=_client(net))
        _syn(book, net, "twin: another source", src=_neighbour(net))
        book.say("holds", _client(net), -1)
        _syn(book, net, "a connection has gone", src=_client(net))
        if net.family == 6:
            book.say("holds", _client(net), 1)
            _syn(book, net, "another address of the same /64", "drop_tcp_share", src="2001:db8:c:1:ffff::1")


def _wide(book):
    for net in WIRES:
        _scene(book, net, "share of a wide prefix", share=_rungs(3, 4 * (net.family == 6)), share_wide4=4 * (net.family == 4),
               step=TOP, until_ns=UNTIL)
        book.say("holds", _client(net), 2)
        _syn(book, net, "within both", src=_client(net))
        book.say("holds", _neighbour(net), 2)
        _syn(book, net, net.pick("the /24 holds its share", "the /48 holds its share"), "drop_tcp_share", src=_client(net))
        _syn(book, net, "and is closed to who holds nothing", "drop_tcp_share", src=_client(net, 8))
        book.say("holds", _neighbour(net), -2)
        _syn(book, net, "twin: another prefix", src=_stranger(net))
        book.say("holds", _client(net), 1)
        _syn(book, net, "its own share", "drop_tcp_share", src=_client(net))
        _scene(book, net, "a wide prefix without a bound of its own", share=_rungs(3, 4 * (net.family == 4)),
               share_wide4=4 * (net.family == 6), step=TOP, until_ns=UNTIL)
        book.say("holds", _neighbour(net), 4)
        _syn(book, net, "that of the other family is not for it", src=_client(net))


def _modes(book):
    for net in WIRES:
        for title, mode, device, label in (("observed", OBSERVE, 0, "pass_observed_tcp_share"),
                                           ("on a device that observes", ENFORCE, IF_OBSERVE, "pass_observed_tcp_share"),
                                           ("off", OFF, 0, "pass_tcp")):
            _scene(book, net, "share %s" % title, mode, base=_rungs(1))
            book.device(device)
            _syn(book, net, "within it", src=_client(net))
            book.say("holds", _client(net), 1)
            _syn(book, net, "over it", label, src=_client(net))
        _scene(book, net, "share of an exempt source", base=_rungs(1))
        book.source(_client(net), NO_LIMIT)
        book.say("holds", _client(net), 5)
        book.say("holds", _stranger(net), 5)
        _syn(book, net, "passes", src=_client(net))
        _syn(book, net, "twin: one that is not", "drop_tcp_share", src=_stranger(net))
        _scene(book, net, "no bound is known", base=_rungs(NO_BOUND, NO_BOUND))
        book.say("holds", _client(net), 1000)
        _syn(book, net, "passes", src=_client(net))


def _pressure(book):
    for net in WIRES:
        _scene(book, net, "share under pressure", base=_rungs(3), share=_rungs(1), step=2, until_ns=UNTIL)
        book.say("holds", _client(net), 1)
        _syn(book, net, "the share of the step", "drop_tcp_share", src=_client(net))
        book.at(UNTIL - 1)
        _syn(book, net, "to the last moment", "drop_tcp_share", src=_client(net))
        book.at(UNTIL)
        _syn(book, net, "then that of step 0, whoever may be gone", src=_client(net))
        book.say("holds", _client(net), 2)
        _syn(book, net, "which holds", "drop_tcp_share", src=_client(net))


def _reaped(book):
    for net in WIRES:
        _scene(book, net, "a source that was reaped", base=_rungs(3), share=_rungs(2), step=3, until_ns=UNTIL, share_reaped=0)
        book.say("reaped", _client(net), 5 * SECOND)
        _syn(book, net, "may not come back", "drop_tcp_share", src=_client(net))
        _syn(book, net, "twin: its neighbour may come", src=_neighbour(net))
        book.set(**{"protect.share_reaped": 1})
        _syn(book, net, "may have one again", src=_client(net))
        book.say("holds", _client(net), 1)
        _syn(book, net, "and not two", "drop_tcp_share", src=_client(net))
        book.at(5 * SECOND)
        _syn(book, net, "its time is over", src=_client(net))
        book.at(4 * SECOND)
        _syn(book, net, "and was not before", "drop_tcp_share", src=_client(net))
        book.set(**{"protect.until_ns": 3 * SECOND})
        _syn(book, net, "the pressure is over", src=_client(net))


def _syn_limit(book):
    for net in WIRES:
        _scene(book, net, "SYN limit that comes with protection", step=1, until_ns=UNTIL)
        book.rate(2, 4, "syn")
        for turn in (1, 2):
            _syn(book, net, "half the burst at step 1, %d" % turn)
        _syn(book, net, "and no more", "drop_syn_limited")
        book.at(2 * SECOND + 1000)
        _syn(book, net, "a second later one: half the rate")
        _syn(book, net, "and not two", "drop_syn_limited")
        book.at(UNTIL + 2 * SECOND)
        for turn in (1, 2, 3, 4):
            _syn(book, net, "the whole burst at step 0, %d" % turn)
        _syn(book, net, "and no more", "drop_syn_limited")
        _scene(book, net, "SYN limit at the top", step=TOP, until_ns=UNTIL)
        book.rate(2, 4, "syn")
        _syn(book, net, "one can always be paid")
        _syn(book, net, "and no more", "drop_syn_limited")
        _scene(book, net, "SYN limit enforced, protection observed", OBSERVE, step=2, until_ns=UNTIL)
        book.set(syn_mode=ENFORCE)
        book.rate(2, 4, "syn")
        for turn in (1, 2, 3, 4):
            _syn(book, net, "is not tightened, %d" % turn)
        _syn(book, net, "and holds", "drop_syn_limited")


def _slip(book):
    """Every query refused is told to use TCP at step 0, every second at step 1, none at the top."""
    for net in WIRES:
        for mode, step, slipped in ((ENFORCE, 0, (1, 1, 1, 1)), (ENFORCE, 1, (0, 1, 0, 1)), (ENFORCE, 2, (0, 0, 0, 1)),
                                    (ENFORCE, TOP, (0,) * 4), (OBSERVE, TOP, (1,) * 4), (OFF, TOP, (1,) * 4)):
            _scene(book, net, "slip at step %d, mode %d" % (step, mode), mode, step=step, until_ns=UNTIL)
            book.set(limit_mode=ENFORCE, slip=1)
            book.rate(1, 1)
            book.asks(net, CLEAN, "within the limit", "pass_clean", counts=[("limit", None, 0, 1)])
            for number, slips in enumerate(slipped):
                if slips:
                    book.slipped(net, CLEAN, "refused query %d is told to use TCP" % number)
                else:
                    book.slip = 0  # at this step
                    book.asks(net, CLEAN, "refused query %d is not" % number, "drop_limited",
                              counts=[("limit", None, 1, 1)])


def write(book):
    for part in (_share, _wide, _modes, _pressure, _reaped, _syn_limit, _slip):
        part(book)
