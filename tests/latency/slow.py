#!/usr/bin/python3
"""A resolver that answers everything after so many milliseconds, over UDP and TCP. Usage: slow.py ADDRESS... MILLISECONDS

A name that begins with "never" gets no answer, one that begins with "twice" gets two, one that begins with "large" 3,000
octets. Prints a line when it listens.
"""

import asyncio
import sys

DELAY = float(sys.argv[-1]) / 1000


def answer(query):
    padding = bytes(3000 - len(query)) if query[13:18] == b"large" else b""
    return query[:2] + bytes([query[2] | 0x80, query[3]]) + query[4:] + padding


class Udp(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        label = data[13:18]
        for _ in range({b"never": 0, b"twice": 2}.get(label, 1)):
            asyncio.get_running_loop().call_later(DELAY, self.transport.sendto, answer(data), addr)


async def serve(reader, writer):
    try:
        while True:
            length = await reader.readexactly(2)
            query = await reader.readexactly(int.from_bytes(length, "big"))
            await asyncio.sleep(DELAY)
            writer.write(length + answer(query))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    loop = asyncio.get_running_loop()
    for address in sys.argv[1:-1]:
        await loop.create_datagram_endpoint(Udp, local_addr=(address, 53))
        await asyncio.start_server(serve, address, 53)
    print("listening", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
