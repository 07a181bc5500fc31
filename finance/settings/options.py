"""The words that `DatabaseManager(dsn, **words)` takes: those of `asyncpg.create_pool`, and its own.

Each is honoured or refused by name; none is swallowed.
"""

from __future__ import annotations

import difflib
import inspect
import math
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from finance.errors import ConfigurationError
from finance.settings.dsn import is_port
from finance.settings.parameters import SESSION_ATTRIBUTES, SSL_MODES, quote_identifier
from finance.settings.password import is_secret

#: Names of the pool's connections in `pg_stat_activity`, unless somebody says otherwise.
APPLICATION_NAME = "finance"

#: Seconds that one attempt to connect may take, unless somebody says otherwise.
CONNECT_TIMEOUT = 10.0


#: The server's own time limits: our word, and the server's.
SERVER_TIMEOUTS: Mapping[str, str] = {
    "statement_timeout": "statement_timeout",
    "lock_timeout": "lock_timeout",
    "idle_in_transaction_timeout": "idle_in_transaction_session_timeout",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the manager itself is told; the words about the connection are not among it.

    Times are in seconds; None is no limit, or, for the three of the server's own, leaves it to the server.

    Attributes:
        min_size: Connections that the pool opens at once and keeps.
        max_size: Connections that it never exceeds.
        acquire_timeout: How long to wait for a free connection.
        max_waiting: Callers that may wait for one at a time; the next is refused at once.
        max_lifetime: Age at which a connection is replaced once it is free, less up to a tenth by chance, so
            that connections made together do not end together.
        max_inactive_connection_lifetime: Rest after which a connection beyond `min_size` is closed.
        ping_after_idle: Rest after which a connection is asked for a sign of life before it is handed out.
        statement_timeout: How long the server lets a statement run.
        lock_timeout: How long the server lets a statement wait for a lock.
        idle_in_transaction_timeout: How long the server lets a transaction rest between two statements.
        leak_threshold: How long a connection may be in use before a warning tells where it was taken.
        slow_threshold: How long a statement may take before it is logged, without its values.
        direct_dsn: Where the server itself is, past the pooler that the DSN names.
        on_event: Called with each `Event`: every statement, wait for a connection and retry.
        schema: The schema that holds the tables, unquoted; None is the first of the search path.
        row_security: The login is under row-level security: every transaction has to name its ledger.
        init: Called with each new asyncpg connection.
        setup: Called with an asyncpg connection each time that it leaves the pool.
    """

    min_size: int = 1
    max_size: int = 10
    acquire_timeout: float | None = 10.0
    max_waiting: int | None = None
    max_lifetime: float | None = 1800.0
    max_inactive_connection_lifetime: float | None = 300.0
    ping_after_idle: float | None = 30.0
    statement_timeout: float | None = 30.0
    lock_timeout: float | None = 5.0
    idle_in_transaction_timeout: float | None = 60.0
    leak_threshold: float | None = 30.0
    slow_threshold: float | None = 0.5
    direct_dsn: str | None = field(default=None, repr=False)
    on_event: Callable[[Any], Any] | None = None
    schema: str | None = None
    row_security: bool = False
    init: Callable[[Any], Any] | None = None
    setup: Callable[[Any], Any] | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError("the options may hold a DSN with its password and are not pickled; call split_options() again")


class _Word(NamedTuple):
    accepts: Callable[[Any], bool]
    wanted: str


def split_options(words: Mapping[str, Any]) -> tuple[Options, dict[str, Any]]:
    """Sort *words* into the manager's options and the arguments that `resolve()` takes.

    `schema` is both: an option, and the only schema of the connection's search path.

    Raises:
        ConfigurationError: A word is unknown, refused, or has a value that it cannot have.
    """
    _check(words, {**_OF_THE_MANAGER, **CONNECTION})
    options = Options(**{word: value for word, value in words.items() if word in _OPTIONS})
    if options.min_size > options.max_size:
        raise ConfigurationError(f"min_size ({options.min_size}) is larger than max_size ({options.max_size})")
    arguments = {word: value for word, value in words.items() if word in CONNECTION}
    settings = {**_settings_of(words), **(arguments.get("server_settings") or {})}
    if twice := sorted(settings.keys() & {SERVER_TIMEOUTS[word] for word in words if word in SERVER_TIMEOUTS}):
        raise ConfigurationError(f"server_settings[{twice[0]!r}] has a word of its own here; give one of them")
    return options, {**arguments, **({"server_settings": settings} if settings else {})}


def check_connection_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return *arguments* without those that are None and so left to their default.

    Raises:
        ConfigurationError: One is unknown, refused, or has a value that it cannot have.
    """
    _check(arguments, CONNECTION)
    return {word: value for word, value in arguments.items() if value is not None or word in _NONE_IS_NO_LIMIT}


def _settings_of(words: Mapping[str, Any]) -> dict[str, str]:
    """Return the server settings that words of their own stand for."""
    found: dict[str, str] = {}
    if words.get("application_name") is not None:
        found["application_name"] = words["application_name"]
    if words.get("schema") is not None:
        # This schema alone: what another one holds under the same name must not be found by accident.
        found["search_path"] = quote_identifier(words["schema"])
    if twice := sorted(found.keys() & (words.get("server_settings") or {}).keys()):
        word = "schema" if twice[0] == "search_path" else twice[0]
        raise ConfigurationError(f"{word} and server_settings[{twice[0]!r}] say the same thing; give one of them")
    return found


def _check(words: Mapping[str, Any], known: Mapping[str, _Word]) -> None:
    for word, value in words.items():
        if word in _REFUSED:
            raise ConfigurationError(f"the option {word} is not supported: {_REFUSED[word]}")
        if word not in known:
            raise ConfigurationError(f"there is no option {word}{_hint(word, known)}")
        if not (value is None and word not in _NEVER_NONE) and not known[word].accepts(value):
            # The value may be a secret in the wrong place, so its type has to do.
            raise ConfigurationError(f"{word} must be {known[word].wanted}{_mistaken_type(value)}")
    if words.get("password") is not None and words.get("password_file") is not None:
        raise ConfigurationError("password and password_file say the same thing; give one of them")


def _hint(word: str, known: Mapping[str, _Word]) -> str:
    near = _OTHER_NAMES.get(word) or next(iter(difflib.get_close_matches(word, known, n=1)), None)
    return f"; did you mean {near}?" if near else f"; there are {', '.join(sorted(known))}"


def _mistaken_type(value: object) -> str:
    return f" (this {type(value).__name__} is not)"


# --- what a value must be ---------------------------------------------------------------------------


def _is_limit(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != "" and "\0" not in value


def _is_path(value: object) -> bool:
    return _is_text(value) or isinstance(value, os.PathLike)


def _is_host(value: object) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(_is_host(host) and isinstance(host, str) for host in value)
    return isinstance(value, str) and _is_text(value) and "," not in value


def _is_port(value: object) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(_is_port(port) and not isinstance(port, list | tuple) for port in value)
    return isinstance(value, int | str) and not isinstance(value, bool) and is_port(str(value))


def _is_tls(value: object) -> bool:
    return isinstance(value, bool | ssl.SSLContext) or value in SSL_MODES


def _is_schema(value: object) -> bool:
    if not isinstance(value, str) or not _is_text(value):
        return False
    # "$user" is replaced by the server even where it is quoted.
    return len(value.encode()) <= 63 and not value.startswith("pg_") and value != "$user"


def _is_settings(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    if any(name in _NO_SETTINGS for name in value):
        return False
    return all(_is_text(name) and isinstance(text, str) and "\0" not in text for name, text in value.items())


# --- the words --------------------------------------------------------------------------------------

#: The one would garble text, the other makes a connection that cannot run statements.
_NO_SETTINGS = ("client_encoding", "replication")

_SECONDS = _Word(_is_limit, "a number of seconds above 0, or None for no limit")
_COUNT = _Word(_is_count, "a whole number from 0 on")
_TEXT = _Word(_is_text, "a string that is not empty")
_PATH = _Word(_is_path, "a path")
_CALLABLE = _Word(callable, "a function of the asyncpg connection")

#: What `resolve()` takes. All but `data_dir`, `password_file` and `pgbouncer` are asyncpg's own words.
CONNECTION: Mapping[str, _Word] = {
    "host": _Word(_is_host, "a host name or a list of them"),
    "port": _Word(_is_port, "a port from 1 to 65535 or a list of them"),
    "user": _TEXT,
    "password": _Word(
        lambda value: isinstance(value, str) or callable(value) or is_secret(value),
        "a string, an object with get_secret_value(), or a function (async or not) that returns either",
    ),
    "password_file": _PATH,
    "passfile": _PATH,
    "database": _TEXT,
    "service": _TEXT,
    "servicefile": _PATH,
    "ssl": _Word(_is_tls, f"True, False, an ssl.SSLContext or one of {', '.join(SSL_MODES)}"),
    "direct_tls": _Word(lambda value: isinstance(value, bool), "True or False"),
    "timeout": _SECONDS,
    "command_timeout": _SECONDS,
    "statement_cache_size": _COUNT,
    "max_cached_statement_lifetime": _COUNT,
    "max_cacheable_statement_size": _COUNT,
    "server_settings": _Word(_is_settings, f"a mapping from names to strings, without {' and '.join(_NO_SETTINGS)}"),
    "target_session_attrs": _Word(lambda value: value in SESSION_ATTRIBUTES, f"one of {', '.join(SESSION_ATTRIBUTES)}"),
    "krbsrvname": _TEXT,
    "gsslib": _Word(lambda value: value in ("gssapi", "sspi"), "gssapi or sspi"),
    "record_class": _Word(lambda value: isinstance(value, type), "a subclass of asyncpg.Record"),
    "pgbouncer": _Word(lambda value: isinstance(value, bool), "True or False"),
    "data_dir": _PATH,
}

_OPTIONS: Mapping[str, _Word] = {
    "min_size": _COUNT,
    "max_size": _Word(lambda value: _is_count(value) and value > 0, "a whole number from 1 on"),
    "acquire_timeout": _SECONDS,
    "max_waiting": _Word(lambda value: _is_count(value) and value > 0, "a whole number from 1 on, or None"),
    "max_lifetime": _SECONDS,
    "max_inactive_connection_lifetime": _SECONDS,
    "ping_after_idle": _SECONDS,
    "statement_timeout": _SECONDS,
    "lock_timeout": _SECONDS,
    "idle_in_transaction_timeout": _SECONDS,
    "leak_threshold": _SECONDS,
    "slow_threshold": _SECONDS,
    "direct_dsn": _TEXT,
    "on_event": _Word(
        lambda value: callable(value) and not inspect.iscoroutinefunction(value), "a function, not async, of an Event"
    ),
    "schema": _Word(_is_schema, "a name of 1 to 63 bytes that does not start with pg_"),
    "row_security": _Word(lambda value: isinstance(value, bool), "True or False"),
    "init": _CALLABLE,
    "setup": _CALLABLE,
}

_OF_THE_MANAGER: Mapping[str, _Word] = {**_OPTIONS, "application_name": _TEXT}

_NONE_IS_NO_LIMIT = frozenset({"timeout", "command_timeout"})
_NEVER_NONE = frozenset({"min_size", "max_size", "row_security"})

_REFUSED = {
    "connection_class": "the manager's own class checks that a COMMIT committed; give record_class, init or setup",
    "connect": "the manager makes its connections itself; give password= a function for changing credentials",
    "init_size": "the pool opens min_size connections at once",
    "loop": "the manager belongs to the event loop in which connect() is awaited; leave it out",
    "max_queries": "connections are replaced by age, not by number of queries: give max_lifetime",
    "reset": "the manager resets the session's state itself; undo your own in setup=",
    "sslcert": "put it into the DSN with sslkey=, or pass ssl= an ssl.SSLContext",
    "sslkey": "put it into the DSN with sslcert=, or pass ssl= an ssl.SSLContext",
    "sslrootcert": "put it into the DSN (?sslmode=verify-full&sslrootcert=...), or pass ssl= an ssl.SSLContext",
}

#: What libpq, SQLAlchemy and others call these words.
_OTHER_NAMES = {
    "connect_args": "server_settings",
    "connect_timeout": "timeout",
    "db": "database",
    "dbname": "database",
    "hostname": "host",
    "idle_in_transaction_session_timeout": "idle_in_transaction_timeout",
    "idle_timeout": "max_inactive_connection_lifetime",
    "max_idle": "max_inactive_connection_lifetime",
    "max_overflow": "max_size",
    "passwd": "password",
    "pool_min_size": "min_size",
    "pool_recycle": "max_lifetime",
    "pool_size": "max_size",
    "pool_timeout": "acquire_timeout",
    "search_path": "schema",
    "sslmode": "ssl",
    "url": "dsn",
    "username": "user",
}
