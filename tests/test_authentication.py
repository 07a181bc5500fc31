"""Passwords, on a server that asks for them."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from finance import DatabaseManager
from finance.errors import AuthenticationError
from tests.network import Wire, wire_to_guarded

PASSWORD = "hunter2 a/b?c@d%"


@pytest_asyncio.fixture(scope="session")
async def guarded(reachable_tmp: Path) -> AsyncIterator[Wire]:
    """A server that asks the role `keeper` for a password."""
    async with wire_to_guarded(reachable_tmp, keeper=PASSWORD) as wire:
        yield wire


def arguments(wire: Wire, **more: Any) -> dict[str, Any]:
    """Name the server without a password."""
    return {"host": "127.0.0.1", "port": wire.port, "user": "keeper", "database": "postgres", **more}


async def _from_the_vault() -> str:
    return PASSWORD


@pytest.mark.parametrize("password", [PASSWORD, lambda: PASSWORD, _from_the_vault], ids=["text", "function", "async"])
async def test_a_password_opens_the_server(guarded: Wire, password: str | Callable[[], Any]) -> None:
    """It may be a text, a function or a coroutine function, such as one that asks a vault."""
    async with DatabaseManager(**arguments(guarded, password=password)) as db:
        assert await db.fetchval("SELECT current_user") == "keeper"


async def test_a_password_file_opens_the_server(guarded: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libpq's own file."""
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{guarded.port}:*:keeper:{PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))

    async with DatabaseManager(**arguments(guarded)) as db:
        assert await db.fetchval("SELECT current_user") == "keeper"


async def test_a_password_in_a_url_is_decoded_once(guarded: Wire) -> None:
    """Every character that a URL reserves may be in it."""
    dsn = f"postgresql://keeper:hunter2%20a%2Fb%3Fc%40d%25@127.0.0.1:{guarded.port}/postgres"

    async with DatabaseManager(dsn) as db:
        assert await db.fetchval("SELECT current_user") == "keeper"


@pytest.mark.parametrize("wrong", ["secret-of-mine", None], ids=["wrong", "missing"])
async def test_a_wrong_password_is_told_without_it(guarded: Wire, wrong: str | None) -> None:
    """Neither the text nor the causes show what was tried."""
    with pytest.raises(AuthenticationError, match="wrong user or password") as caught:
        await DatabaseManager(**arguments(guarded, password=wrong)).connect()

    assert not caught.value.retryable
    assert "secret-of-mine" not in "".join(traceback.format_exception(caught.value))
