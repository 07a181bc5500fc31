"""How the connections of one source are made."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg

from finance.connection import Observer, PooledConnection
from finance.errors import FinanceError
from finance.integrity import DRIVER_ERRORS, connect_error, translate
from finance.settings import SERVER_TIMEOUTS, ConnectionSource, Options

#: Seconds by which the server's own statement_timeout comes first: the driver's is for a server that is gone.
GRACE = 5.0


class Connector:
    """Makes connections to one source, with the time limits and settings that the options say.

    Attributes:
        connection_class: What the connections are; a test may ask for some that fail.
    """

    connection_class: type[PooledConnection] = PooledConnection

    def __init__(self, source: ConnectionSource, options: Options, observer: Observer) -> None:
        self._source = source
        self._init = options.init
        self._observer = observer
        self._arguments: dict[str, Any] = dict(source.arguments)
        self.behind_pooler = source.behind_pooler
        self._means_to_read = _means_to_read(self._arguments)
        stated = _stated(self._arguments.get("server_settings") or {})
        self._timeouts = {
            setting: seconds
            for word, setting in SERVER_TIMEOUTS.items()
            if setting not in stated and (seconds := getattr(options, word)) is not None
        }
        if "command_timeout" not in self._arguments and (limit := self._timeouts.get("statement_timeout")):
            self._arguments["command_timeout"] = limit + GRACE

    @property
    def address(self) -> str:
        """Where connections go, for people."""
        return self._source.address

    async def connect(self, *, is_limited: bool = True) -> PooledConnection:
        """Make a connection; with *is_limited*, the time limits on statements hold in it.

        Raises:
            FinanceError: It could not be made, or the user's own `init` refused it.
        """
        arguments = self._arguments if is_limited else {**self._arguments, "command_timeout": None}
        if is_limited and not self.behind_pooler:  # which refuses settings at the start
            settings = {name: _milliseconds(seconds) for name, seconds in self._timeouts.items()}
            arguments = {**arguments, "server_settings": {**settings, **(arguments.get("server_settings") or {})}}
        try:
            connection: PooledConnection = await asyncpg.connect(
                self._source.dsn, connection_class=self.connection_class, **arguments
            )
        except (*DRIVER_ERRORS, asyncpg.ClientConfigurationError, ValueError) as error:
            # Without its traceback: the driver's frames hold the password, and reports of errors show local variables.
            raise connect_error(error, self._source.address) from _without_secrets(error)
        connection.observer = self._observer
        connection.has_session = not self.behind_pooler
        connection.is_meant_to_read = self._means_to_read
        if self.behind_pooler and is_limited:
            connection.always_with_begin(with_begin(self._timeouts))
        try:
            await call_hook(self._init, connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def connect_apart(self, *, is_limited: bool = True) -> PooledConnection:
        """Make a connection for somebody who is not the pool.

        Raises:
            FinanceError: As `connect()`; what the user's own `init` raised passes unchanged.
        """
        try:
            return await self.connect(is_limited=is_limited)
        except Exception as error:
            raise told(error)  # noqa: B904 - its own cause stays


#: What sets something in the options of the command line: "-c name=value", "-cname=value" or "--name=value".
_IN_OPTIONS = re.compile(r"(?:(?<!\S)-c\s*|(?<!\S)--)([\w.-]+)=")


def _stated(settings: Mapping[str, str]) -> set[str]:
    """Return the names of what *settings* sets; the server lets one of its own prevail over one in the options."""
    in_options = _IN_OPTIONS.findall(settings.get("options", ""))
    return {name.lower().replace("-", "_") for name in (*settings, *in_options)}


def _without_secrets(error: BaseException) -> BaseException | None:
    # What cannot be decoded is kept whole in the error, and is a file of passwords perhaps.
    return None if isinstance(error, UnicodeError) else error.with_traceback(None)


def _means_to_read(arguments: Mapping[str, Any]) -> bool:
    if arguments.get("target_session_attrs") in ("standby", "prefer-standby", "read-only"):
        return True
    settings = arguments.get("server_settings") or {}
    return settings.get("default_transaction_read_only", "off").lower() in ("on", "true", "yes", "1")


def with_begin(timeouts: Mapping[str, float | None]) -> str:
    """Return what sets the server's *timeouts*, in seconds, for one transaction; infinity is no limit."""
    return " ".join(
        f"SET LOCAL {name} = {_milliseconds(seconds)};" for name, seconds in timeouts.items() if seconds is not None
    )


def _milliseconds(seconds: float) -> str:
    # Zero would be no limit.
    return "0" if seconds == float("inf") else str(max(1, round(seconds * 1000)))


class HookError(Exception):
    """Carries what the user's own hook raised past the translation of the driver's errors."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        super().__init__(f"the init or setup hook failed with {type(error).__name__}")


def told(error: BaseException) -> BaseException:
    """Return what a caller is told for *error*, which a connection's making or the user's own hook raised."""
    if isinstance(error, HookError):
        return error.error
    if isinstance(error, DRIVER_ERRORS):
        found = translate(error)
        found.__cause__ = error
        return found
    return error


async def call_hook(hook: Callable[[Any], Any] | None, driver: PooledConnection) -> None:
    """Call the user's own *hook* with a connection, and await it where it is to be awaited.

    Raises:
        HookError: It failed, and not because the server refused a statement.
    """
    if hook is None:
        return
    try:
        result = hook(driver)
        if inspect.isawaitable(result):
            await result
    except (FinanceError, asyncpg.PostgresError, asyncpg.InterfaceError):
        raise
    except Exception as error:
        raise HookError(error) from error
