"""What each parameter of a connection string means to asyncpg.

asyncpg sends every parameter that it does not know to the server as a setting, and the server then
refuses the connection. So each parameter that hosting companies and other drivers write is decided
here, in one of six ways: asyncpg reads it from the DSN; it becomes an argument of `asyncpg.connect`;
it becomes a server setting; it is left out, since nothing is lost; it is left out with a warning,
since a wish stays unfulfilled; or it is refused, since leaving it out would weaken the connection.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from finance.errors import ConfigurationError
from finance.settings.dsn import pair_ports

_logger = logging.getLogger("finance.settings")

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_ENCRYPTED = SSL_MODES[3:]
SESSION_ATTRIBUTES = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")

_VERIFY = "use sslmode=verify-full with sslrootcert"
_YES = frozenset({"1", "on", "t", "true", "yes"})
_NO = frozenset({"0", "off", "f", "false", "no"})
_UTF8 = frozenset({"utf8", "utf-8", "unicode", "auto"})

#: Names of other drivers for what libpq names otherwise.
_RENAMED = {
    "database": "dbname",
    "timeout": "connect_timeout",
    "connectTimeout": "connect_timeout",
    "loginTimeout": "connect_timeout",
    "ApplicationName": "application_name",
    "currentSchema": "search_path",
    "encoding": "client_encoding",
    "charset": "client_encoding",
}

#: What asyncpg reads from its DSN, under these names.
_OF_THE_DRIVER = frozenset({
    "gsslib", "host", "krbsrvname", "passfile", "password", "port", "ssl_max_protocol_version",
    "ssl_min_protocol_version", "sslcert", "sslcrl", "sslkey", "sslmode", "sslnegotiation", "sslpassword",
    "sslrootcert", "target_session_attrs", "user",
})  # fmt: skip

#: Tuning of another driver, or of something that asyncpg has not: without it nothing is lost but a detail.
_IGNORED = frozenset({
    "authtype", "binary_parameters", "keepalives", "keepalives_count", "keepalives_idle", "keepalives_interval",
    "max_protocol_version", "prefer_simple_protocol", "reWriteBatchedInserts", "serverVersion",
    "sslcompression", "sslkeylogfile", "sslsni", "supa", "tcpKeepAlive", "tcp_user_timeout", "tty",
    "uselibpqcompat", "workaround",
})  # fmt: skip

#: A wish that the URL cannot fulfil, and what can.
_UNFULFILLED = {
    "connection_limit": "pass max_size=",
    "load_balance_hosts": "the hosts are tried in their order",
    "max_overflow": "pass max_size=",
    "max_size": "pass max_size=",
    "min_size": "pass min_size=",
    "pool": "pass max_size=",
    "pool_max_conns": "pass max_size=",
    "pool_min_conns": "pass min_size=",
    "pool_size": "pass max_size=",
    "pool_timeout": "pass acquire_timeout=",
    "socketTimeout": "pass command_timeout=",
    "socket_timeout": "pass command_timeout=",
}

#: The values under which leaving a parameter out changes nothing, and what to do about any other.
_REFUSED: dict[str, tuple[frozenset[str], str]] = {
    "client_encoding": (_UTF8, "the connection always speaks UTF-8; leave it out"),
    "gssdelegation": (_NO, "asyncpg cannot delegate credentials; leave it out"),
    "gssencmode": (frozenset({"disable", "prefer"}), "asyncpg has no GSSAPI encryption; use TLS (sslmode=verify-full)"),
    "min_protocol_version": (frozenset({"3.0"}), "asyncpg speaks protocol 3.0; leave it out"),
    "oauth_client_id": (frozenset(), "asyncpg has no OAuth; pass a callable as password="),
    "oauth_client_secret": (frozenset(), "asyncpg has no OAuth; pass a callable as password="),
    "oauth_issuer": (frozenset(), "asyncpg has no OAuth; pass a callable as password="),
    "oauth_scope": (frozenset(), "asyncpg has no OAuth; pass a callable as password="),
    "password_file": (frozenset(), "give it beside the DSN, as password_file="),
    "replication": (_NO, "a replication connection cannot keep books; leave it out"),
    "require_auth": (frozenset(), f"asyncpg accepts any method that the server asks for; {_VERIFY} instead"),
    "requirepeer": (frozenset(), f"asyncpg cannot check the user behind a socket; {_VERIFY} instead"),
    "requiressl": (_NO, "it is obsolete; use sslmode=require"),
    "scram_client_key": (frozenset(), "asyncpg needs the password; use password or a passfile"),
    "scram_server_key": (frozenset(), "asyncpg needs the password; use password or a passfile"),
    "sslaccept": (frozenset({"accept_invalid_certs"}), f"{_VERIFY} instead"),
    "sslcertmode": (frozenset({"allow"}), "asyncpg sends the certificate that sslcert names; leave it out"),
    "sslcrldir": (frozenset(), "asyncpg reads no folder of revocation lists; name one file with sslcrl"),
    "sslfactory": (frozenset(), f"it is Java's; {_VERIFY} instead"),
    "sslidentity": (frozenset(), "use sslcert and sslkey instead"),
    "targetServerType": (frozenset({"any"}), "it is Java's; use target_session_attrs instead"),
}

_TLS_DETAILS = ("sslcert", "sslkey", "sslpassword", "sslcrl", "ssl_min_protocol_version", "ssl_max_protocol_version")


@dataclass(slots=True, repr=False, eq=False)
class Interpretation:
    """What parameters mean: `driver` is for the DSN, `arguments` and `settings` for `asyncpg.connect`.

    Neither shown nor pickled: passwords are among it, and the error of a refused parameter keeps it alive.
    """

    driver: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    behind_pooler: bool = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("connection parameters may hold a password and are not pickled")


def canonical(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return *parameters* under libpq's names; an empty one counts as absent.

    Raises:
        ConfigurationError: `ssl` says one thing and `sslmode` another.
    """
    named = {_RENAMED.get(name, name): value for name, value in parameters.items() if value}
    switch, mode = named.pop("ssl", ""), _mode_of(named.get("sslmode", ""))
    wanted = _mode_of(switch) or mode
    if mode and wanted != mode and not (switch.lower() in _YES and mode in _ENCRYPTED):
        raise ConfigurationError("ssl and sslmode contradict each other; keep sslmode")
    return {**named, "sslmode": mode or wanted} if wanted else named


def interpret(parameters: Mapping[str, str]) -> Interpretation:
    """Decide about every parameter, each under its canonical name.

    Raises:
        ConfigurationError: A parameter cannot be honoured, and leaving it out would weaken or break.
    """
    named = dict(parameters)
    found = Interpretation()
    _choose_host(named)
    if named.get("sslrootcert") == "system":
        _trust_system_roots(named, found)
    _choose_pooler(named, found)
    for name, value in named.items():
        _decide(name, value, found)
    fallback = found.settings.pop("fallback_application_name", "")
    if fallback:
        found.settings.setdefault("application_name", fallback)
    return found


def _decide(name: str, value: str, found: Interpretation) -> None:
    if name == "dbname":
        found.driver["database"] = value
    elif name in _OF_THE_DRIVER:
        found.driver[name] = _check(name, value)
    elif name in _ARGUMENTS:
        argument, read = _ARGUMENTS[name]
        found.arguments.setdefault(argument, read(name, value))
    elif not _left_out(name, value):
        found.settings[name] = value


def _left_out(name: str, value: str) -> bool:
    if name in _REFUSED:
        harmless, remedy = _REFUSED[name]
        if value.strip().lower() not in harmless:
            raise ConfigurationError(f"the parameter {name} cannot be honoured as it stands: {remedy}")
    elif name == "channel_binding":
        _warn_of_channel_binding(value)
    elif name in _UNFULFILLED:
        _logger.warning("the connection parameter %s has no effect here: %s", name, _UNFULFILLED[name])
    elif name not in _IGNORED:
        return False
    _logger.debug("the connection parameter %s was left out", name)
    return True


def _warn_of_channel_binding(value: str) -> None:
    # Hosts write channel_binding=require into every URL that they hand out; to refuse it would be to refuse them.
    if value == "require":
        _logger.warning(
            "channel_binding=require has no effect: asyncpg has no channel binding; sslmode=verify-full with"
            " sslrootcert=system protects against the same attack where the server's certificate is a public one"
        )


def _check(name: str, value: str) -> str:
    allowed = {
        "sslmode": SSL_MODES,
        "target_session_attrs": SESSION_ATTRIBUTES,
        "sslnegotiation": ("postgres", "direct"),
        "gsslib": ("gssapi", "sspi"),
    }.get(name)
    if allowed is not None and value not in allowed:
        raise ConfigurationError(f"{name} must be one of {', '.join(allowed)}")
    return value


# --- where to ---------------------------------------------------------------------------------------


def _choose_host(named: dict[str, str]) -> None:
    address = named.pop("hostaddr", None)
    if address and "host" in named:
        # libpq would connect to the one and check the certificate for the other; asyncpg has but one name.
        raise ConfigurationError("host and hostaddr cannot both be given: keep host, or give hostaddr alone")
    if address:
        named["host"] = address
    if "port" in named:
        ports = named["port"].split(",")
        named["port"] = ",".join(pair_ports(named.get("host", "localhost").split(","), ports))


def _choose_pooler(named: dict[str, str], found: Interpretation) -> None:
    """Honour Prisma's pgbouncer=true (no prepared statements) and schema=..., a search path of one.

    A transaction pooler refuses the search path as a startup parameter, or drops it and so serves
    another schema. Prisma writes schema=public into every URL; that one the server takes by itself.
    """
    found.behind_pooler = named.pop("pgbouncer", "false").lower() in _YES
    rails, java = named.pop("prepared_statements", "true"), named.pop("prepareThreshold", "5")
    if (found.behind_pooler or rails.lower() in _NO or java == "0") and "prepared_statement_cache_size" not in named:
        named.setdefault("statement_cache_size", "0")
    schema = named.pop("schema", None)
    if schema is not None and not (found.behind_pooler and schema == "public"):
        named.setdefault("search_path", quote_identifier(schema))


def quote_identifier(name: str) -> str:
    """Quote *name* as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


# --- TLS --------------------------------------------------------------------------------------------


def _mode_of(value: str) -> str:
    """Translate the words of SQLAlchemy and node-postgres; others are checked where all are."""
    word = value.lower().replace("_", "-")
    if word in _YES:
        return "require"
    if word in _NO:
        return "disable"
    return "require" if word == "no-verify" else word


def _trust_system_roots(named: dict[str, str], found: Interpretation) -> None:
    """Honour libpq 16's sslrootcert=system; asyncpg would look for a file of that name."""
    if named.pop("sslmode", "verify-full") != "verify-full":
        raise ConfigurationError("sslrootcert=system needs sslmode=verify-full, since anybody can get a certificate")
    if any(detail in named for detail in _TLS_DETAILS):
        details = ", ".join(detail for detail in _TLS_DETAILS if detail in named)
        raise ConfigurationError(
            f"sslrootcert=system cannot be combined with {details}: pass an ssl.SSLContext as ssl= instead"
        )
    del named["sslrootcert"]
    found.arguments["ssl"] = True


# --- numbers ----------------------------------------------------------------------------------------


def _seconds(name: str, value: str) -> float | None:
    """Read a number of seconds; zero means no limit, as in libpq."""
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip(), re.ASCII):
        raise ConfigurationError(f"{name} must be a number of seconds")
    seconds = float(value)
    return None if math.isclose(seconds, 0) else seconds


def _count(name: str, value: str) -> int:
    if not re.fullmatch(r"\d{1,9}", value.strip(), re.ASCII):
        raise ConfigurationError(f"{name} must be a whole number from 0 on")
    return int(value)


#: What becomes an argument of `asyncpg.connect`: its name there, and how its text is read.
_ARGUMENTS: dict[str, tuple[str, Callable[[str, str], float | None]]] = {
    "connect_timeout": ("timeout", _seconds),
    "command_timeout": ("command_timeout", _seconds),
    "statement_cache_size": ("statement_cache_size", _count),
    "prepared_statement_cache_size": ("statement_cache_size", _count),
    "max_cached_statement_lifetime": ("max_cached_statement_lifetime", _count),
    "max_cacheable_statement_size": ("max_cacheable_statement_size", _count),
}
