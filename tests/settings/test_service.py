"""Services of libpq are found where libpq finds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from finance.errors import ConfigurationError
from finance.settings import resolve

from .evidence import CANARY, seen, told

SERVICES = """
# of the household
[books]
host=h1,h2
port=1,2
dbname=books
user=u
password=100%:s=x
connect_timeout=3
application_name=app

[guarded]
host=h
require_auth=scram-sha-256

[placed]
hostaddr=10.0.0.1
dbname=books
user=u

[nested]
service=books

[filed]
servicefile=x

[odd]
colour=blue
"""


@pytest.fixture
def service_file(tmp_path: Path) -> Path:
    """A service file under another name than libpq's."""
    path = tmp_path / "services.conf"
    path.write_text(SERVICES, encoding="utf-8")
    return path


@pytest.mark.parametrize("way", ["environment", "argument", "url", "conninfo", "home", "system"])
def test_a_service_is_found(way: str, service_file: Path, tmp_path: Path) -> None:
    """In each place where libpq looks; asyncpg 0.32 sees it only in a URL, and fails at the percent sign."""
    variable = {"PGSERVICEFILE": str(service_file)}
    match way:
        case "environment":
            source = resolve(environ=variable | {"PGSERVICE": "books"})
        case "argument":
            source = resolve(service="books", servicefile=service_file, environ={})
        case "url":
            source = resolve("postgresql://?service=books", environ=variable)
        case "conninfo":
            source = resolve(f"service=books servicefile='{service_file}'", environ={})
        case "home":
            service_file.rename(tmp_path / ".pg_service.conf")
            source = resolve(service="books", environ={})
        case _:
            service_file.rename(tmp_path / "pg_service.conf")
            source = resolve(service="books", environ={"PGSYSCONFDIR": str(tmp_path)})

    addresses, parameters = seen(source)

    assert addresses == [("h1", 1), ("h2", 2)]
    assert (parameters.user, parameters.password, parameters.database) == ("u", "100%:s=x", "books")
    assert parameters.server_settings == {"application_name": "app"}
    assert (source.arguments["timeout"], source.address) == (3.0, "h1:1,h2:2/books")


def test_a_service_only_fills_gaps(service_file: Path) -> None:
    """The URL and the arguments go before it, whatever name each uses for the same thing."""
    source = resolve("postgres://h:7/other?service=books&timeout=9", user="me", servicefile=service_file, environ={})
    addresses, parameters = seen(source)

    assert addresses == [("h", 7)]
    assert (parameters.user, parameters.database, source.arguments["timeout"]) == ("me", "other", 9.0)


def test_the_address_of_a_service_gives_way_to_a_host(service_file: Path) -> None:
    """The two name the same thing."""
    alone = resolve(service="placed", servicefile=service_file, environ={})
    overridden = resolve("postgres://h?service=placed", servicefile=service_file, environ={})

    assert (alone.address, overridden.address) == ("10.0.0.1:5432/books", "h:5432/books")


def test_a_complete_url_is_not_mixed_with_the_service_of_the_environment(service_file: Path) -> None:
    """Else the password of one server would be sent to another."""
    source = resolve("postgres://u@h/db", environ={"PGSERVICE": "books", "PGSERVICEFILE": str(service_file)})

    assert seen(source)[1].password is None


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("nowhere", "'nowhere' is not defined"),
        ("guarded", "require_auth"),
        ("nested", "service"),
        ("filed", "servicefile"),
        ("odd", "colour"),
    ],
)
def test_a_service_that_cannot_be_honoured_is_refused(service: str, message: str, service_file: Path) -> None:
    """Left to it, asyncpg would ignore it, and connect to whatever runs on this machine."""
    with pytest.raises(ConfigurationError, match=message):
        resolve(service=service, servicefile=service_file, environ={})


@pytest.mark.parametrize("content", [CANARY, f"[books]\n{CANARY}\n", f"[books]\npassword\n{CANARY}=[\n[x"])
def test_a_damaged_service_file_is_not_quoted(content: str, tmp_path: Path) -> None:
    """The parser's own error shows the line that it trips over."""
    path = tmp_path / "services.conf"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(ConfigurationError, match="is not a service file") as caught:
        resolve(service="books", servicefile=path, environ={})

    assert CANARY not in told(caught.value)
