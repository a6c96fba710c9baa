"""Whose listener it is and what it takes is asked of the resolver; what cannot be asked is unknown."""

import os
import time
from pathlib import Path

import pytest

from callers import Bind, Unbound, hang_up

RNDC_KEY = Path("/etc/bind/rndc.key")


@pytest.mark.parametrize("options, quota, source", [
    ("tcp-clients 20;", 20, "tcp-clients in its configuration file"),
    ("", 150, "default"),
], ids=["tcp-clients 20", "default"])
def test_bind_has_one_quota(room, options, quota, source):
    room.attach()
    bind = Bind(room, options)
    row = room.listener()
    assert (row["resolver"], row["pid"]) == ("named", bind.child.pid)
    assert (row["quota"], row["quota_shared"], row["quota_source"]) == (quota, True, source)
    assert row["quota"] == bind.clients()[1]


@pytest.mark.skipif(not RNDC_KEY.exists(), reason=f"{RNDC_KEY}, which rndc uses by default, is not there")
def test_the_running_server_knows_better_than_its_file(room):
    room.attach()
    bind = Bind(room, "tcp-clients 20;", key=RNDC_KEY.read_text())
    bind.conf.write_text(bind.conf.read_text().replace("tcp-clients 20;", "tcp-clients 33;"))
    row = room.listener()
    assert (row["quota"], row["quota_source"]) == (20, "rndc status")


def test_unbound_has_a_quota_for_each_thread(room):
    room.attach()
    unbound = Unbound(room, "incoming-num-tcp: 17\n  num-threads: 2")
    row = room.listener()
    assert (row["resolver"], row["pid"]) == ("unbound", unbound.child.pid)
    assert (row["quota"], row["quota_shared"]) == (34, False)
    assert row["sustainable_per_second"] is None  # nobody has come and gone yet
    hang_up(room.call(4))
    row = room.becomes(connections=0, opened=4)
    assert row["sustainable_per_second"] > 34 / 60


def test_what_is_not_a_resolver_has_no_quota(room):
    room.attach()
    room.listen()
    row = room.listener()
    assert row["resolver"].startswith("python3") and row["quota"] is None
    assert row["quota_source"].startswith("unknown: ")


def test_a_configuration_that_cannot_be_read_is_unknown(room):
    room.attach()
    unbound = Unbound(room)
    unbound.conf.unlink()
    row = room.listener()
    assert row["quota"] is None and "unbound-checkconf does not tell" in row["quota_source"]


def test_what_does_not_answer_is_not_waited_for(room):
    room.attach()
    bind = Bind(room)
    bind.conf.unlink()
    os.mkfifo(bind.conf)  # nobody will ever write into it
    began = time.monotonic()
    row = room.listener()
    assert time.monotonic() - began < 10
    assert row["quota"] is None and "named-checkconf does not tell" in row["quota_source"]

