"""Carries TCP connections on over TLS, for programs that speak none: Debian builds SIPp without."""

import asyncio
import ssl
import threading


class TlsRelay:
    """Listens on a free port of loopback while it is entered; every connection to it goes on over TLS to `port`."""

    def __init__(self, port: int):
        self.onward = port
        # The server under test has made its certificate itself.
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> "TlsRelay":
        self.thread.start()
        listening = asyncio.start_server(self.carry, "127.0.0.1", 0)
        self.server = asyncio.run_coroutine_threadsafe(listening, self.loop).result()
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.stop(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    async def stop(self) -> None:
        self.server.close()
        carrying = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward_reader, onward_writer = await asyncio.open_connection("127.0.0.1", self.onward, ssl=self.tls)
            await asyncio.gather(pump(reader, onward_writer), pump(onward_reader, writer))
        except (OSError, asyncio.CancelledError):
            writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """From one side to the other until the one ends, and then ends the other."""
    try:
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    finally:
        writer.close()
