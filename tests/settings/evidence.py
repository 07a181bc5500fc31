"""What asyncpg makes of a source, and what an error lets slip."""

from __future__ import annotations

import traceback
from collections.abc import Coroutine
from typing import Any

from asyncpg import connect_utils

from finance.settings import ConnectionSource
from finance.settings.password import Password

#: A password that no text may show.
CANARY = "s3cr3t-canary"

#: What `asyncpg.connect` takes and hands to its parser of DSNs.
PARSED = (
    "host", "port", "user", "password", "passfile", "database", "ssl", "service", "servicefile", "direct_tls",
    "server_settings", "target_session_attrs", "krbsrvname", "gsslib",
)  # fmt: skip


class SecretStr:
    """A secret object as those of pydantic are."""

    def __init__(self, value: object) -> None:
        self._value = value

    def get_secret_value(self) -> object:
        """Return the secret."""
        return self._value


def seen(source: ConnectionSource) -> tuple[list[Any], Any]:
    """Return the addresses and parameters that asyncpg makes of *source*, with the password that it would be given."""
    parse: Any = vars(connect_utils)["_parse_connect_dsn_and_args"]
    addresses, parameters = parse(dsn=source.dsn, **{name: source.arguments.get(name) for name in PARSED})
    if isinstance(parameters.password, Password):
        parameters = parameters._replace(password=answer_of(parameters.password()))
    return list(addresses), parameters


def answer_of(asking: Coroutine[Any, Any, str]) -> str:
    """Return what *asking* comes to; it waits for nothing."""
    try:
        asking.send(None)
    except StopIteration as end:
        return str(end.value)
    raise AssertionError("it waits")


def told(error: BaseException) -> str:
    """Return all that an error and those behind it say, suppressed or not."""
    texts = []
    behind: list[BaseException | None] = [error]
    while behind:
        if (current := behind.pop()) is not None:
            texts += [str(current), repr(current), repr(current.args), repr(vars(current))]
            behind += [current.__cause__, current.__context__]
    return "\n".join([*texts, *traceback.format_exception_only(error)])
