"""A primary that misbehaves as a test tells it: answers by hand, on the address where a real one would be."""

import socket
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring

from primaries import PRIMARY, SECRET, ZONE

KEYRING = dns.tsigkeyring.from_text({"k.example": ("hmac-sha256", SECRET)})


def soa(serial, timers="3600 600 86400 60"):
    return dns.rrset.from_text(ZONE, 60, "IN", "SOA", f"ns.{ZONE} h.{ZONE} {serial} {timers}")


def record(owner, kind="CNAME", data="."):
    return dns.rrset.from_text(f"{owner}.{ZONE}", 60, "IN", kind, data)


def answer(query, rrsets, rcode=0):
    reply = dns.message.make_response(query)
    reply.set_rcode(rcode)
    reply.flags |= dns.flags.AA
    reply.answer = list(rrsets)
    return reply


def frame(wire):
    return struct.pack("!H", len(wire)) + wire


class Pretender:
    """`udp(query)` gives a datagram or None; `tcp(query, connection)` does with the connection what it likes."""

    def __init__(self, udp=None, tcp=None, address=PRIMARY, keyring=None):
        self.udp, self.tcp, self.keyring = udp, tcp, keyring
        self.asked = []
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.datagrams = socket.socket(self.family, socket.SOCK_DGRAM)
        self.datagrams.bind((address, 53))
        self.streams = socket.socket(self.family)
        self.streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.streams.bind((address, 53))
        self.streams.listen(8)
        self.done = False
        self.threads = [threading.Thread(target=target, daemon=True) for target in (self.hear, self.accept)]
        for thread in self.threads:
            thread.start()

    def parse(self, wire):
        query = dns.message.from_wire(wire, keyring=self.keyring)
        self.asked.append(dns.rdatatype.to_text(query.question[0].rdtype))
        return query

    def hear(self):
        while not self.done:
            wire, source = self.datagrams.recvfrom(65535)
            if self.done:
                return
            query = self.parse(wire)
            reply = self.udp(query) if self.udp else None
            if reply is not None:
                self.datagrams.sendto(reply, source)

    def accept(self):
        while not self.done:
            connection, _ = self.streams.accept()
            if self.done or not self.tcp:
                connection.close()
                continue
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            head = connection.recv(2, socket.MSG_WAITALL)
            if len(head) == 2:
                wire = connection.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                try:
                    self.tcp(self.parse(wire), connection)
                except OSError:
                    pass  # the other side had enough

    def close(self):
        self.done = True
        host = self.datagrams.getsockname()[0]
        socket.socket(self.family, socket.SOCK_DGRAM).sendto(b"", (host, 53))
        socket.create_connection((host, 53)).close()
        for thread in self.threads:
            thread.join()
        self.datagrams.close()
        self.streams.close()
