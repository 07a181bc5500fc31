"""Every connection string means for asyncpg what it meant for its author."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from finance.errors import ConfigurationError
from finance.settings import resolve
from finance.settings.dsn import LIBPQ_KEYWORDS

from .evidence import CANARY, seen, told


@pytest.mark.parametrize(
    "scheme",
    [
        "postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2",
        "postgres+asyncpg", "POSTGRESQL", "psql", "pgsql", "jdbc:postgresql",
    ],
)  # fmt: skip
def test_every_scheme_of_postgresql_is_taken(scheme: str) -> None:
    """The driver that a URL was written for does not matter."""
    addresses, parameters = seen(resolve(f"{scheme}://anna:secret@db.example.com:6543/books", environ={}))

    assert addresses == [("db.example.com", 6543)]
    assert (parameters.user, parameters.password, parameters.database) == ("anna", "secret", "books")


@pytest.mark.parametrize(
    "template",
    ["  {}\n", '"{}"', "'{}'", ' "{}" \r\n'],
)
def test_what_is_copied_along_is_stripped(template: str) -> None:
    """Blanks, a newline and quotes around a value are no part of it."""
    source = resolve(environ={"DATABASE_URL": template.format("postgres://u:p@h/db")})

    assert source.address == "h:5432/db"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("p%40ss", "p@ss"),
        ("p@ss", "p@ss"),
        ("a@b@c", "a@b@c"),
        ("p:ss", "p:ss"),
        ("p%3Ass", "p:ss"),
        ("p%2Fss", "p/ss"),
        ("p%23ss", "p#ss"),
        ("p#ss", "p#ss"),
        ("p%3Fss", "p?ss"),
        ("p+ss", "p+ss"),
        ("p%2Bss", "p+ss"),
        ("p%2540ss", "p%40ss"),
        ("100%", "100%"),
        ("p ss", "p ss"),
        ("p%20ss", "p ss"),
        ("%C3%BC", "ü"),
        ("ü", "ü"),
        ("[x]", "[x]"),
        ("p;ss&x=1", "p;ss&x=1"),
    ],
)
def test_a_password_is_decoded_exactly_once(written: str, meant: str) -> None:
    """Raw characters that cannot be mistaken stand for themselves, encoded ones for what they encode."""
    addresses, parameters = seen(resolve(f"postgresql://u:{written}@h:1/db", environ={}))

    assert parameters.password == meant
    assert (addresses, parameters.user, parameters.database) == ([("h", 1)], "u", "db")


@pytest.mark.parametrize(
    ("rest", "addresses"),
    [
        ("h1:1,h2:2/db", [("h1", 1), ("h2", 2)]),
        ("h1:1,h2/db", [("h1", 1), ("h2", 5432)]),
        ("h1,h2/db?port=7", [("h1", 7), ("h2", 7)]),
        ("[::1]:5433/db", [("::1", 5433)]),
        ("[2001:db8::1]/db", [("2001:db8::1", 5432)]),
        ("h1:1,[::1]:2/db", [("h1", 1), ("::1", 2)]),
        ("/db?host=::1", [("::1", 5432)]),
        ("/db?host=/run/postgresql", ["/run/postgresql/.s.PGSQL.5432"]),
        ("/db?host=/run/postgresql&port=5433", ["/run/postgresql/.s.PGSQL.5433"]),
        ("%2Frun%2Fpostgresql:5433/db", ["/run/postgresql/.s.PGSQL.5433"]),
        ("/db?host=/cloudsql/p:eu:books", ["/cloudsql/p:eu:books/.s.PGSQL.5432"]),
        ("localhost/db?host=/cloudsql/p:eu:books", ["/cloudsql/p:eu:books/.s.PGSQL.5432"]),
        ("/db?host=h1:1&host=h2:2", [("h1", 1), ("h2", 2)]),
        ("/db?host=h1,/run/pg&port=1,2", [("h1", 1), "/run/pg/.s.PGSQL.2"]),
        ("/db?hostaddr=10.0.0.7", [("10.0.0.7", 5432)]),
        ("h?dbname=db", [("h", 5432)]),
        ("h?database=db", [("h", 5432)]),
        ("h:/db", [("h", 5432)]),
    ],
)
def test_hosts_reach_asyncpg(rest: str, addresses: list[object]) -> None:
    """Lists, IPv6 addresses and Unix sockets arrive as they were meant."""
    found, parameters = seen(resolve(f"postgres://u:p@{rest}", environ={}))

    assert found == addresses
    assert (parameters.user, parameters.password, parameters.database) == ("u", "p", "db")


def test_a_port_without_a_host_is_that_of_the_local_server() -> None:
    """On its own, asyncpg would look for a host without a name."""
    addresses, _ = seen(resolve("postgresql://u@:5433/db", environ={}))

    assert "/tmp/.s.PGSQL.5433" in addresses  # noqa: S108
    assert ("localhost", 5433) in addresses


@pytest.mark.parametrize(
    ("text", "database", "password"),
    [
        ("host=h port=1 dbname=books user=u password=p", "books", "p"),
        ("host = h port= 1 dbname =books user=u password = p", "books", "p"),
        (r"host=h port=1 user=u dbname='my books' password='it\'s \\ 1'", "my books", r"it's \ 1"),
        (r"host=h port=1 user=u dbname=my\ books password=a%40@:/#?b", "my books", "a%40@:/#?b"),
        ("host=h port=1 dbname=books user=u password=''", "books", None),
        ("host=h\nport=1\ndbname=books\nuser=u\n", "books", None),
    ],
)
def test_a_conninfo_string_is_read_by_libpq_rules(text: str, database: str, password: str | None) -> None:
    """Quotes, backslashes and blanks around the equals sign; a percent sign means nothing here."""
    addresses, parameters = seen(resolve(text, environ={}))

    assert addresses == [("h", 1)]
    assert (parameters.user, parameters.database, parameters.password) == ("u", database, password)


#: The keywords of libpq, as chapter 32.1.2 of PostgreSQL 18's manual lists them.
KEYWORDS = (
    "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "require_auth", "channel_binding",
    "connect_timeout", "client_encoding", "options", "application_name", "fallback_application_name", "keepalives",
    "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "replication", "gssencmode",
    "sslmode", "requiressl", "sslnegotiation", "sslcompression", "sslcert", "sslkey", "sslkeylogfile", "sslpassword",
    "sslcertmode", "sslrootcert", "sslcrl", "sslcrldir", "sslsni", "requirepeer", "ssl_min_protocol_version",
    "ssl_max_protocol_version", "min_protocol_version", "max_protocol_version", "krbsrvname", "gsslib",
    "gssdelegation", "scram_client_key", "scram_server_key", "service", "servicefile", "target_session_attrs",
    "load_balance_hosts", "oauth_issuer", "oauth_client_id", "oauth_scope", "oauth_client_secret",
)  # fmt: skip


def test_a_conninfo_string_may_hold_what_libpq_knows_and_nothing_else() -> None:
    """A mistyped keyword is never sent to a server as a setting."""
    assert frozenset(KEYWORDS) == LIBPQ_KEYWORDS
    for keyword in ("passwort", "search_path", "sslmodus"):
        with pytest.raises(ConfigurationError, match="keyword 2 of the connection string"):
            resolve(f"host=h {keyword}=x", environ={})


def test_the_words_of_java_are_understood() -> None:
    """A JDBC URL has user and password in its query part, a plus sign for a blank, and names of its own."""
    source = resolve(
        "jdbc:postgresql://h1:1,h2:2/books?user=me@host&password=a+b&ApplicationName=app&currentSchema=s&loginTimeout=3",
        environ={},
    )
    addresses, parameters = seen(source)

    assert addresses == [("h1", 1), ("h2", 2)]
    assert (parameters.user, parameters.password) == ("me@host", "a b")
    assert parameters.server_settings == {"application_name": "app", "search_path": "s"}
    assert source.arguments["timeout"] == 3.0


@pytest.mark.parametrize(
    ("dsn", "scheme"),
    [
        (f"sqlite:///{CANARY}.db", "sqlite://"),
        (f"mysql://root:{CANARY}@h/db", "mysql://"),
        (f"http://h/{CANARY}", "http://"),
        (f"mysql+aiomysql://root:{CANARY}@h/db", r"mysql\+aiomysql://"),
        (f"jdbc:mysql://h/db?password={CANARY}", "jdbc:mysql://"),
        (f"prisma+postgres://h/?api_key={CANARY}", r"prisma\+postgres://"),
    ],
)
def test_another_database_is_refused_by_its_scheme(dsn: str, scheme: str) -> None:
    """The message names the scheme and nothing that follows it."""
    with pytest.raises(ConfigurationError, match=scheme) as caught:
        resolve(dsn, environ={})

    assert CANARY not in told(caught.value)


#: Strings that cannot be understood, or wish what cannot be, each with a secret where people put it.
BROKEN = [
    f"u:{CANARY}@h/db",
    f"postgresql:/u:{CANARY}@h/db",
    f"postgresql//u:{CANARY}@h/db",
    f"jdbc:postgresql:u:{CANARY}",
    CANARY,
    f"postgres://u:x/{CANARY}@h/db",
    f"postgres://u:{CANARY}/x@h/db",
    f"postgres://u:{CANARY}?x@h/db",
    f"postgres://u:12/{CANARY}@h/db",
    f"postgres://u:12?{CANARY}@h/db",
    f"postgres://u:{CANARY}@h:port/db",
    f"postgres://u:{CANARY}@h:99999/db",
    f"postgres://u:{CANARY}@h1,,h2/db",
    f"postgres://u:{CANARY}@h1,/db",
    f"postgres://u:{CANARY}@[::1/db",
    f"postgres://u:{CANARY}@h1 h2/db",
    f"postgres://u:%FF{CANARY}@h/db",
    f"postgres://u:%00{CANARY}@h/db",
    f"postgres://u:\udcff{CANARY}@h/db",
    f"postgres://u:{CANARY}\n@h/db",
    f"postgres://u@h/db?password={CANARY}&{CANARY}",
    f"postgres://u@h/db?amp;password={CANARY}&am%20p={CANARY}",
    f"postgres://u:{CANARY}@h/db?sslmode={CANARY}",
    f"postgres://u:{CANARY}@h/db?connect_timeout={CANARY}",
    f"postgres://u:{CANARY}@h/db?statement_cache_size={CANARY}",
    f"postgres://u:{CANARY}@h/db?port={CANARY}",
    f"postgres://u:{CANARY}@h/db?require_auth={CANARY}",
    f"postgres://u:{CANARY}@h/db?sslpassword={CANARY}&sslrootcert=system",
    f"postgres://u:{CANARY}@h/db?scram_client_key={CANARY}",
    f"postgres://u:{CANARY}@h/db?servicefile=/{CANARY}",
    f"host=h password={CANARY} {CANARY}",
    f"host=h password='{CANARY}",
    f"host=h password=x {CANARY}=y",
    f"Host=h;Username=u;Password={CANARY}",
    f"DATABASE_URL=postgres://u:{CANARY}@h/db",
    f"host=h port={CANARY}",
    f"'postgres://u:{CANARY}@h/db",
]


@pytest.mark.parametrize("dsn", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("variable", [None, "FINANCE_DATABASE_URL", "DATABASE_URL"])
def test_a_broken_string_is_refused_without_its_secrets(
    dsn: str, variable: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """No text of the error, of one behind it, or of the log shows a password."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError) as caught:
        _ = resolve(dsn, environ={}) if variable is None else resolve(environ={variable: dsn})

    assert CANARY not in told(caught.value)
    assert CANARY not in caplog.text


@pytest.mark.parametrize(
    ("dsn", "environ", "message"),
    [
        ("postgres://h?sslmode=x", {}, "^sslmode must"),
        (None, {"FINANCE_DATABASE_URL": "postgres://h?sslmode=x"}, "^FINANCE_DATABASE_URL: sslmode must"),
        (None, {"DATABASE_URL": "postgres://h?sslmode=x"}, "^DATABASE_URL: sslmode must"),
        (None, {"PGHOST": "h", "PGREQUIREAUTH": "x"}, "^PG[*] environment: the parameter require_auth"),
    ],
)
def test_an_error_names_the_variable_that_it_comes_from(dsn: str | None, environ: dict[str, str], message: str) -> None:
    """Where several could be meant; an argument needs no name."""
    with pytest.raises(ConfigurationError, match=message):
        resolve(dsn, environ=environ)


@pytest.mark.parametrize("dsn", ["", "   ", "''"])
def test_an_empty_string_is_no_source(dsn: str) -> None:
    """As an argument it is an error; it does not silently become what the environment says."""
    with pytest.raises(ConfigurationError, match="empty"):
        resolve(dsn, environ={"DATABASE_URL": "postgres://h/db"})


def test_a_dsn_is_a_string() -> None:
    """A URL object of another library is refused by its type, since it may show its password."""
    dsn: Any = b"postgres://u:p@h/db"
    with pytest.raises(ConfigurationError, match="not a bytes"):
        resolve(dsn, environ={})
