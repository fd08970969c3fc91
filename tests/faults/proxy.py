"""A TCP proxy before PostgreSQL that cuts connections around COMMIT, or is slow.

The transaction that a COMMIT ends counts when it may write: its BEGIN was not READ ONLY, and it is
not the first of its connection, which only prepares it.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable

#: Before: the database never hears of the COMMIT. After: it has committed, and its reply is lost.
#: During: the COMMIT is sent and nobody waits for what becomes of it.
CUTS = ("cut before COMMIT", "cut after COMMIT", "cut during COMMIT")
BEFORE, AFTER, DURING = CUTS


class Proxy:
    """Runs in a thread of its own."""

    def __init__(self, upstream: int, seed: int) -> None:
        self.port = 0
        self.tell: Callable[[str], None] = lambda how: None  # of a cut, in the proxy's thread
        self.chance = 0.0  # that a COMMIT is cut
        self.delay = 0.0  # seconds that each packet to the database is held up
        self._upstream = upstream
        self._random = random.Random(seed)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def close(self) -> None:
        """Stop listening; connections end with the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        if not self._thread.is_alive():
            self._loop.run_until_complete(self._end_connections())
            self._loop.close()

    async def _end_connections(self) -> None:
        open_ = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, client: asyncio.StreamReader, reply: asyncio.StreamWriter) -> None:
        try:
            answer, server = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            reply.close()
            return
        link = _Link(self, client, server, answer, reply)
        # Only close() cancels it; Python 3.11 prints a cancelled handler as a fault.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(link.upwards(), link.downwards())

    def draw(self) -> str | None:
        """Whether to cut this COMMIT, and how."""
        if self._random.random() >= self.chance:
            return None
        how = self._random.choice(CUTS)
        self.tell(how)
        return how


class _Link:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: Proxy,
        client: asyncio.StreamReader,
        server: asyncio.StreamWriter,
        answer: asyncio.StreamReader,
        reply: asyncio.StreamWriter,
    ) -> None:
        self.proxy, self.client, self.server = proxy, client, server
        self.answer, self.reply = answer, reply
        self.writes, self.commits, self.swallowing = False, 0, False

    async def upwards(self) -> None:
        """From the service to the database."""
        with contextlib.suppress(OSError):
            while data := await self.client.read(65536):
                if self.proxy.delay:
                    await asyncio.sleep(self.proxy.delay)
                how = self._cut(data)
                if how == BEFORE:
                    break
                self.swallowing = how == AFTER
                self.server.write(data)
                await self.server.drain()
                if how == DURING:
                    break
        if not self.swallowing:
            self._close()

    async def downwards(self) -> None:
        """From the database to the service; a swallowed reply to COMMIT ends the connection."""
        with contextlib.suppress(OSError):
            while data := await self.answer.read(65536):
                if self.swallowing:
                    break
                self.reply.write(data)
                await self.reply.drain()
        self._close()

    def _cut(self, data: bytes) -> str | None:
        if b"BEGIN" in data:
            self.writes = b"READ ONLY" not in data
        if b"COMMIT\x00" not in data:
            return None
        self.commits += 1
        return self.proxy.draw() if self.writes and self.commits > 1 else None

    def _close(self) -> None:
        for stream in (self.server, self.reply):
            stream.close()
