"""Every word of `asyncpg.create_pool` is honoured or refused by name."""

from __future__ import annotations

import pickle
import ssl
from dataclasses import fields
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from finance.errors import ConfigurationError
from finance.settings import Options, resolve, split_options

from .evidence import CANARY, SecretStr, told


def test_words_are_sorted() -> None:
    """The manager keeps its own, `resolve()` takes the rest, and the schema is the only one in the path."""

    async def prepare(_: object) -> None: ...

    options, arguments = split_options({
        "min_size": 2, "max_size": 5, "acquire_timeout": None, "schema": 'Bo"oks', "init": prepare, "setup": prepare,
        "application_name": "app", "host": ["h1", "h2"], "port": [1, 2], "password": prepare, "ssl": True,
        "command_timeout": 3, "server_settings": {"jit": "off"}, "data_dir": "/d",
    })  # fmt: skip

    assert options == Options(
        min_size=2, max_size=5, acquire_timeout=None, schema='Bo"oks', init=prepare, setup=prepare
    )
    assert arguments == {
        "host": ["h1", "h2"],
        "port": [1, 2],
        "password": prepare,
        "ssl": True,
        "command_timeout": 3,
        "data_dir": "/d",
        "server_settings": {"application_name": "app", "search_path": '"Bo""oks"', "jit": "off"},
    }


def test_the_defaults_are_those_that_the_manual_states() -> None:
    """No word given: none is forgotten here when another is added."""
    assert split_options({}) == (Options(), {})
    assert {field.name: field.default for field in fields(Options)} == {
        "min_size": 1, "max_size": 10, "acquire_timeout": 10.0, "max_waiting": None, "max_lifetime": 1800.0,
        "max_inactive_connection_lifetime": 300.0, "ping_after_idle": 30.0, "statement_timeout": 30.0,
        "lock_timeout": 5.0, "idle_in_transaction_timeout": 60.0, "leak_threshold": 30.0, "slow_threshold": 0.5,
        "direct_dsn": None, "on_event": None, "schema": None, "row_security": False, "init": None, "setup": None,
    }  # fmt: skip


def test_the_words_of_the_pool_are_kept_by_the_manager() -> None:
    """None of them goes to asyncpg."""
    words: dict[str, Any] = {
        "max_waiting": 5, "max_lifetime": 60, "max_inactive_connection_lifetime": 1.5, "ping_after_idle": 2,
        "statement_timeout": 3, "lock_timeout": 0.1, "idle_in_transaction_timeout": 4, "leak_threshold": 5,
        "slow_threshold": 0.01, "direct_dsn": "postgres://h/db", "on_event": print, "row_security": True,
    }  # fmt: skip

    assert split_options(words) == (Options(**words), {})


def test_a_pooler_is_named_by_an_argument_too() -> None:
    """For whoever gives host= and user= instead of a URL; it beats the URL."""
    _, arguments = split_options({"pgbouncer": True})

    assert resolve("postgres://h/db", environ={}, **arguments).behind_pooler
    assert resolve("postgres://h/db", environ={}, **arguments).arguments["statement_cache_size"] == 0
    assert not resolve("postgres://h/db?pgbouncer=true", environ={}, pgbouncer=False).behind_pooler


def test_options_show_no_dsn() -> None:
    """The direct one has a password as often as the other."""
    options, _ = split_options({"direct_dsn": f"postgres://u:{CANARY}@h/db"})

    assert CANARY not in repr(options)
    with pytest.raises(TypeError, match="may hold a DSN") as caught:
        pickle.dumps(options)
    assert CANARY not in told(caught.value)


@pytest.mark.parametrize(
    "word",
    ["connection_class", "loop", "connect", "reset", "max_queries", "init_size", "sslrootcert", "sslcert", "sslkey"],
)
def test_words_that_cannot_be_honoured_are_refused_by_name(word: str) -> None:
    """Each with its reason; none is swallowed."""
    with pytest.raises(ConfigurationError, match=rf"the option {word} is not supported: \w+"):
        split_options({word: None})


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("max_sise", "max_size"), ("pool_size", "max_size"), ("dbname", "database"), ("username", "user"),
        ("sslmode", "ssl"), ("aquire_timeout", "acquire_timeout"), ("pasword", "password"),
        ("passwordfile", "password_file"), ("pool_recycle", "max_lifetime"),
        ("max_idle", "max_inactive_connection_lifetime"), ("idle_timeout", "max_inactive_connection_lifetime"),
        ("idle_in_transaction_session_timeout", "idle_in_transaction_timeout"), ("slow_treshold", "slow_threshold"),
    ],
)  # fmt: skip
def test_an_unknown_word_is_named_with_its_neighbour(word: str, near: str) -> None:
    """The nearest known word, or what another library calls it."""
    with pytest.raises(ConfigurationError, match=f"no option {word}; did you mean {near}"):
        split_options({word: 1})


@pytest.mark.parametrize("word", ["min_size", "schema", "nonsense"])
def test_resolve_takes_only_words_about_the_connection(word: str) -> None:
    """What is the manager's would be sent to asyncpg otherwise."""
    arguments: dict[str, Any] = {word: 1}
    with pytest.raises(ConfigurationError, match=f"no option {word}"):
        resolve("postgres://h/db", environ={}, **arguments)


SECONDS = (
    "acquire_timeout", "max_lifetime", "max_inactive_connection_lifetime", "ping_after_idle", "statement_timeout",
    "lock_timeout", "idle_in_transaction_timeout", "leak_threshold", "slow_threshold",
)  # fmt: skip

IMPOSSIBLE: list[tuple[str, list[object]]] = [
    ("min_size", [-1, 1.0, "1", True, None]),
    ("max_size", [0, -1, 2.5, True, None]),
    *((word, [0, -1, "10", float("nan"), float("inf"), True]) for word in SECONDS),
    ("max_waiting", [0, -1, 1.0, "1", True]),
    ("direct_dsn", ["", 7, f"postgres://{CANARY}\0"]),
    ("on_event", ["x", 7]),
    ("pgbouncer", ["true", 1]),
    ("timeout", [0, -0.5, "10", float("nan"), False]),
    ("command_timeout", [0, -1, "x"]),
    ("schema", ["", "pg_books", "x" * 64, "ü" * 32, "a\0b", "$user", 7]),
    ("application_name", ["", 7]),
    ("init", ["x", 7]),
    ("setup", [7]),
    ("host", ["", 7, [], ["h", ""], "h1,h2", [["h"]]]),
    ("port", [0, 65536, "x", True, [], [0], 5432.0]),
    ("user", ["", 7]),
    ("database", ["", 7]),
    ("password", [7, CANARY.encode(), [CANARY]]),
    ("password_file", ["", 7, f"{CANARY}\0"]),
    ("passfile", ["", 7]),
    ("ssl", ["on", 7, {}]),
    ("direct_tls", ["yes", 1]),
    ("statement_cache_size", [-1, 1.5, True]),
    ("server_settings", ["x", {"a": 1}, {1: "a"}, {"client_encoding": "latin1"}, {"replication": "true"}]),
    ("target_session_attrs", ["master", 7, []]),
    ("gsslib", ["x", []]),
    ("record_class", ["x", 7]),
    ("data_dir", [7, ""]),
]


@pytest.mark.parametrize(("word", "value"), [(word, value) for word, values in IMPOSSIBLE for value in values])
def test_an_impossible_option_is_refused_by_name(word: str, value: object) -> None:
    """The message names the word and what it takes, never the value, which may be a secret."""
    with pytest.raises(ConfigurationError, match=f"^{word} must be ") as caught:
        split_options({word: value})

    assert CANARY not in told(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        {"schema": "x" * 63, "acquire_timeout": 0.1, "min_size": 0, "max_size": 1},
        {"min_size": 10},
        {"schema": "PG_x", "timeout": None, "command_timeout": None},
        {"password": lambda: "x", "ssl": ssl.create_default_context(), "passfile": Path("/x")},
        {"ssl": False, "port": "5433", "host": ("h1", "h2"), "record_class": asyncpg.Record},
        dict.fromkeys(SECONDS, 0.001) | {"max_waiting": 1, "on_event": lambda _: None, "pgbouncer": False},
        dict.fromkeys([*SECONDS, "max_waiting", "direct_dsn", "on_event", "pgbouncer", "password_file"]),
        {"password": SecretStr("x")},
        {"password": None, "password_file": "x"},
        {"password": "x", "password_file": None},
        {"password_file": Path("/x"), "passfile": "/x"},
        {"statement_timeout": 1, "server_settings": {"lock_timeout": "1s"}},
        {"server_settings": {"statement_timeout": "1s"}},
        {"host": None, "schema": None, "init": None, "acquire_timeout": None, "server_settings": None},
    ],
)
def test_a_possible_option_is_taken(words: dict[str, Any]) -> None:
    """The edges of what is allowed; None leaves a word to its default."""
    split_options(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"min_size": 11}, r"min_size \(11\) is larger than max_size \(10\)"),
        ({"min_size": 3, "max_size": 2}, r"min_size \(3\) is larger than max_size \(2\)"),
        ({"schema": "s", "server_settings": {"search_path": "x"}}, "schema and server_settings"),
        ({"application_name": "s", "server_settings": {"application_name": "x"}}, "application_name and"),
        ({"password": CANARY, "password_file": "x"}, "password and password_file"),
        ({"statement_timeout": 1, "server_settings": {"statement_timeout": "1s"}}, "'statement_timeout'"),
        ({"lock_timeout": None, "server_settings": {"lock_timeout": "1s"}}, "'lock_timeout'"),
        (
            {"idle_in_transaction_timeout": 1, "server_settings": {"idle_in_transaction_session_timeout": "1s"}},
            "'idle_in_transaction_session_timeout'",
        ),
    ],
)
def test_words_that_contradict_each_other_are_refused(words: dict[str, Any], message: str) -> None:
    """One of them would lose in silence."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        split_options(words)

    assert CANARY not in told(caught.value)


def test_two_passwords_are_refused_by_the_source_as_well() -> None:
    """Who calls `resolve()` directly is told the same."""
    with pytest.raises(ConfigurationError, match="password and password_file"):
        resolve("postgres://h/db", password="x", password_file="y", environ={})


def test_a_schema_does_not_travel_through_a_pooler() -> None:
    """PgBouncer refuses the search path, or drops it and serves the tables of another schema."""
    _, arguments = split_options({"schema": "books"})

    with pytest.raises(ConfigurationError, match="PgBouncer"):
        resolve("postgres://h/db?pgbouncer=true", environ={}, **arguments)
