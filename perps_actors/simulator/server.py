"""Sockets of a served venue: WebSocket and REST on one loopback port, with planned faults."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import Final, Self

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from perps_actors.errors import SimulatorError, VenueError
from perps_actors.kernel.clock import Clock
from perps_actors.simulator.faults import ActiveFaults, FaultPlan
from perps_actors.simulator.rest_side import RestAnswer
from perps_actors.simulator.source import Source
from perps_actors.simulator.venue_contract import StreamSession
from perps_actors.simulator.venues import VenueSide

HOST: Final = "127.0.0.1"
CLOSE_HANDSHAKE_S: Final = 5.0
PINGS_UNANSWERED: Final = WSCloseCode.UNSUPPORTED_DATA
"""HTX's close code for a client that did not answer the venue's own pings."""

_MAX_REQUEST_FRAME: Final = 65_536


class ClientConnection:
    """One client's WebSocket; the faults apply to its frames."""

    def __init__(
        self,
        ws: web.WebSocketResponse,
        request: web.Request,
        session: StreamSession,
        side: VenueSide,
        faults: ActiveFaults,
    ) -> None:
        self.changed = asyncio.Event()
        self._ws = ws
        self._request = request
        self._session = session
        self._side = side
        self._faults = faults
        self._new_streams = dict.fromkeys(session.streams())

    def streams(self) -> tuple[str, ...]:
        """Return the subscribed streams."""
        return self._session.streams()

    def new_streams(self) -> tuple[str, ...]:
        """Return the streams subscribed since the last call, also if subscribed again."""
        streams, self._new_streams = tuple(self._new_streams), {}
        return streams

    async def send(self, stream: str, frame: bytes) -> None:
        """Send a frame; wait while the client does not read or silence is active."""
        # This also yields to other tasks: a write that fits the socket's buffer does not.
        await self._faults.silence()
        if self._side.streams.channel_of(stream) == "book" and self._faults.remaining_s("gap") > 0:
            return
        garbage = self._faults.garbage(frame)
        if garbage is not None:
            await self._ws.send_bytes(garbage)
        await self._write(self._session.formatted(frame))

    def abort(self) -> None:
        """Disconnect without a close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def listen(self) -> None:
        """Answer the client's pings and requests until it is gone."""
        async for message in self._ws:
            if self._faults.remaining_s("silence") > 0:
                continue
            await self._answer(message)

    async def _answer(self, message: WSMessage) -> None:
        if message.type is WSMsgType.PING:
            await self._ws.pong(message.data)
        elif message.type is WSMsgType.TEXT:
            before = frozenset(self._session.streams())
            answers = self._session.receive(message.data)
            after = self._session.streams()
            self._new_streams = {stream: None for stream in self._new_streams if stream in after}
            self._new_streams |= {stream: None for stream in after if stream not in before}
            for answer in answers:
                await self._write(answer.encode())
            self.changed.set()

    async def keep_pinging(self, clock: Clock) -> str:
        """Ping the client until it left too many pings unanswered; return the close reason."""
        while True:
            await self._faults.silence()
            try:
                ping = self._session.ping(clock.time_ns())
            except VenueError as error:
                return str(error)
            if ping is not None:
                await self._write(ping.encode())
            await asyncio.sleep(self._session.ping_every_s)
            if ping is None:
                await self._ws.ping()

    async def close(self, reason: str, code: int = WSCloseCode.OK) -> None:
        """Send a close frame after all frames and wait for the client's, at most five seconds."""
        await self._ws.close(code=code, message=reason.encode())

    async def _write(self, text: bytes) -> None:
        packed = self._session.compressed(text)
        if packed is None:
            await self._ws.send_frame(text, WSMsgType.TEXT)
        else:
            await self._ws.send_frame(packed, WSMsgType.BINARY)


class VenueServer:
    """Serves a source on loopback.

    An async context manager: inside, `port` is bound and connections are served.
    """

    def __init__(
        self,
        source: Source,
        side: VenueSide,
        clock: Clock,
        *,
        plan: FaultPlan,
        seed: int,
        port: int = 0,
    ) -> None:
        self.port = port
        self._source = source
        self._side = side
        self._clock = clock
        self._faults = ActiveFaults(plan, clock, seed)
        self._weights = side.rest.new_rate_limit()
        self._connections: set[ClientConnection] = set()
        self._tasks: list[asyncio.Task[None]] = []
        app = web.Application()
        app.router.add_get("/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5
        )

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            await self._runner.cleanup()
            msg = f"port = {self.port}: cannot be bound on {HOST}: {error}"
            raise SimulatorError(msg) from error
        self.port = self._runner.addresses[0][1]
        self._tasks = [
            asyncio.create_task(self._source.run()),
            asyncio.create_task(self._drop_when_due()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._connections:
            connection.abort()
        await self._runner.cleanup()

    async def wait(self) -> None:
        """Wait until the source's own work is done; raise its exception."""
        await self._tasks[0]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        return await self._rest(request)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        path, query, now_ns = request.path, request.rel_url.raw_query_string, self._clock.time_ns()
        await self._faults.silence()
        refused = self._faults.remaining_s("refuse_rest")
        answer = (
            self._side.rest.too_many(math.ceil(refused))
            if refused > 0
            else self._weights.charge(path, query, now_ns)
        )
        served = answer is None
        response = self._response(answer or self._source.answer(path, query))
        await response.prepare(request)
        await response.write_eof()
        if served:
            self._source.answered(path, query)
        return response

    def _response(self, answer: RestAnswer) -> web.Response:
        headers = self._weights.headers()
        if answer.retry_after_s is not None:
            headers["Retry-After"] = str(answer.retry_after_s)
        return web.Response(
            status=answer.status, body=answer.body, content_type="application/json", headers=headers
        )

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        try:
            session = self._side.streams.session(request.path, request.rel_url.raw_query_string)
        except VenueError as error:
            return web.Response(status=404, text=str(error))
        if self._faults.remaining_s("drop_connection") > 0:
            return web.Response(status=503)
        ws = web.WebSocketResponse(
            timeout=CLOSE_HANDSHAKE_S,
            autoping=False,
            compress=False,
            max_msg_size=_MAX_REQUEST_FRAME,
        )
        await ws.prepare(request)
        connection = ClientConnection(ws, request, session, self._side, self._faults)
        self._connections.add(connection)
        try:
            await self._converse(connection)
        finally:
            self._connections.discard(connection)
            self._source.ended(connection)
        return ws

    async def _converse(self, connection: ClientConnection) -> None:
        playing = asyncio.create_task(self._source.play(connection))
        pinging = asyncio.create_task(connection.keep_pinging(self._clock))
        tasks = (playing, pinging, asyncio.create_task(connection.listen()))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # Sending to a client that is gone raises OSError.
            with contextlib.suppress(OSError):
                if playing.done():
                    await connection.close(playing.result())
                elif pinging.done():
                    await connection.close(pinging.result(), PINGS_UNANSWERED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _drop_when_due(self) -> None:
        while True:
            await self._faults.each("drop_connection")
            for connection in self._connections:
                connection.abort()
