"""Who says which database to use, and who does not learn its password."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
import pickle
import struct
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from finance.errors import ConfigurationError, NotConfiguredError
from finance.settings import ConnectionSource, resolve, split_options

from .evidence import CANARY, SecretStr, seen

SECRETIVE: dict[str, dict[str, Any]] = {
    "url": {"dsn": f"postgres://anna:{CANARY}@h/db"},
    "query": {"dsn": f"postgres://anna@h/db?password={CANARY}"},
    "argument": {"host": "h", "user": "anna", "password": CANARY},
    "function": {"dsn": "postgres://anna@h/db", "password": lambda: CANARY},
    "object": {"dsn": "postgres://anna@h/db", "password": SecretStr(CANARY)},
    "file": {"dsn": "postgres://anna@h/db", "password_file": f"/run/{CANARY}"},
    "conninfo": {"dsn": f"host=h user=anna password={CANARY}"},
    "environment": {"dsn": "postgres://anna@h/db", "environ": {"PGPASSWORD": CANARY}},
    "sslpassword": {"dsn": f"postgres://anna@h/db?sslpassword={CANARY}"},
}


@pytest.fixture(params=SECRETIVE)
def secretive(request: pytest.FixtureRequest) -> ConnectionSource:
    """A source that knows the canary, in each way in which one can."""
    return resolve(**{"environ": {}, **SECRETIVE[request.param]})


def test_a_source_shows_no_secret(secretive: ConnectionSource, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the source nor its arguments show a password or a user, in any form of text."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("application").info("connecting to %s with %r", secretive, secretive.arguments)

    shown = [
        repr(secretive), str(secretive), f"{secretive}", f"{secretive!r:>80}", secretive.address,
        repr(secretive.arguments), str(secretive.arguments), f"{[secretive]}", caplog.text,
    ]  # fmt: skip

    assert CANARY not in "".join(shown)
    assert "anna" not in "".join(shown)
    assert "h:5432" in repr(secretive)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_source_is_not_pickled(secretive: ConnectionSource, protocol: int) -> None:
    """A password does not end in a cache or a queue of tasks."""
    with pytest.raises(TypeError, match="may hold a password"):
        pickle.dumps(secretive, protocol)
    with pytest.raises(TypeError, match="may hold a password"):
        pickle.dumps(secretive.arguments, protocol)
    with pytest.raises(TypeError, match="may hold a password"):
        copy.deepcopy(secretive)


EVERYTHING = {
    "FINANCE_DATABASE_URL": "postgres://first/db",
    "DATABASE_URL": "postgres://second/db",
    "PGHOST": "third",
    "PGDATABASE": "db",
}


@pytest.mark.parametrize(
    ("dsn", "arguments", "hidden", "origin", "address"),
    [
        ("postgres://zeroth/db", {}, [], "argument", "zeroth:5432/db"),
        (None, {"host": "zeroth"}, [], "argument", "zeroth:5432/db"),
        (None, {"database": "other"}, [], "argument", "third:5432/other"),
        (None, {"password": "x", "timeout": 3}, [], "FINANCE_DATABASE_URL", "first:5432/db"),
        (None, {}, ["FINANCE_DATABASE_URL"], "DATABASE_URL", "second:5432/db"),
        (None, {}, ["FINANCE_DATABASE_URL", "DATABASE_URL"], "PG* environment", "third:5432/db"),
    ],
)
def test_the_first_that_names_a_database_decides(
    dsn: str | None, arguments: dict[str, Any], hidden: list[str], origin: str, address: str
) -> None:
    """Argument, our own variable, everybody's variable, libpq's variables; an empty one counts as unset."""
    source = resolve(dsn, environ=EVERYTHING | dict.fromkeys(hidden, " "), **arguments)

    assert (source.origin, source.address) == (origin, address)


@pytest.mark.parametrize("variable", ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER"])
def test_any_variable_of_libpq_that_names_something_is_a_source(variable: str) -> None:
    """One is enough; asyncpg reads the others."""
    assert resolve(environ={variable: "1"}).origin == "PG* environment"


@pytest.mark.parametrize(
    ("environ", "arguments"),
    [
        ({}, {}),
        (dict.fromkeys(EVERYTHING, ""), {}),
        ({"PGPASSWORD": "x", "PGSSLMODE": "require"}, {}),
        ({}, {"password": "x", "passfile": "/x", "timeout": 3.0, "host": None}),
    ],
)
def test_nothing_named_is_an_error(environ: dict[str, str], arguments: dict[str, Any]) -> None:
    """A missing variable never becomes a hidden local server; a password alone names nothing."""
    with pytest.raises(NotConfiguredError, match="FINANCE_DATABASE_URL"):
        resolve(environ=environ, **arguments)


def test_the_environment_is_read_when_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at import, and from the process's own unless another is handed in."""
    monkeypatch.setenv("DATABASE_URL", "postgres://one/db")
    before = resolve()
    monkeypatch.setenv("DATABASE_URL", "postgres://two/db")

    assert (before.address, resolve().address) == ("one:5432/db", "two:5432/db")


def test_variables_that_asyncpg_reads_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With PG* alone there is no DSN, and what asyncpg finds is what the source shows."""
    for name, value in {"PGHOST": "h1,h2", "PGPORT": "1,2", "PGDATABASE": "db", "PGUSER": "u"}.items():
        monkeypatch.setenv(name, value)

    source = resolve()
    addresses, parameters = seen(source)

    assert (source.dsn, source.address) == (None, "h1:1,h2:2/db")
    assert addresses == [("h1", 1), ("h2", 2)]
    assert (parameters.user, parameters.database) == ("u", "db")


def test_variables_that_asyncpg_does_not_read_count(caplog: pytest.LogCaptureFixture) -> None:
    """The name, time limit, options, address and time zone of libpq's variables are honoured."""
    environ = {
        "PGHOSTADDR": "10.0.0.1", "PGAPPNAME": "app", "PGCONNECT_TIMEOUT": "7", "PGOPTIONS": "-c a.b=1",
        "PGTZ": "UTC", "PGCHANNELBINDING": "require", "PGUSER": "u",
    }  # fmt: skip

    source = resolve(environ=environ)

    assert seen(source)[0] == [("10.0.0.1", 5432)]
    assert source.arguments["timeout"] == 7.0
    assert source.arguments["server_settings"] == {"application_name": "app", "options": "-c a.b=1", "timezone": "UTC"}
    assert "channel_binding" in caplog.text


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PGREQUIREAUTH", "scram-sha-256"),
        ("PGGSSENCMODE", "require"),
        ("PGSSLCRLDIR", "/x"),
        ("PGREQUIREPEER", "x"),
        ("PGSSLCERTMODE", "require"),
        ("PGREQUIRESSL", "1"),
        ("PGMINPROTOCOLVERSION", "3.2"),
    ],
)
def test_a_protective_variable_is_not_ignored(variable: str, value: str) -> None:
    """It holds for a URL as well, as in libpq."""
    with pytest.raises(ConfigurationError, match="cannot be honoured as it stands"):
        resolve("postgres://h/db", environ={variable: value})


@pytest.mark.parametrize(
    "variable", ["PGSSLMODE", "PGTARGETSESSIONATTRS", "PGSSLNEGOTIATION", "PGSSLROOTCERT", "PGGSSLIB"]
)
def test_an_empty_variable_is_unset_for_asyncpg_too(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`PGSSLMODE=` in a compose file is not a mode."""
    monkeypatch.setenv(variable, "")

    _, parameters = seen(resolve(host="h", user="u", database="db"))

    assert parameters.sslmode.name == "prefer"
    assert parameters.target_session_attrs.value == "any"


def test_system_roots_may_stand_in_the_environment() -> None:
    """With libpq's PGSSLROOTCERT=system, asyncpg alone would look for a file of that name."""
    source = resolve("postgres://u@h/db", environ={"PGSSLROOTCERT": "system"})

    assert seen(source)[1].sslmode.name == "verify_full"


def test_an_address_and_a_name_of_the_host_contradict_each_other() -> None:
    """With both, libpq would check the certificate of the one and connect to the other; asyncpg cannot."""
    with pytest.raises(ConfigurationError, match="PGHOSTADDR"):
        resolve(environ={"PGHOST": "h", "PGHOSTADDR": "10.0.0.1"})


def test_arguments_override_the_string() -> None:
    """As in asyncpg; the address shows what is used."""
    source = resolve("postgres://u:p@h:1/db", host="other", database="books", password="q", timeout=None, environ={})
    addresses, parameters = seen(source)

    assert addresses == [("other", 1)]
    assert (parameters.user, parameters.password, parameters.database) == ("u", "q", "books")
    assert source.address == "other:1/books"
    assert source.arguments["timeout"] is None
    assert resolve("postgres://u:p@h:1/db", port=2, environ={}).address == "h:2/db"


@pytest.mark.parametrize(
    ("words", "password"),
    [
        ({"password": "argument", "service": "books"}, "argument"),
        ({"dsn": "postgres://u:url@h/db?service=books"}, "url"),
        ({"service": "books"}, "service"),
        ({"host": "h", "user": "u", "database": "db"}, "variable"),
    ],
)
def test_the_first_that_states_a_password_decides(words: dict[str, Any], password: str, tmp_path: Path) -> None:
    """Argument, connection string, service, PGPASSWORD: libpq's order; the DSN for asyncpg has none of them."""
    file = tmp_path / "services.conf"
    file.write_text("[books]\nhost=h\nuser=u\ndbname=db\npassword=service\n")
    source = resolve(**words, environ={"PGPASSWORD": "variable", "PGSERVICEFILE": str(file)})

    assert seen(source)[1].password == password
    assert password not in (source.dsn or "")


async def test_a_password_file_beats_the_connection_string(tmp_path: Path) -> None:
    """As every other argument does."""
    (tmp_path / "secret").write_text("filed")
    source = resolve("postgres://u:p@h/db", password_file=tmp_path / "secret", environ={"PGPASSWORD": "variable"})

    assert await source.arguments["password"]() == "filed"


def test_a_password_in_the_environment_is_read_for_each_connection() -> None:
    """A process may change its own."""
    environ = {"PGHOST": "h", "PGUSER": "u", "PGDATABASE": "db", "PGPASSWORD": "old"}
    source = resolve(environ=environ)
    environ["PGPASSWORD"] = "new"

    assert source.dsn is None
    assert seen(source)[1].password == "new"


SEVERAL: list[tuple[str | None, dict[str, Any], dict[str, str]]] = [
    ("postgres://u@h1,h2/db", {}, {}),
    ("host=h1,h2 user=u dbname=db", {}, {}),
    ("postgres://u@h:1/db?host=h1:1&host=h1:2", {}, {}),
    ("postgres://u@h/db", {"host": ["h1", "h2"]}, {}),
    (None, {}, {"PGHOST": "h1,h2", "PGUSER": "u"}),
]


@pytest.mark.parametrize(("dsn", "words", "environ"), SEVERAL)
def test_of_several_hosts_the_one_that_writes_is_meant(
    dsn: str | None, words: dict[str, Any], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are its standbys, wherever the list stands; an empty variable says nothing."""
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    _, parameters = seen(resolve(dsn, **words))

    assert parameters.target_session_attrs.value == "read-write"


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


@contextlib.asynccontextmanager
async def server_in_recovery(recovery: str) -> AsyncIterator[int]:
    """Listen as a server that lets everybody in, and says whether it is a standby."""
    settings = {"server_version": "18.0", "in_hot_standby": recovery, "default_transaction_read_only": "off"}
    welcome = _message(b"R", struct.pack("!i", 0)) + b"".join(
        _message(b"S", f"{name}\0{value}\0".encode()) for name, value in settings.items()
    )

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(welcome + _message(b"Z", b"I"))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_standby_that_stands_first_is_passed_by() -> None:
    """After a failover the list in the URL is in the wrong order; asked for, the standby is taken."""
    async with server_in_recovery("on") as standby, server_in_recovery("off") as primary:
        chosen = []
        for words in ({}, {"target_session_attrs": "any"}):
            dsn = f"postgres://u@127.0.0.1:{standby},127.0.0.1:{primary}/db?sslmode=disable"
            source = resolve(dsn, environ={}, **words)
            connection = await asyncpg.connect(source.dsn, **source.arguments)
            chosen.append(connection._addr[1])  # type: ignore[attr-defined]
            connection.terminate()
            await asyncio.sleep(0.01)

    assert chosen == [primary, standby]


@pytest.mark.parametrize(
    ("dsn", "words", "environ"),
    [
        ("postgres://u@h1,h2/db?target_session_attrs=standby", {}, {}),
        ("postgres://u@h1,h2/db", {"target_session_attrs": "standby"}, {}),
        ("postgres://u@h1,h2/db", {}, {"PGTARGETSESSIONATTRS": "standby"}),
        ("postgres://u@h1,h2/db", {"service": "reading"}, {}),
    ],
)
def test_a_stated_kind_of_host_stands(
    dsn: str, words: dict[str, Any], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In the URL, as an argument, in the environment or in a service."""
    (tmp_path / ".pg_service.conf").write_text("[reading]\ntarget_session_attrs=standby\n")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert seen(resolve(dsn, **words))[1].target_session_attrs.value == "standby"


@pytest.mark.parametrize("dsn", ["postgres://u@h1/db", "postgres://u@h1/db?port=7", "postgres://u@/db?host=/run/x"])
def test_a_single_host_is_taken_as_it_is(dsn: str) -> None:
    """Whoever names a standby alone wants to read there."""
    source = resolve(dsn, environ={})

    assert "target_session_attrs" not in source.arguments
    assert seen(source)[1].target_session_attrs.value == "any"


@pytest.mark.parametrize(
    ("dsn", "address"),
    [
        ("postgres://u:p@h1:1,h2/db", "h1:1,h2:5432/db"),
        ("postgres://u:p@[::1]/db", "[::1]:5432/db"),
        ("postgres:///db?host=/run/postgresql", "/run/postgresql:5432/db"),
        ("postgres://u:p@h", "h:5432"),
        ("postgresql://", "localhost:5432"),
    ],
)
def test_the_address_is_for_people(dsn: str, address: str) -> None:
    """Hosts, ports and database; a database that is not named has the user's name, which is not shown."""
    assert resolve(dsn, environ={}).address == address


@pytest.mark.parametrize(
    ("dsn", "environ", "origin"),
    [
        ("embedded", {"DATABASE_URL": "postgres://h/db"}, "argument"),
        (None, {"FINANCE_DATABASE_URL": "embedded"}, "FINANCE_DATABASE_URL"),
        (None, {"DATABASE_URL": ' "embedded"\n'}, "DATABASE_URL"),
    ],
)
def test_embedded_is_a_word(dsn: str | None, environ: dict[str, str], origin: str) -> None:
    """It says where the server is; it still has to be started."""
    source = resolve(dsn, environ=environ, data_dir="/data", command_timeout=5)

    assert (source.origin, source.is_embedded, source.dsn, source.data_dir) == (origin, True, None, Path("/data"))
    assert dict(source.arguments) == {
        "timeout": 10.0,
        "command_timeout": 5,
        "server_settings": {"application_name": "finance"},
    }


@pytest.mark.parametrize(
    "word",
    [
        "host", "port", "user", "password", "password_file", "database", "service", "servicefile", "passfile", "ssl",
        "direct_tls", "pgbouncer", "target_session_attrs", "krbsrvname", "gsslib",
    ],
)  # fmt: skip
def test_embedded_takes_no_other_server(word: str) -> None:
    """What the word would mean there is anybody's guess."""
    value: Any = {
        "port": 1,
        "ssl": True,
        "direct_tls": True,
        "pgbouncer": True,
        "target_session_attrs": "any",
        "gsslib": "sspi",
    }.get(word, "x")
    with pytest.raises(ConfigurationError, match=word):
        resolve("embedded", environ={}, **{word: value})


def test_a_data_dir_belongs_to_the_embedded_server() -> None:
    """Elsewhere it would be swallowed."""
    with pytest.raises(ConfigurationError, match="data_dir"):
        resolve("postgres://h/db", data_dir="/data", environ={})


async def startup_packet(dsn: str, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Let asyncpg connect to a port that listens to its first words, and return them."""
    heard: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        packet = (await reader.readexactly(length - 4))[4:]  # behind the protocol's version
        words = packet.decode().rstrip("\0").split("\0")
        heard.set_result(dict(zip(words[::2], words[1::2], strict=True)))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(listen, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    async with server:
        _, own = split_options(arguments)
        source = resolve(dsn.format(port=port), environ={}, **own)
        with pytest.raises(asyncpg.PostgresConnectionError):
            await asyncpg.connect(source.dsn, **source.arguments)
        return await heard


async def test_asyncpg_sends_what_the_source_says() -> None:
    """User, database and settings, and none of the parameters that a server would refuse."""
    packet = await startup_packet(
        "postgresql+psycopg2://an%40na:p@ss@127.0.0.1:{port}/my%20books?ssl=disable&channel_binding=require"
        "&connect_timeout=5&options=-c%20jit%3Doff&statement_timeout=7000&keepalives=1&pool_timeout=3",
        {"schema": "Books", "application_name": "app"},
    )

    assert packet.pop("client_encoding") == "'utf-8'"
    assert packet == {
        "user": "an@na",
        "database": "my books",
        "application_name": "app",
        "options": "-c jit=off",
        "statement_timeout": "7000",
        "search_path": '"Books"',
    }
