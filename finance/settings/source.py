"""Which database to use: an argument, the environment, or the embedded server.

libpq's own environment variables and password file fill what is left open; asyncpg reads them while
it connects. Those that asyncpg does not know are read here, and so is PGPASSWORD.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from finance.errors import ConfigurationError, NotConfiguredError
from finance.settings.dsn import EMBEDDED, clean, pair_ports, parse, render, show_host, split_hosts
from finance.settings.options import APPLICATION_NAME, CONNECT_TIMEOUT, check_connection_arguments
from finance.settings.parameters import Interpretation, canonical, interpret
from finance.settings.password import Password
from finance.settings.service import read_service

_ARGUMENT = "argument"
_VARIABLES = ("FINANCE_DATABASE_URL", "DATABASE_URL")
_PG = "PG* environment"

#: Arguments that say where the database is; a password or a timeout alone does not.
_NAMING_ARGUMENTS = frozenset({"host", "port", "user", "database", "service"})
_NAMING_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE")

#: Parameters that say to which machine a connection goes.
_HOST = frozenset({"host", "hostaddr"})

#: Arguments that make no sense for a server that this machine starts.
_FOREIGN_TO_EMBEDDED = _NAMING_ARGUMENTS | {
    "direct_tls", "gsslib", "krbsrvname", "passfile", "password", "password_file", "pgbouncer", "servicefile", "ssl",
    "target_session_attrs",
}  # fmt: skip

#: What libpq reads from the environment and asyncpg does not.
_UNREAD_BY_ASYNCPG = {
    "PGAPPNAME": "application_name",
    "PGCHANNELBINDING": "channel_binding",
    "PGCONNECT_TIMEOUT": "connect_timeout",
    "PGGSSENCMODE": "gssencmode",
    "PGMINPROTOCOLVERSION": "min_protocol_version",
    "PGOPTIONS": "options",
    "PGREQUIREAUTH": "require_auth",
    "PGREQUIREPEER": "requirepeer",
    "PGREQUIRESSL": "requiressl",
    "PGSSLCERTMODE": "sslcertmode",
    "PGSSLCRLDIR": "sslcrldir",
    "PGTZ": "timezone",
}

#: Variables that asyncpg takes at their word even when they are empty, and what an empty one means.
_BROKEN_WHEN_EMPTY = {
    "PGGSSLIB": ("gsslib", "gssapi"),
    "PGSSLMODE": ("sslmode", "prefer"),
    "PGSSLNEGOTIATION": ("sslnegotiation", "postgres"),
    "PGTARGETSESSIONATTRS": ("target_session_attrs", "any"),
}


class ConnectArguments(Mapping[str, Any]):
    """Keyword arguments for `asyncpg.connect`; shows their names only, since a password is one of them."""

    __slots__ = ("_arguments",)

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = dict(arguments)

    def __getitem__(self, name: str) -> Any:
        return self._arguments[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arguments)

    def __len__(self) -> int:
        return len(self._arguments)

    def __repr__(self) -> str:
        return f"<arguments: {', '.join(sorted(self._arguments))}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("connection arguments may hold a password and are not pickled; call resolve() again")


@dataclass(frozen=True, slots=True, repr=False, eq=False, kw_only=True)
class ConnectionSource:
    """Where connections come from: `asyncpg.connect(source.dsn, **source.arguments)` makes one.

    Neither shown nor pickled with its secrets; compared by identity, so that no test report shows them.

    Attributes:
        origin: Who named it: "argument", "FINANCE_DATABASE_URL", "DATABASE_URL" or "PG* environment".
        dsn: A URL that asyncpg reads as it was meant, without the password; None where the arguments and PG*
            say it all.
        arguments: For `asyncpg.connect`. `password`, from wherever it came, is a function that shows nothing and
            is asked for each connection; only that of a .pgpass is found by asyncpg itself.
        address: "host:port/database" for people, without user and password.
        is_embedded: True for the PostgreSQL out of the wheel, which is to be started first; then
            `dsn` is None and host, user and database are missing from `arguments`.
        behind_pooler: True when the URL or an argument said `pgbouncer=true`: startup settings, prepared statements,
            LISTEN and session locks do not work through a transaction pooler.
        data_dir: Where the embedded server keeps its data; None for its default.
    """

    origin: str
    dsn: str | None
    arguments: ConnectArguments
    address: str
    is_embedded: bool = False
    behind_pooler: bool = False
    data_dir: Path | None = None

    def __repr__(self) -> str:
        return f"<ConnectionSource {self.address} from {self.origin}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ConnectionSource may hold a password and is not pickled; call resolve() in the new process")


def resolve(
    dsn: str | None = None, *, environ: Mapping[str, str] | None = None, **connect_arguments: Any
) -> ConnectionSource:
    """Find out which database to use, now.

    The first that names one decides: *dsn*, or host, port, user, database or service among
    *connect_arguments*; FINANCE_DATABASE_URL; DATABASE_URL; the PG* variables. An argument overrides the
    same part of a DSN, and the DSN what a service file or a PG* variable says. Empty variables count as unset.

    Several hosts and not a word on `target_session_attrs` mean "read-write": books have one primary, and the
    other hosts are its standbys, which refuse to write. A single host is taken as it is ("any").

    A password is asked for anew for each connection: of a function, an object with `get_secret_value()`,
    `password_file` or PGPASSWORD the next connection gets what they hold by then. A function that is not async
    is called inside the event loop.

    *environ* replaces `os.environ` here; asyncpg itself always reads PGSSLMODE, PGPASSFILE and the
    like from the process's own, and PGPASSWORD where *environ* has none.

    Raises:
        NotConfiguredError: Nothing names a database.
        ConfigurationError: What names it is damaged or cannot be honoured.
    """
    present = os.environ if environ is None else environ
    given = {name: value for name, value in present.items() if value.strip()}
    arguments = check_connection_arguments(connect_arguments)
    origin, text = _choose(dsn, arguments, given)
    try:
        if text is not None and clean(text) == EMBEDDED:
            return _embedded(origin, arguments)
        return _remote(origin, text, arguments, present, given)
    except ConfigurationError as error:
        if origin == _ARGUMENT:
            raise
        reason = str(error)
    raise ConfigurationError(f"{origin}: {reason}")


def _choose(dsn: str | None, arguments: Mapping[str, Any], given: Mapping[str, str]) -> tuple[str, str | None]:
    if dsn is not None:
        if not isinstance(dsn, str):
            raise ConfigurationError(f"the DSN must be a string, not a {type(dsn).__name__}")
        return _ARGUMENT, dsn
    if arguments.keys() & _NAMING_ARGUMENTS:
        return _ARGUMENT, None
    for variable in _VARIABLES:
        if variable in given:
            return variable, given[variable]
    if any(variable in given for variable in _NAMING_VARIABLES):
        return _PG, None
    raise NotConfiguredError


def _embedded(origin: str, arguments: dict[str, Any]) -> ConnectionSource:
    if foreign := sorted(arguments.keys() & _FOREIGN_TO_EMBEDDED):
        raise ConfigurationError(f"{foreign[0]} does not go with the embedded server; leave one of them out")
    data_dir = arguments.pop("data_dir", None)
    return ConnectionSource(
        origin=origin,
        dsn=None,
        arguments=_with_defaults(arguments),
        address="the embedded server",
        is_embedded=True,
        data_dir=None if data_dir is None else Path(data_dir),
    )


def _remote(
    origin: str, text: str | None, arguments: dict[str, Any], present: Mapping[str, str], given: Mapping[str, str]
) -> ConnectionSource:
    if "data_dir" in arguments:
        raise ConfigurationError('data_dir goes with the embedded server only: give "embedded" as the DSN')
    parameters = {} if text is None else canonical(parse(text))
    if (pooler := arguments.pop("pgbouncer", None)) is not None:
        parameters["pgbouncer"] = str(pooler)
    _add_service(parameters, arguments, given)
    _add_environment(parameters, arguments, given)
    found = interpret(parameters)
    _take_password(found, arguments, present, given)
    _prefer_primary(found, arguments, given)
    _mend_empty_variables(found, present)
    return ConnectionSource(
        origin=origin,
        dsn=render(found.driver) if text is not None or found.driver else None,
        arguments=_merge(found, arguments),
        address=_address(found.driver, arguments, given),
        behind_pooler=found.behind_pooler,
    )


# --- what fills the gaps ----------------------------------------------------------------------------


def _add_service(parameters: dict[str, str], arguments: dict[str, Any], given: Mapping[str, str]) -> None:
    """Let the service fill what neither an argument nor the DSN says.

    PGSERVICE counts only where nothing has named a host: a complete URL is not to be mixed with it.
    """
    stated_file = parameters.pop("servicefile", None)
    file = arguments.pop("servicefile", stated_file)
    named = parameters.pop("service", None)
    service = arguments.pop("service", named)
    has_host = _names_host(parameters, arguments)
    if service is None and not has_host:
        service = given.get("PGSERVICE")
    if service is not None:
        for name, value in canonical(read_service(service, file, given)).items():
            if not (has_host and name in _HOST):
                parameters.setdefault(name, value)
    elif file is not None:
        raise ConfigurationError("servicefile needs a service: pass service= as well")


def _add_environment(parameters: dict[str, str], arguments: Mapping[str, Any], given: Mapping[str, str]) -> None:
    for variable, name in _UNREAD_BY_ASYNCPG.items():
        if variable in given:
            parameters.setdefault(name, given[variable])
    if given.get("PGSSLROOTCERT") == "system":
        parameters.setdefault("sslrootcert", "system")
    if "PGHOSTADDR" in given and not _names_host(parameters, arguments):
        parameters["hostaddr"] = given["PGHOSTADDR"]
        if "PGHOST" in given:
            raise ConfigurationError("PGHOST and PGHOSTADDR cannot both be set: keep PGHOST, or set PGHOSTADDR alone")


def _take_password(
    found: Interpretation, arguments: dict[str, Any], present: Mapping[str, str], given: Mapping[str, str]
) -> None:
    """Leave one password, in libpq's order: argument, DSN or service, environment."""
    stated = found.driver.pop("password", None)
    file = arguments.pop("password_file", None)
    if file is not None:
        arguments["password"] = Password.in_file(file)
    elif (value := arguments.get("password", stated)) is not None:
        arguments["password"] = Password.of(value)
    elif "PGPASSWORD" in given:
        arguments["password"] = Password("PGPASSWORD", lambda: present["PGPASSWORD"])


def _prefer_primary(found: Interpretation, arguments: dict[str, Any], given: Mapping[str, str]) -> None:
    hosts, _ = _hosts_and_ports(found.driver, arguments, given)
    if len(hosts) > 1 and "target_session_attrs" not in found.driver and "PGTARGETSESSIONATTRS" not in given:
        arguments.setdefault("target_session_attrs", "read-write")


def _names_host(parameters: Mapping[str, str], arguments: Mapping[str, Any]) -> bool:
    return "host" in arguments or not _HOST.isdisjoint(parameters)


def _mend_empty_variables(found: Interpretation, present: Mapping[str, str]) -> None:
    for variable, (name, default) in _BROKEN_WHEN_EMPTY.items():
        if variable in present and not present[variable].strip():
            found.driver.setdefault(name, default)


def _merge(found: Interpretation, arguments: Mapping[str, Any]) -> ConnectArguments:
    settings = {**found.settings, **arguments.get("server_settings", {})}
    if found.behind_pooler and "search_path" in settings:
        raise ConfigurationError(
            "a search path (schema=) cannot be sent through PgBouncer:"
            " set it on the server with ALTER ROLE ... SET search_path, or connect without pgbouncer=true"
        )
    return _with_defaults({**found.arguments, **arguments, "server_settings": settings})


def _with_defaults(arguments: Mapping[str, Any]) -> ConnectArguments:
    settings = {"application_name": APPLICATION_NAME, **arguments.get("server_settings", {})}
    return ConnectArguments({"timeout": CONNECT_TIMEOUT, **arguments, "server_settings": settings})


# --- for people -------------------------------------------------------------------------------------


def _address(driver: Mapping[str, str], arguments: Mapping[str, Any], given: Mapping[str, str]) -> str:
    """Write where connections go; without a host that is the local server, without a database the user's."""
    hosts, ports = _hosts_and_ports(driver, arguments, given)
    where = ",".join(f"{show_host(host)}:{port}" for host, port in zip(hosts, pair_ports(hosts, ports), strict=True))
    database = arguments.get("database") or driver.get("database") or given.get("PGDATABASE")
    return f"{where}/{database}" if database else where


def _hosts_and_ports(
    driver: Mapping[str, str], arguments: Mapping[str, Any], given: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Return what asyncpg will use, in its order: arguments, DSN, environment."""
    ports: list[str] = []
    if "host" in arguments:
        hosts = _listed(arguments["host"])
    elif "host" in driver:
        hosts = driver["host"].split(",")
    else:
        hosts, ports = split_hosts(given.get("PGHOST", "localhost"))
    if "port" in arguments:
        return hosts, _listed(arguments["port"])
    if "port" in driver:
        return hosts, driver["port"].split(",")
    return hosts, ports if any(ports) else given.get("PGPORT", "5432").split(",")


def _listed(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else [str(value)]
