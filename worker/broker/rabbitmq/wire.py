"""Kombu's AMQP connection with three things changed: it reads ahead, leaves contents as they came, and never
hangs.

Reading ahead: one `recv` brings hundreds of frames (py-amqp asks for each frame in three pieces). As they
came: no property is decoded and no body decompressed for the sender (see `properties`). Never hangs: every
answer that is waited for has its deadline, also in the middle of a frame, and a channel that the broker
closed is not opened again in silence, without its consumers.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from time import monotonic
from typing import Any, NoReturn

from amqp import spec
from amqp.exceptions import AMQPError, RecoverableConnectionError, UnexpectedFrame
from kombu.connection import Connection
from kombu.transport import pyamqp

from worker import __version__, certificates
from worker.broker.rabbitmq.address import BrokerAddress, Node
from worker.broker.rabbitmq.failures import first_that_connects, raise_for

GOODBYE_TIMEOUT = 2.0

_READ_AHEAD = 256 * 1024
_METHOD, _HEADER, _BODY, _HEARTBEAT, _END = 1, 2, 3, 8, 0xCE
_DELIVER = b"\x00\x3c\x00\x3c"
_GET_OK = b"\x00\x3c\x00\x47"
# Methods with a content: basic.deliver, basic.get-ok, basic.return.
_WITH_CONTENT = frozenset([_DELIVER, _GET_OK, b"\x00\x3c\x00\x32"])
_frame_head = struct.Struct(">BHI").unpack_from
_body_size = struct.Struct(">Q").unpack_from
_delivery_tag = struct.Struct(">Q?").unpack_from

# What a broken connection raises, or one to something that speaks otherwise.
BROKEN = (AMQPError, OSError, ValueError, LookupError, struct.error)


class Content:
    """A message as it came: `properties` are the bytes of the property list."""

    __slots__ = (
        "_chunks",
        "_missing",
        "body",
        "channel",
        "delivery_info",
        "delivery_tag",
        "method",
        "properties",
        "redelivered",
    )

    def __init__(self, method: bytes) -> None:
        self.method = method
        self.properties = b""
        self.body = b""
        self.delivery_tag = 0
        self.redelivered = False
        self.channel: Any = None
        self.delivery_info: dict[str, Any] = {}
        self._chunks: list[bytes] = []
        self._missing = 0

    def take_header(self, payload: bytes) -> bool:
        """Takes the content header; true: there is no body to come."""
        (self._missing,) = _body_size(payload, 4)
        self.properties = payload[12:]
        return self._missing == 0

    def take_body(self, payload: bytes) -> bool:
        """Takes a piece of the body; true: it was the last."""
        self._missing -= len(payload)
        if self._missing > 0:
            self._chunks.append(payload)
            return False
        self.body = b"".join([*self._chunks, payload]) if self._chunks else payload
        return True


class Channel(pyamqp.Channel):
    """A channel that stays closed once the broker has closed it."""

    def _do_revive(self) -> None:
        self.is_open = False


class Wire(pyamqp.Connection):
    """One connection to one node, for one thread. After any error it can only be closed with `hang_up`."""

    Channel = Channel

    def __init__(self, *, answer_timeout: float, **options: Any) -> None:
        super().__init__(**options)
        self._answer_timeout = answer_timeout
        self._unread = b""
        self._offset = 0
        self._contents: dict[int, Content] = {}
        self._connected_once = False
        self._write_timeout = answer_timeout

    def connect(self, callback: Any = None) -> Any:
        """Connects once; py-amqp would connect again by itself when a closed connection is used."""
        if self._connected_once:
            raise RecoverableConnectionError("the connection is closed")
        self._connected_once = True
        return super().connect(callback)

    def drain_events(self, timeout: float | None = None) -> None:
        """Handles what comes until something came; py-amqp waits for answers through this. Raises
        TimeoutError."""
        if not self.poll(self._answer_timeout if timeout is None else timeout):
            raise TimeoutError("no answer in time")

    def poll(self, timeout: float) -> bool:
        """Handles what has come, else waits for it up to `timeout` seconds; false: nothing came."""
        deadline = monotonic() + timeout
        while not self._handle_frames():
            if not self._read(deadline):
                return False
        return True

    def hang_up(self) -> None:
        """Says goodbye, so that acknowledgements on their way are taken, and closes.

        Never raises, never waits long, does nothing the second time.
        """
        deadline = monotonic() + GOODBYE_TIMEOUT
        self._write_timeout = GOODBYE_TIMEOUT
        with contextlib.suppress(*BROKEN):
            if self.connected:
                self.is_closing = True
                self._transport.sock.settimeout(GOODBYE_TIMEOUT)
                self.send_method(spec.Connection.Close, "BsBB", (200, "", 0, 0))
            while self.connected and monotonic() < deadline:
                self.poll(deadline - monotonic())
        with contextlib.suppress(*BROKEN):
            self.collect()

    def _read(self, deadline: float) -> bool:
        """Reads what the socket has, waiting for it until the deadline; false: nothing came."""
        if not self.connected:
            raise RecoverableConnectionError("the connection is closed")
        sock = self._transport.sock
        sock.settimeout(max(deadline - monotonic(), 0))
        try:
            data = sock.recv(_READ_AHEAD)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        finally:
            sock.settimeout(self._write_timeout)
        if not data:
            raise ConnectionResetError("the broker closed the connection")
        self.bytes_recv += 1
        self._unread = self._unread[self._offset :] + data
        self._offset = 0
        return True

    def _handle_frames(self) -> bool:
        """Handles the whole frames that were read; true: something was handed on.

        Stops behind every method that is no delivery: whoever waits for it may first have to act on it (a
        consumer's callback is registered when its consume-ok is in).
        """
        handed_on = False
        while (frame := self._next_frame()) is not None:
            kind, channel, payload = frame
            if kind == _METHOD:
                if payload[:4] not in _WITH_CONTENT:
                    self._dispatch(channel, payload, None)
                    return True
                self._contents[channel] = Content(payload)
            elif kind != _HEARTBEAT:
                content = self._contents[channel]
                if content.take_header(payload) if kind == _HEADER else content.take_body(payload):
                    del self._contents[channel]
                    handed_on = True
                    if content.method[:4] != _DELIVER:
                        self._dispatch(channel, content.method, content)
                        return True
                    self._deliver(channel, content)
        return handed_on

    def _next_frame(self) -> tuple[int, int, bytes] | None:
        """The next whole frame (kind, channel, payload), or None."""
        start = self._offset
        if len(self._unread) < start + 8:
            return None
        kind, channel, size = _frame_head(self._unread, start)
        end = start + 7 + size
        if kind not in (_METHOD, _HEADER, _BODY, _HEARTBEAT) or size > self.frame_max:
            raise UnexpectedFrame("what answers there does not speak AMQP 0-9-1")
        if len(self._unread) <= end:
            return None
        if self._unread[end] != _END:
            raise UnexpectedFrame("a frame does not end where it should")
        self._offset = end + 1
        return kind, channel, self._unread[start + 7 : end]

    def _dispatch(self, channel: int, payload: bytes, content: Content | None) -> None:
        if payload[:4] == _GET_OK:
            payload = _without_keys(payload)
        self.on_inbound_method(channel, struct.unpack_from(">HH", payload), payload, content)

    def _deliver(self, channel: int, content: Content) -> None:
        """Hands a delivery to the callback of its consumer."""
        if self.is_closing:
            return
        method = content.method
        end_of_tag = 5 + method[4]
        content.delivery_tag, content.redelivered = _delivery_tag(method, end_of_tag)
        self.channels[channel].callbacks[method[5:end_of_tag].decode()](content)


def _without_keys(payload: bytes) -> bytes:
    """A get-ok with an empty exchange and routing key: py-amqp would decode them, and a sender may have put
    there what is no UTF-8."""
    after_exchange = 14 + payload[13]
    after_key = after_exchange + 1 + payload[after_exchange]
    return payload[:13] + b"\0\0" + payload[after_key:]


class _Transport(pyamqp.Transport):
    Connection = Wire


def open_wire(address: BrokerAddress, purpose: str) -> Wire:
    """Connects to the first node that answers; `purpose` is shown among the broker's connections.

    Raises UnavailableError (none answers), ConfigurationError (each refuses what BROKER_URL says).
    """
    return first_that_connects(address.nodes, lambda node: _connected(address, node, purpose))


def fail(error: BaseException, address: BrokerAddress) -> NoReturn:
    """Raises what happens next after an error on an open connection."""
    raise_for(error, str(address))


def _connected(address: BrokerAddress, node: Node, purpose: str) -> Wire:
    try:
        return _connect(address, node, purpose)
    except BROKEN as error:
        raise_for(error, f"RabbitMQ at {node}", node)


def _connect(address: BrokerAddress, node: Node, purpose: str) -> Wire:
    tls = {"ca_certs": address.cafile, "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": node.host}
    connection = Connection(  # type: ignore[no-untyped-call]  # kombu has no types
        hostname=node.host,
        port=node.port,
        userid=node.user,
        password=node.password,
        virtual_host=node.vhost,
        ssl=tls if node.tls else False,
        transport=_Transport,
        login_method="PLAIN",
        connect_timeout=address.timeouts.connect,
        heartbeat=address.timeouts.heartbeat,
        transport_options={
            "answer_timeout": address.timeouts.answer,
            "client_properties": {
                "connection_name": f"writeback {purpose} on {socket.gethostname()}",
                "product": f"tardy-writeback {__version__}",
            },
        },
    )
    wire: Wire = connection.transport.establish_connection()
    certificates.noted(str(node), wire.sock)
    return wire
