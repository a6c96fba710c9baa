"""Every format in use, line by line: what each line becomes, and what it is counted as."""

import gzip

import pytest

NX, PASS = "nxdomain", "allow"

# format, content, what --dump shows, what --check counts beyond that
ROWS = {
    # ---- hosts
    "hosts: names behind a null address": ("hosts", "0.0.0.0 a.example b.example\n",
        [("a.example", "suffix", NX), ("b.example", "suffix", NX)], {}),
    "hosts: tabs, tails, CRLF, BOM": ("hosts", "\ufeff127.0.0.1\ta.example\t# why\r\n\r\n\t:: \t b.example\r\n::1 c.example",
        [("a.example", "suffix", NX), ("b.example", "suffix", NX), ("c.example", "suffix", NX)], {}),
    "hosts: the host's own names are skipped": ("hosts",
        "127.0.0.1 localhost\n127.0.0.1 localhost.localdomain\n127.0.0.1 local\n255.255.255.255 broadcasthost\n"
        "::1 localhost\n::1 ip6-localhost\n::1 ip6-loopback\nfe80::1%lo0 localhost\nff00::0 ip6-localnet\n"
        "ff00::0 ip6-mcastprefix\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\nff02::3 ip6-allhosts\n"
        "0.0.0.0 0.0.0.0\n0.0.0.0 a.example\n",
        [("a.example", "suffix", NX)], {"skipped": 14, "rejected": 0}),
    "hosts: an address that leads somewhere": ("hosts", "192.0.2.1 a.example\n0.0.0.0 b.example\n",
        [("b.example", "suffix", NX)],
        {"unsupported": {"hosts: an address that is neither null nor loopback": 1}, "rejected": 0}),
    "hosts: no address, no name": ("hosts", "a.example\n0.0.0.0\n0.0.0.0 b.example c.example\n",
        [("b.example", "suffix", NX), ("c.example", "suffix", NX)], {"rejected": 2}),
    "hosts: exact": ("hosts,match=exact", "0.0.0.0 a.example\n", [("a.example", "self", NX)], {}),
    # ---- domains
    "domains: suffix unless told": ("domains", "a.example\nB.Example.\n",
        [("a.example", "suffix", NX), ("b.example", "suffix", NX)], {}),
    "domains: exact": ("domains,match=exact", "a.example\nx.a.example\n",
        [("a.example", "self", NX), ("x.a.example", "self", NX)], {}),
    "domains: headers and comments": ("domains",
        "# Syntax: Domains\n! other\n; third\n// fourth\n\na.example # tail\n", [("a.example", "suffix", NX)],
        {"rejected": 0, "skipped": 0}),
    "domains: escapes and underscores": ("domains", "_a.b\\046c.example\n",
        [("_a.b\\046c.example", "suffix", NX)], {}),
    "domains: U-labels": ("domains", "b\u00fccher.example\nfa\u00df.example\nxn--bcher-kva.example\n",
        [("xn--bcher-kva.example", "suffix", NX), ("xn--fa-hia.example", "suffix", NX)], {"duplicate": 1}),
    "domains: what is no name": ("domains",
        "a.example\nb.example\nc.example\nd.example\n192.0.2.7\na..b\n%s.example\nm\u00fc ller.example\n" % ("x" * 64),
        [(name + ".example", "suffix", NX) for name in "abcd"], {"rejected": 4}),
    "domains: addresses of version 6": ("domains", "a.example\n2001:db8::1\n", [("a.example", "suffix", NX)],
        {"rejected": 1}),
    # ---- wildcard
    "wildcard: the apex, too": ("wildcard", "*.a.example\n", [("a.example", "suffix", NX)], {}),
    "wildcard: whatever match says": ("wildcard,match=exact", "*.a.example\nb.example\n",
        [("a.example", "suffix", NX), ("b.example", "self", NX)], {}),
    "wildcard: a star elsewhere": ("wildcard", "*.a.example\n*.b.example\na.*.example\n*a.example\n",
        [("a.example", "suffix", NX), ("b.example", "suffix", NX)], {"rejected": 2}),
    # ---- adblock
    "adblock: blocks and exceptions": ("adblock", "[Adblock Plus]\n! Title\n||a.example^\n@@||x.a.example^\n",
        [("a.example", "suffix", NX), ("x.a.example", "suffix", PASS)], {"rejected": 0}),
    "adblock: an exception beats its list's blocks": ("adblock",
        "||a.example^\n||y.b.example^\n@@||a.example^\n@@||b.example^\n||c.example^\n",
        [("a.example", "suffix", PASS), ("b.example", "suffix", PASS), ("c.example", "suffix", NX)],
        {"duplicate": 1, "shadowed": 1}),
    "adblock: never half applied": ("adblock",
        "||ok.example^\n||a.example^$third-party\n||a.example/path\n||a.example^path\n/ads[0-9]+/\n"
        "a.example##.banner\na.example#@#.banner\na.example#?#div\nexample.com$$script[x]\n##.banner\n@@||a.example^$document\n"
        "|https://a.example^\na.example\n||a.example\n||*.a.example^\n||a.example:8080^\n||a.example^|\n@@/re/\n||^\n",
        [("ok.example", "suffix", NX)],
        {"rejected": 0, "unsupported": {
            "adblock: options": 2, "adblock: path": 2, "adblock: regular expression": 2,
            "adblock: cosmetic rule": 5, "adblock: pattern that is more or less than a name": 7}}),
    "adblock: an address is no name": ("adblock", "||a.example^\n||192.0.2.1^\n", [("a.example", "suffix", NX)],
        {"rejected": 1}),
    # ---- dnsmasq
    "dnsmasq: local, address, server": ("dnsmasq",
        "# comment\nlocal=/a.example/\naddress=/b.example/0.0.0.0\naddress=/c.example/\nserver=/d.example/\n"
        "address=/e.example/#\naddress=/f.example/::\nserver=/g.a.example/#\n",
        [("a.example", "suffix", NX), ("b.example", "suffix", "null"), ("c.example", "suffix", NX),
         ("d.example", "suffix", NX), ("e.example", "suffix", "null"), ("f.example", "suffix", "null"),
         ("g.a.example", "suffix", PASS)], {"rejected": 0}),
    "dnsmasq: several names, one line": ("dnsmasq", "local=/a.example/b.example/\naddress=/c.example/.d.example/*.e.example/\n",
        [(name + ".example", "suffix", NX) for name in "abcde"], {}),
    "dnsmasq: one address of each family": ("dnsmasq",
        "address=/a.example/192.0.2.1\naddress=/a.example/2001:db8::1\naddress=/a.example/192.0.2.9\n",
        [("a.example", "suffix", "192.0.2.1,2001:db8::1")],
        {"unsupported": {"a second address of one family for one name": 1}}),
    "dnsmasq: what is not about names": ("dnsmasq",
        "local=/a.example/\nno-resolv\nserver=9.9.9.9\nserver=/b.example/9.9.9.9\nconf-file=/etc/passwd\n"
        "address=/c*.example/\naddress=/#/0.0.0.0\naddress=/d.example/nonsense\n",
        [("a.example", "suffix", NX)],
        {"rejected": 1, "unsupported": {
            "dnsmasq: another directive": 2, "dnsmasq: a server for all names": 1,
            "dnsmasq: names given to another server": 1, "dnsmasq: pattern": 1, "dnsmasq: an address that is none": 1}}),
    # ---- Unbound
    "unbound: every type": ("unbound",
        'server:\n local-zone: "a.example." always_nxdomain\n\tlocal-zone: b.example static\n'
        "local-zone: 'c.example' refuse\nlocal-zone: \"d.example\" always_refuse\nlocal-zone: \"e.example\" deny\n"
        'local-zone: "f.example" always_deny\nlocal-zone: "g.example" always_null\nlocal-zone: "h.example" always_nodata\n'
        'local-zone: "i.example" inform_deny # tail\nlocal-zone: "x.a.example" transparent\n'
        'local-zone: "y.a.example" typetransparent\nlocal-zone: "z.a.example" always_transparent\n',
        [("a.example", "suffix", NX), ("b.example", "suffix", NX), ("c.example", "suffix", "refused"),
         ("d.example", "suffix", "refused"), ("e.example", "suffix", "drop"), ("f.example", "suffix", "drop"),
         ("g.example", "suffix", "null"), ("h.example", "suffix", "nodata"), ("i.example", "suffix", "drop"),
         ("x.a.example", "suffix", PASS), ("y.a.example", "suffix", PASS), ("z.a.example", "suffix", PASS)],
        {"rejected": 0, "unsupported": {}}),
    "unbound: a zone that redirects": ("unbound",
        'local-zone: "a.example" redirect\nlocal-data: "a.example A 0.0.0.0"\nlocal-data: "a.example. 3600 IN AAAA ::"\n'
        'local-zone: "b.example" redirect\nlocal-zone: "c.example" inform_redirect\nlocal-data: "c.example A 192.0.2.1"\n',
        [("a.example", "suffix", "0.0.0.0,::"), ("b.example", "suffix", "nodata"), ("c.example", "suffix", "192.0.2.1")], {}),
    "unbound: data of one name": ("unbound",
        'local-zone: "a.example" static\nlocal-data: "a.example A 192.0.2.1"\nlocal-data: "www.a.example IN A 192.0.2.2"\n',
        [("a.example", "below", NX), ("a.example", "self", "192.0.2.1"), ("www.a.example", "self", "192.0.2.2")], {}),
    "unbound: the rest": ("unbound",
        'local-zone: "a.example" always_nxdomain\nlocal-zone: "g.example" deny\nlocal-zone: "b.example" nodefault\nlocal-data: \'c.example TXT "x"\'\n'
        'local-data-ptr: "192.0.2.1 d.example"\ninclude: "/etc/passwd"\nlocal-zone: "e.example"\nlocal-data: "f.example A x"\n',
        [("a.example", "suffix", NX), ("g.example", "suffix", "drop")],
        {"rejected": 2, "unsupported": {
            "unbound: local-zone of another type": 1, "unbound: local-data other than A and AAAA": 1,
            "unbound: another directive": 2}}),
    # ---- RPZ
    "rpz: every action": ("rpz",
        "$TTL 60\n$ORIGIN rpz.test.\n@ SOA ns.test. root.test. (\n 1 ; serial\n 3600 600 86400 60 )\n NS ns.test.\n"
        "a.example CNAME .\nb.example CNAME *.\nc.example CNAME rpz-passthru.\nd.example CNAME rpz-drop.\n"
        "e.example CNAME rpz-tcp-only.\nf.example A 192.0.2.1\nf.example AAAA 2001:db8::1\ng.example.rpz.test. 300 IN CNAME .\n"
        "h.example CNAME h.example.\n",
        [("a.example", "self", NX), ("b.example", "self", "nodata"), ("c.example", "self", PASS),
         ("d.example", "self", "drop"), ("e.example", "self", "truncate"),
         ("f.example", "self", "192.0.2.1,2001:db8::1"), ("g.example", "self", NX), ("h.example", "self", PASS)],
        {"skipped": 2, "rejected": 0}),
    "rpz: a star is what is below, and only that": ("rpz", "*.a.example CNAME .\nb.example CNAME .\nc.example CNAME .\n*.c.example CNAME .\n"
        "d.example CNAME .\n*.d.example CNAME *.\n",
        [("a.example", "below", NX), ("b.example", "self", NX), ("c.example", "suffix", NX),
         ("d.example", "below", "nodata"), ("d.example", "self", NX)], {"folded": 2}),
    "rpz: origin of the SOA": ("rpz", "rpz.test. SOA ns.test. root.test. 1 2 3 4 5\nA.Example.RPZ.test. CNAME .\n",
        [("a.example", "self", NX)], {}),
    "rpz: triggers that need an answer": ("rpz",
        "a.example CNAME .\n24.0.2.0.192.rpz-ip CNAME .\n24.0.2.0.192.rpz-nsip CNAME .\nns.example.rpz-nsdname CNAME .\n",
        [("a.example", "self", NX)],
        {"unsupported": {"rpz: rpz-ip, which needs the resolver's answer": 1,
                         "rpz: rpz-nsip, which needs the resolver's answer": 1,
                         "rpz: rpz-nsdname, which needs the resolver's answer": 1}}),
    "rpz: clients": ("rpz",
        "a.example CNAME .\n32.1.2.0.192.rpz-client-ip CNAME rpz-drop.\n24.0.100.51.198.rpz-client-ip CNAME rpz-passthru.\n"
        "48.zz.1.db8.2001.rpz-client-ip CNAME rpz-drop.\n128.1.zz.rpz-client-ip CNAME rpz-passthru.\n"
        "128.8.7.6.5.4.3.db8.2001.rpz-client-ip CNAME rpz-drop.\n8.0.0.0.10.rpz-client-ip CNAME .\n99.1.2.0.192.rpz-client-ip CNAME rpz-drop.\n",
        [("a.example", "self", NX)],
        {"sources": [{"prefix": "192.0.2.1", "action": "ban"}, {"prefix": "198.51.100.0/24", "action": "exempt"},
                     {"prefix": "2001:db8:1::/48", "action": "ban"}, {"prefix": "::1", "action": "exempt"},
                     {"prefix": "2001:db8:3:4:5:6:7:8", "action": "ban"}],
         "rejected": 1, "unsupported": {"rpz: rpz-client-ip with an action other than drop and passthru": 1}}),
    "rpz: data that one answer cannot give": ("rpz",
        "a.example CNAME .\nb.example TXT \"x\"\nc.example CNAME other.example.\nd.example CNAME *.walled.example.\n"
        "e.example A 192.0.2.1\ne.example A 192.0.2.2\ne.example A 192.0.2.1\n",
        [("a.example", "self", NX), ("e.example", "self", "192.0.2.1")],
        {"duplicate": 1, "unsupported": {"rpz: local data other than A and AAAA": 1, "rpz: CNAME to another name": 2,
                         "a second address of one family for one name": 1}}),
    "rpz: other files stay closed": ("rpz", "a.example CNAME .\n$INCLUDE /etc/passwd\nb.example CNAME .\n",
        [("a.example", "self", NX), ("b.example", "self", NX)], {"rejected": 1}),
    "rpz: one bad record": ("rpz", "a.example CNAME .\nb.example CNAM .\nc.example A 1.2.3\nd.example CNAME .\ne.example ) x (\n f.example CNAME .\n)\ng.example CNAME .\n",
        [("a.example", "self", NX), ("d.example", "self", NX), ("g.example", "self", NX)], {"rejected": 3}),
}


def words(settings):
    name, _, rest = settings.partition(",")
    return "list,format=%s%s" % (name, rest and "," + rest)


@pytest.mark.parametrize("row", ROWS)
def test_line_by_line(room, row):
    settings, content, want, counts = ROWS[row]
    given = (words(settings), content.encode())
    assert room.dump(given) == want
    report = room.check(given)["lists"][0]
    assert report["format"] == settings.split(",")[0]
    assert report["accepted"] == len({name for name, _, _ in want})
    for key, value in counts.items():
        assert report[key] == value, key


# Rows whose few lines look as much like another format.
AMBIGUOUS = ("hosts: no address", "dnsmasq: what is not")


@pytest.mark.parametrize("row", [row for row in ROWS if not row.startswith(AMBIGUOUS)])
def test_the_format_is_found_out(room, row):
    settings, content, want, _ = ROWS[row]
    name, _, rest = settings.partition(",")
    given = ("list" + (rest and "," + rest), content.encode())
    assert room.check(given)["lists"][0]["format"] == name
    assert room.dump(given) == want


@pytest.mark.parametrize("row", ["hosts: tabs, tails, CRLF, BOM", "rpz: every action", "domains: U-labels"])
def test_packed_files_are_unpacked(room, row):
    settings, content, want, _ = ROWS[row]
    packed = gzip.compress(content.encode())
    assert room.dump((words(settings), packed)) == want
    half = len(content) // 2
    members = gzip.compress(content.encode()[:half]) + gzip.compress(content.encode()[half:])
    assert room.dump((words(settings), members)) == want


def test_the_operators_answer_goes_before_the_feeds(room):
    rpz = "a.example CNAME *.\nb.example CNAME rpz-passthru.\nc.example A 192.0.2.1\n32.1.2.0.192.rpz-client-ip CNAME rpz-drop.\n"
    assert room.dump(("list,format=rpz,answer=refused", rpz)) == [
        ("a.example", "self", "refused"), ("b.example", "self", PASS), ("c.example", "self", "refused")]
    assert room.dump(("list,format=rpz,observe", rpz)) == [
        ("a.example", "self", "observe"), ("b.example", "self", PASS), ("c.example", "self", "observe")]
    assert room.dump(("list,answer=192.0.2.1+2001:db8::1", "d.example\n")) == [
        ("d.example", "suffix", "192.0.2.1,2001:db8::1")]


def test_the_usual_answer_goes_before_the_feeds_when_told(room):
    rpz = "a.example CNAME *.\nb.example CNAME rpz-passthru.\nc.example A 192.0.2.1\n"
    assert room.dump(("list,format=rpz,override,answer=nxdomain", rpz)) == [
        ("a.example", "self", NX), ("b.example", "self", PASS), ("c.example", "self", NX)]
    assert room.dump(("list,format=rpz,answer=nxdomain", rpz))[0] == ("a.example", "self", "nodata")


def test_senders_are_heard_only_of_what_is_called_a_policy(room):
    zone = "a.example CNAME .\n32.1.2.0.192.rpz-client-ip CNAME rpz-drop.\n7.0.0.0.10.rpz-client-ip CNAME rpz-drop.\n"
    (found,) = room.check(("list", zone))["lists"]
    assert found["format"] == "rpz" and found["sources"] == []
    assert found["unsupported"] == {"rpz: rpz-client-ip, heard only of lists with --format rpz and of axfr:// ones": 2}
    (told,) = room.check(("list,format=rpz", zone))["lists"]
    assert [row["prefix"] for row in told["sources"]] == ["192.0.2.1"]
    assert told["unsupported"] == {"rpz: rpz-client-ip of a part of the internet (wider than /8, or /16 of IPv6)": 1}


def test_a_list_may_have_files_of_several_formats(room):
    room.write("one", "0.0.0.0 a.example\n")
    room.write("two", "||b.example^\n")
    done = room.run("--dump", "--list", "list", "one", "two")
    assert done.stdout == b"a.example\tsuffix\tnxdomain\nb.example\tsuffix\tnxdomain\n"


def test_a_zone_of_nothing_but_addresses_is_seen(room):
    zone = "$TTL 60\n@ SOA localhost. root.localhost. 1 3600 600 86400 60\n NS localhost.\n"
    records = "".join(f"n{i}.example 60 IN A 192.0.2.{i}\nn{i}.example AAAA 2001:db8::{i}\n" for i in range(20))
    (found,) = room.check(("l", zone + records))["lists"]
    assert (found["format"], found["accepted"], found["rejected"]) == ("rpz", 20, 0)
