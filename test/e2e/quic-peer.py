"""A QUIC server or client (aioquic): `serve PORT CERTIFICATE KEY` answers each stream with its SHA-256, `send PORT BYTES` checks one."""

import asyncio
import hashlib
import os
import ssl
import sys

from aioquic.asyncio import connect, serve
from aioquic.quic.configuration import QuicConfiguration

HOST = "127.0.0.1"
PROTOCOLS = ["digest"]


async def answer(reader, writer):
    writer.write(hashlib.sha256(await reader.read()).digest())
    writer.write_eof()


async def run_server(port, certificate, key):
    configuration = QuicConfiguration(is_client=False, alpn_protocols=PROTOCOLS)
    configuration.load_cert_chain(certificate, key)
    await serve(
        HOST,
        port,
        configuration=configuration,
        stream_handler=lambda reader, writer: asyncio.ensure_future(answer(reader, writer)),
    )
    print("listening", flush=True)
    await asyncio.Future()


async def run_client(port, length):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=PROTOCOLS, verify_mode=ssl.CERT_NONE)
    octets = os.urandom(length)
    async with connect(HOST, port, configuration=configuration) as client:
        reader, writer = await client.create_stream()
        writer.write(octets)
        writer.write_eof()
        digest = await reader.read()
    print("same" if digest == hashlib.sha256(octets).digest() else "different", flush=True)


if sys.argv[1] == "serve":
    asyncio.run(run_server(int(sys.argv[2]), sys.argv[3], sys.argv[4]))
else:
    asyncio.run(run_client(int(sys.argv[2]), int(sys.argv[3])))
