"""Who asks: one sender with most of the queries, and senders that are nobody's clients."""

import socket
import threading

import pytest

from guarded import QUERY, SERVER, Daemon, wait_for


WHILE = "4s"  # longer than this machine lets those who ask wait for a processor


@pytest.fixture
def asking(room):
    """Queries from so many senders, in turn, for as long as the test lasts. The weights say how often each asks."""
    ended, threads = threading.Event(), []

    def start(**weights):
        turns = [f"192.0.2.{int(host[1:])}" for host, weight in weights.items() for _ in range(weight)]
        senders = {}
        for address in set(turns):
            room.outside.ip("addr", "replace", f"{address}/24", "dev", "peer")
            senders[address] = room.outside.socket(socket.AF_INET, socket.SOCK_DGRAM)
            senders[address].bind((address, 0))
        threads.append(threading.Thread(target=ask, args=(turns, senders)))
        threads[-1].start()

    def ask(turns, senders):
        while not ended.wait(0.002):
            for address in turns:
                senders[address].sendto(QUERY, (SERVER, 53))

    yield start
    ended.set()
    for thread in threads:
        thread.join()


def test_many_senders_are_no_balancer(room, asking):
    asking(h11=1, h12=1, h13=1, h14=1, h15=1)
    assert "of 5 sources" in room.doctor(sample=WHILE).passes("balancer")


def test_one_sender_with_most_of_it_is(room, asking):
    asking(h11=4, h12=1, h13=1, h14=1, h15=1)
    room.attach()
    found = room.doctor(sample=WHILE)
    found.is_ill("balancer", "WARN", "192.0.2.11 sends ", "dnsguard source exempt 192.0.2.11")
    room.mend(found["balancer"])
    assert "and is exempt" in room.doctor(sample=WHILE).passes("balancer")


def test_packets_that_may_not_be_looked_at(room):
    found = room.doctor(wrap=("setpriv", "--bounding-set=-net_raw"))
    found.is_ill("balancer", "WARN", "cannot be looked at", "CAP_NET_RAW")


def test_a_sender_that_is_no_configured_client(room, asking):
    asking(h11=1, h12=1)
    daemon = Daemon(room, config='interfaces: [guarded]\nclients: ["192.0.2.12/32"]\n').ready()
    wait_for(lambda: daemon.samples()["dnsguard_up"] == 1)
    room.doctor(sample=WHILE).is_ill("clients", "WARN", "1 of 2 sources seen are no configured clients, 192.0.2.11", "clients:")
    daemon.stop()
    Daemon(room, config='interfaces: [guarded]\nclients: ["192.0.2.0/24"]\n').ready()
    assert "2 sources" in room.doctor(sample=WHILE).passes("clients")
