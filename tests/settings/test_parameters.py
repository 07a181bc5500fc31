"""Every parameter is honoured, left out or refused, and never sent to a server that would refuse it."""

from __future__ import annotations

import logging
import pickle
import ssl
from typing import Any

import asyncpg
import pytest

from finance.errors import ConfigurationError
from finance.settings import resolve, split_options
from finance.settings.dsn import LIBPQ_KEYWORDS
from finance.settings.parameters import interpret

from .evidence import CANARY, seen


def settings_of(dsn: str, **arguments: Any) -> dict[str, str]:
    """Return the server settings that asyncpg sends, without the application's name."""
    _, parameters = seen(resolve(dsn, environ={}, **arguments))
    return {name: value for name, value in parameters.server_settings.items() if name != "application_name"}


@pytest.mark.parametrize(
    ("query", "mode"),
    [
        ("", "prefer"),
        ("?sslmode=disable", "disable"),
        ("?sslmode=require", "require"),
        ("?sslmode=", "prefer"),
        ("?sslmode=no-verify", "require"),
        ("?ssl=require", "require"),
        ("?ssl=true", "require"),
        ("?ssl=1", "require"),
        ("?ssl=no-verify", "require"),
        ("?ssl=disable", "disable"),
        ("?ssl=false", "disable"),
        *[(f"?ssl={word}", "require") for word in ("on", "t", "yes", "TRUE")],
        *[(f"?ssl={word}", "disable") for word in ("0", "off", "f", "no")],
        ("?ssl=true&sslmode=require", "require"),
        ("?ssl=true&sslmode=no-verify", "require"),
        ("?sslaccept=accept_invalid_certs&sslmode=require", "require"),
        ("?sslrootcert=system", "verify_full"),
        ("?sslrootcert=system&sslmode=verify-full", "verify_full"),
    ],
)
def test_the_words_for_tls_become_its_mode(query: str, mode: str) -> None:
    """SQLAlchemy, node-postgres and libpq name the same things differently."""
    _, parameters = seen(resolve(f"postgres://u:p@h/db{query}", environ={}))

    assert parameters.sslmode.name == mode


@pytest.mark.parametrize("prefix", ["?ssl=verify-full", "?sslmode=verify_full", "?ssl=true&sslmode=verify-full"])
def test_verification_is_never_weakened(prefix: str) -> None:
    """A mode that verifies stays one, and needs its root certificates as in libpq."""
    source = resolve(
        f"postgres://u:p@h/db{prefix}&sslrootcert={ssl.get_default_verify_paths().openssl_cafile}", environ={}
    )

    assert "sslmode=verify-full" in (source.dsn or "")
    with pytest.raises(asyncpg.ClientConfigurationError, match="root certificate"):
        seen(resolve(f"postgres://u:p@h/db{prefix}", environ={}))


def test_java_ssl_true_verifies() -> None:
    """In a JDBC URL `ssl=true` means verify-full; to ask for less would weaken it."""
    assert "sslmode=verify-full" in (resolve("jdbc:postgresql://h/db?ssl=true", environ={}).dsn or "")


def test_system_roots_make_a_verifying_context() -> None:
    """In libpq `sslrootcert=system` is the certificates of the machine, not a file of that name."""
    _, parameters = seen(resolve("postgres://u:p@h/db?sslrootcert=system", environ={}))

    assert parameters.ssl.verify_mode is ssl.CERT_REQUIRED
    assert parameters.ssl.check_hostname


def test_channel_binding_is_left_out_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    """Hosts put it into every URL; asyncpg would send it to the server as a setting."""
    with caplog.at_level(logging.WARNING, "finance.settings"):
        settings = settings_of("postgres://u:p@h/db?sslmode=require&channel_binding=require")

    assert settings == {}
    assert [record.name for record in caplog.records] == ["finance.settings"]
    assert "channel_binding=require has no effect" in caplog.text


@pytest.mark.parametrize(
    ("query", "settings"),
    [
        ("statement_timeout=5000&search_path=books", {"statement_timeout": "5000", "search_path": "books"}),
        ("options=-c search_path=x", {"options": "-c search_path=x"}),
        ("options=-c+search_path%3Dx", {"options": "-c search_path=x"}),
        ("options=project%3Dfoo", {"options": "project=foo"}),
        ("schema=public", {"search_path": '"public"'}),
        ("schema=my+books", {"search_path": '"my+books"'}),
        ("schema=public&search_path=x", {"search_path": "x"}),
        ("schema=public&pgbouncer=true", {}),
        ("timezone=UTC&x=", {"timezone": "UTC"}),
        ("my.setting=a%26b%3Dc", {"my.setting": "a&b=c"}),
    ],
)
def test_server_settings_pass_through(query: str, settings: dict[str, str]) -> None:
    """What no driver knows is the server's, and so is what becomes its search path."""
    assert settings_of(f"postgres://u:p@h/db?{query}") == settings


@pytest.mark.parametrize(
    "query",
    [
        "keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3&tcp_user_timeout=1000",
        "sslcompression=0&sslsni=1&gssencmode=disable",
        "gssencmode=prefer&client_encoding=utf8",
        "client_encoding=UTF-8&replication=false&requiressl=0",
        "charset=utf8&serverVersion=16",
        "encoding=unicode&pool=5&prepared_statements=true",
        "connection_limit=5&pool_timeout=3&pgbouncer=false&socket_timeout=3",
        "supa=base-pooler.x&workaround=supabase-pooler.vercel",
        "sslcertmode=allow&min_protocol_version=3.0&load_balance_hosts=disable",
        "client_encoding=auto&channel_binding=prefer",
        "authtype=x&tty=x&binary_parameters=yes&prefer_simple_protocol=true&uselibpqcompat=true",
        "max_protocol_version=latest&sslkeylogfile=/x&reWriteBatchedInserts=true&tcpKeepAlive=true&socketTimeout=3",
        "pool_size=5&max_overflow=5&max_size=5&min_size=5&pool_max_conns=5&pool_min_conns=5",
    ],
)
def test_parameters_of_other_drivers_do_not_reach_the_server(query: str) -> None:
    """The server would refuse the connection for each of them."""
    source = resolve(f"postgres://u@h/db?{query}", environ={})

    assert dict(source.arguments) == {"timeout": 10.0, "server_settings": {"application_name": "finance"}}
    assert source.dsn == "postgresql://u@/db?host=h"


@pytest.mark.parametrize(
    ("query", "word"),
    [("connection_limit=5", "max_size="), ("pool_timeout=5", "acquire_timeout="), ("pool=5", "max_size=")],
)
def test_an_unfulfilled_wish_is_told(query: str, word: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever limited the pool in the URL learns which word does it here."""
    with caplog.at_level(logging.WARNING, "finance.settings"):
        resolve(f"postgres://u:p@h/db?{query}", environ={})

    assert word in caplog.text


@pytest.mark.parametrize(
    "query",
    [
        "require_auth=scram-sha-256", "sslcrldir=/x", "gssencmode=require", "client_encoding=latin1",
        "replication=database", "requirepeer=postgres", "requiressl=1", "sslcertmode=require",
        "min_protocol_version=3.2", "sslaccept=strict", "oauth_issuer=x", "oauth_scope=x", "oauth_client_id=x",
        "oauth_client_secret=x", "scram_client_key=x", "scram_server_key=x", "sslfactory=x",
        "targetServerType=primary", "gssdelegation=1", "sslidentity=x", "password_file=/x",
    ],
)  # fmt: skip
def test_what_would_weaken_or_break_is_refused_by_name(query: str) -> None:
    """Nothing that protects is dropped in silence; the message names it and says what to do."""
    name = query.partition("=")[0]

    with pytest.raises(ConfigurationError, match=rf"the parameter {name} cannot be honoured as it stands: \w+"):
        resolve(f"postgres://u:p@h/db?{query}", environ={})


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("sslmode=on-fire", "sslmode"),
        ("sslmode=disable&ssl=true", "sslmode"),
        ("sslmode=require&ssl=false", "sslmode"),
        ("sslmode=require&sslrootcert=system", "sslmode"),
        ("sslrootcert=system&sslcert=x", "sslcert"),
        ("ssl={}", "sslmode"),
        ("target_session_attrs=master", "target_session_attrs"),
        ("sslnegotiation=x", "sslnegotiation"),
        ("connect_timeout=soon", "connect_timeout"),
        ("connect_timeout=-1", "connect_timeout"),
        ("statement_cache_size=many", "statement_cache_size"),
        ("command_timeout=x", "command_timeout"),
        ("encoding=latin1", "client_encoding"),
        ("host=h2&hostaddr=10.0.0.1", "hostaddr"),
        ("port=1,2", "ports"),
        ("port=70000", "port"),
        ("schema=books&pgbouncer=true", "PgBouncer"),
        ("search_path=books&pgbouncer=true", "PgBouncer"),
    ],
)
def test_an_impossible_value_is_refused(query: str, name: str) -> None:
    """The message names the parameter."""
    with pytest.raises(ConfigurationError, match=name):
        resolve(f"postgres://u:p@h/db?{query}", environ={})


def test_what_parameters_mean_is_not_shown() -> None:
    """A traceback that collects local variables has it, and passwords are among it."""
    found = interpret({"password": CANARY, "sslpassword": CANARY})

    assert CANARY not in repr(found)
    with pytest.raises(TypeError, match="may hold a password"):
        pickle.dumps(found)


@pytest.mark.parametrize(
    ("query", "arguments"),
    [
        ("", {"timeout": 10.0}),
        ("connect_timeout=3", {"timeout": 3.0}),
        ("connect_timeout=2.5", {"timeout": 2.5}),
        ("connect_timeout=0", {"timeout": None}),
        ("timeout=4", {"timeout": 4.0}),
        ("command_timeout=30", {"timeout": 10.0, "command_timeout": 30.0}),
        ("pgbouncer=true", {"timeout": 10.0, "statement_cache_size": 0}),
        ("pgbouncer=true&statement_cache_size=50", {"timeout": 10.0, "statement_cache_size": 50}),
        ("statement_cache_size=0", {"timeout": 10.0, "statement_cache_size": 0}),
        ("prepared_statement_cache_size=0", {"timeout": 10.0, "statement_cache_size": 0}),
        ("prepared_statements=false", {"timeout": 10.0, "statement_cache_size": 0}),
        ("prepareThreshold=0", {"timeout": 10.0, "statement_cache_size": 0}),
        ("prepareThreshold=5", {"timeout": 10.0}),
        ("connectTimeout=6", {"timeout": 6.0}),
        ("max_cached_statement_lifetime=9", {"timeout": 10.0, "max_cached_statement_lifetime": 9}),
        ("max_cacheable_statement_size=9", {"timeout": 10.0, "max_cacheable_statement_size": 9}),
    ],
)
def test_parameters_become_arguments(query: str, arguments: dict[str, object]) -> None:
    """Times are seconds, zero is no limit, and a pooler takes no prepared statements."""
    source = resolve(f"postgres://u@h/db?{query}", environ={})

    assert {name: value for name, value in source.arguments.items() if name != "server_settings"} == arguments
    assert source.behind_pooler is query.startswith("pgbouncer")


@pytest.mark.parametrize(
    ("dsn", "environ", "words", "name"),
    [
        ("postgres://h/db", {}, {}, "finance"),
        ("postgres://h/db?fallback_application_name=b", {}, {}, "b"),
        ("postgres://h/db?fallback_application_name=b", {"PGAPPNAME": "c"}, {}, "c"),
        ("postgres://h/db?application_name=a&fallback_application_name=b", {"PGAPPNAME": "c"}, {}, "a"),
        ("postgres://h/db?application_name=a", {}, {"application_name": "d"}, "d"),
        ("postgres://h/db?application_name=a", {}, {"server_settings": {"application_name": "e"}}, "e"),
    ],
)
def test_the_application_name_has_an_order(dsn: str, environ: dict[str, str], words: dict[str, Any], name: str) -> None:
    """Argument, URL, environment, the URL's fallback, our own name."""
    _, arguments = split_options(words)

    source = resolve(dsn, environ=environ, **arguments)

    assert source.arguments["server_settings"]["application_name"] == name


@pytest.mark.parametrize(
    "name",
    [
        "gsslib", "krbsrvname", "passfile", "ssl_max_protocol_version", "ssl_min_protocol_version", "sslcert", "sslcrl",
        "sslkey", "sslmode", "sslnegotiation", "sslpassword", "sslrootcert", "target_session_attrs",
    ],
)  # fmt: skip
def test_what_asyncpg_reads_from_its_url_stays_there(name: str) -> None:
    """Files, TLS, session attributes and Kerberos are its business, and no server setting."""
    value = {"gsslib": "sspi", "sslmode": "require", "sslnegotiation": "direct", "target_session_attrs": "any"}.get(
        name
    )

    source = resolve(f"postgres://h/db?{name}={value or '/x'}", environ={})

    assert source.dsn == f"postgresql:///db?host=h&{name}={value or '%2Fx'}"
    assert source.arguments["server_settings"] == {"application_name": "finance"}


@pytest.mark.parametrize("name", sorted(LIBPQ_KEYWORDS - {"application_name", "options", "service", "servicefile"}))
def test_no_keyword_of_libpq_becomes_a_server_setting(name: str) -> None:
    """Each is honoured, left out or refused by name; a server knows none of them."""
    try:
        source = resolve(f"postgres:///?{name}=1", environ={})
    except ConfigurationError as error:
        assert name in str(error)
    else:
        assert source.arguments["server_settings"].keys() <= {"application_name"}
