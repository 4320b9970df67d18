"""What the AMQP libraries raise, told as what happens next: one line, without password."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from amqp.exceptions import AMQPError as WireError
from amqp.exceptions import ConsumerCancelled
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AMQPHeartbeatTimeout,
    ConnectionBlockedTimeout,
    ConnectionClosedByBroker,
    ConnectionOpenAborted,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    StreamLostError,
)

from worker.broker.rabbitmq.address import Node
from worker.errors import ConfigurationError, UnavailableError

T = TypeVar("T")

_FORCED = 320  # an operator or the broker's own end closed the connection
ALARM = "it takes no messages now (memory or disk alarm): free memory or disk there; nothing is lost"


def raise_for(error: BaseException, where: str, node: Node | None = None) -> NoReturn:
    """Raises UnavailableError for `error`; while connecting to `node`, ConfigurationError where BROKER_URL is
    wrong."""
    cause = _root(error)
    if node is not None:
        _raise_if_refused(cause, where, node)
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise ConfigurationError(
                f"{where} shows a certificate that is not accepted ({cause.verify_message}): "
                "check the host name in BROKER_URL, its cafile, and the broker's certificate"
            ) from error
    raise UnavailableError(f"{where}: {reason(cause)}") from error


def first_that_connects(nodes: Sequence[Node], connect: Callable[[Node], T]) -> T:
    """What connecting gives at the first node where it can be done: one with a certificate that has ended, or that
    refuses the login, keeps nobody from the others.

    Raises ConfigurationError where each refuses what BROKER_URL says, UnavailableError where one may yet let us in.
    """
    refused: list[ConfigurationError] = []
    unavailable: list[UnavailableError] = []
    for node in nodes:
        try:
            return connect(node)
        except ConfigurationError as error:
            refused.append(error)
        except UnavailableError as error:
            unavailable.append(error)
    told = "; ".join(map(str, [*refused, *unavailable]))
    if unavailable:
        raise UnavailableError(told)
    raise ConfigurationError(told)


def is_answer(error: BaseException) -> bool:
    """Whether the broker has closed the channel or the connection over what it was given, or the library could not
    even write that: a broker that is gone, ends or is short of memory has said nothing of a message."""
    cause = _root(error)
    if isinstance(cause, ConnectionClosedByBroker):
        return bool(cause.reply_code != _FORCED)
    gone = (AMQPConnectionError, AMQPHeartbeatTimeout, OSError)
    return isinstance(cause, AMQPError) and not isinstance(cause, gone)


def reason(error: BaseException) -> str:
    """The error in one line of plain words."""
    if isinstance(error, ConnectionBlockedTimeout):
        return ALARM
    if isinstance(error, ConsumerCancelled):
        return "it cancelled the consumer: the queue was deleted or has moved"
    if isinstance(error, ConnectionRefusedError):
        return "it refuses connections: is it running, is the port right?"
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    if isinstance(error, (TimeoutError, ConnectionOpenAborted)):
        return "it does not answer in time"
    if isinstance(error, StreamLostError):
        return "the connection was lost"
    text = getattr(error, "reply_text", None) or getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:300] or type(error).__name__


def _raise_if_refused(cause: BaseException, where: str, node: Node) -> None:
    """A login or virtual host that is refused for good; a limit on connections passes."""
    code, text = _reply(cause)
    if "limit" in text or "is down" in text:
        return
    if code == 403 or isinstance(cause, ProbableAuthenticationError):
        raise ConfigurationError(
            f"{where} refuses the login of user {node.user!r}: check BROKER_URL"
        ) from cause
    if code == 530 or isinstance(cause, ProbableAccessDeniedError):
        raise ConfigurationError(
            f"{where} has no virtual host {node.vhost!r}, or user {node.user!r} may not enter it: "
            "check BROKER_URL"
        ) from cause


def _reply(cause: BaseException) -> tuple[int, str]:
    if isinstance(cause, WireError):
        return int(cause.reply_code or 0), str(cause.reply_text or "")
    if isinstance(cause, AMQPError):
        return int(getattr(cause, "reply_code", 0) or 0), str(cause)
    return 0, ""


def _root(error: BaseException) -> BaseException:
    """The innermost of the errors that pika wraps in one another."""
    inner = [*error.args, *getattr(error, "exceptions", ()), getattr(error, "exception", None)]
    for candidate in reversed(inner):
        if isinstance(candidate, BaseException) and not isinstance(error, ProbableAuthenticationError):
            return _root(candidate)
    return error
