# SPDX-License-Identifier: GPL-2.0-or-later
"""A policy zone with every action, the authoritative data below it, and questions that hit both.

Everything comes from one seed. Names form a tree, so that exceptions lie in blocked domains and blocks in exceptions,
and half of the names are triggers: the name itself, what is below it, or both, with one action or with two.
"""
import dns.message

SOA = "SOA ns. host. 1 3600 600 86400 60"
ACTIONS = [(".", 30), ("*.", 15), ("rpz-passthru.", 15), ("rpz-tcp-only.", 10), ("rpz-drop.", 1), (("A",), 8), (("AAAA",), 8),
           (("A", "AAAA"), 8)]
STARS = [("",), ("*.",), ("", "*.")]
ADDRESS = {"A": "192.0.2.%d", "AAAA": "2001:db8::%d"}
TYPES = ["A"] * 4 + ["AAAA"] * 2 + ["TXT", "MX", "ANY"]
NAMES = 500
LONG = ".".join(letter * 61 for letter in "abc")  # with a parent of this tree and a label in front: 255 octets at most
# What an RPZ can say and one answer from the guard cannot, and what no seed may miss: kept outside the tree.
TWICE, NO_ANSWER_HERE = "twice.example", ("text.example", "elsewhere.example", "*.elsewhere.example")
FIXED = {TWICE: ("A",), "text.example": ("TXT",), "elsewhere.example": "ready.example.", "*.elsewhere.example": "ready.example.",
         "silent.example": "rpz-drop.", "*.silent.example": "rpz-drop.", f"*.{LONG}.walled.example": ("A", "AAAA")}
FIXED_LINES = [f"{TWICE} A 192.0.2.201", f"{TWICE} A 192.0.2.202", 'text.example TXT "walled"',
               "elsewhere.example CNAME ready.example.", "*.elsewhere.example CNAME ready.example.",
               "silent.example CNAME rpz-drop.", "*.silent.example CNAME rpz-drop.",
               f"*.{LONG}.walled.example A 192.0.2.203", f"*.{LONG}.walled.example AAAA 2001:db8::203"]
FIXED_NAMES = (TWICE, "text.example", "elsewhere.example", "www.elsewhere.example", "silent.example", "www.silent.example",
               f"www.{LONG}.walled.example")


def tree(chance):
    names = [f"t{number}.example" for number in range(12)]
    while len(names) < NAMES - 20:
        names.append(f"{chance.choice('abcdefgh')}.{chance.choice(names)}")
    names = list(dict.fromkeys(names))
    return names + [f"{LONG}.{name}" for name in chance.sample([n for n in names if len(n) < 40], 20)]


def mixed_case(chance, name):
    return "".join(chance.choice((letter.upper(), letter)) for letter in name)


def triggers(chance, names):
    """{owner: action}: a target of CNAME, or the families of local data."""
    found = {}
    for name in chance.sample(names, len(names) // 2):
        for star in chance.choice(STARS):
            found[star + name] = chance.choices(*zip(*ACTIONS))[0]
    return found


def policy_zone(chance, found):
    lines = ["$TTL 60", f"@ {SOA}", " NS ns."]
    for owner, action in found.items():
        shown = mixed_case(chance, owner) if chance.random() < 0.3 else owner
        if isinstance(action, str):
            lines.append(f"{shown} CNAME {action}")
        else:
            lines += [f"{shown} {family} {ADDRESS[family] % chance.randrange(1, 200)}" for family in action]
    return "\n".join(lines + FIXED_LINES) + "\n"


def root_zone(chance, names):
    """Three quarters of the names exist, and everything below wild.example; the rest does not."""
    lines = ["$TTL 300", f". {SOA}", ". NS ns.", "ns. A 192.0.2.53", "ready.example. A 192.0.2.9", "*.wild.example. A 192.0.2.10"]
    for number, name in enumerate(names):
        if chance.random() < 0.25:
            continue
        lines += [f"{name}. A 198.51.100.{number % 250 + 1}", f'{name}. TXT "left alone"', f"{name}. MX 10 mx.example."]
        if chance.random() < 0.5:
            lines.append(f"{name}. AAAA 2001:db8:ffff::{number + 1:x}")
    return "\n".join(lines) + "\n"


def name_near(chance, names):
    """The name, one below it, a sibling of it, its parent, or none of this tree."""
    if chance.random() < 0.02:
        return chance.choice(FIXED_NAMES)
    name = chance.choice(names)
    kind = chance.choice(("itself", "itself", "below", "deep below", "sibling", "parent", "unrelated"))
    label = chance.choice("abcdefghxyz")
    if kind == "below":
        return f"{label}.{name}"
    if kind == "deep below":
        return f"{label}.y.{name}"
    if kind == "sibling":
        return f"{label}.{name.partition('.')[2]}"
    if kind == "parent":
        return name.partition(".")[2]
    return f"{label}{chance.randrange(1000)}.wild.example" if kind == "unrelated" else name


def questions(chance, names, count):
    """(name, type, message): half with EDNS, a third in mixed case."""
    asked = []
    while len(asked) < count:
        name = name_near(chance, names)
        if len(name) > 253:
            continue
        name = mixed_case(chance, name) if chance.random() < 0.3 else name
        kind = chance.choice(TYPES)
        edns = {"use_edns": 0, "payload": 1232} if chance.random() < 0.5 else {}
        asked.append((name, kind, dns.message.make_query(name, kind, id=0, **edns).to_wire()))
    return asked
