"""A password in whichever form it was given, as the one function that asyncpg asks before each connection.

Nothing here is raised inside an `except` block or beside the secret: neither the error of a vault nor the
local variables of a frame travel along with ours.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from finance.errors import ConfigurationError, FinanceError

# The one ends a password on its way to the server; the other cannot be sent, and Python's own error quotes it all.
_UNSENDABLE = re.compile("[\0\ud800-\udfff]")

#: More characters than a password or token has, and fewer than a file that was named by mistake.
_LONGEST = 65536


class Password:
    """Asks for the password anew whenever it is called, and shows nothing of it.

    Args:
        word: Who gave it, for the text of an error.
        ask: Returns the password, an object with `get_secret_value()`, or an awaitable of either.
        may_be_empty: Whether an empty one was meant.
    """

    __slots__ = ("_ask", "_may_be_empty", "_word")

    def __init__(self, word: str, ask: Callable[[], Any], *, may_be_empty: bool = True) -> None:
        self._word = word
        self._ask = ask
        self._may_be_empty = may_be_empty

    @classmethod
    def of(cls, value: Any) -> Password:
        """Wrap what the word `password` takes: a string, a secret object, or a function (async or not)."""
        if isinstance(value, Password):
            return value
        return cls("password", value if callable(value) and not is_secret(value) else lambda: value)

    @classmethod
    def in_file(cls, path: str | os.PathLike[str]) -> Password:
        """Wrap a file that is read for each connection, without the line break at its end."""

        async def ask() -> str:
            return (await asyncio.to_thread(_content, Path(path)))()

        return cls("password_file", ask, may_be_empty=False)

    async def __call__(self) -> str:
        """Return the password.

        Raises:
            ConfigurationError: It cannot be had, or is not one. The text names the word and the type of what went
                wrong only, since the message of a vault or a parser may quote the secret.
            FinanceError: Whatever of this library's errors the function raised, as it is.
        """
        password, fault = await self._asked()
        if fault:
            raise ConfigurationError(f"{self._word} {fault}")
        return password

    async def _asked(self) -> tuple[str, str]:
        """Return the password, or what is wrong with it."""
        try:
            answer = self._ask()
            if inspect.isawaitable(answer):
                answer = await answer
            if is_secret(answer):
                answer = answer.get_secret_value()
        except FinanceError:
            raise
        except OSError as error:
            return "", f"cannot be read: {_reason(error)}"
        except Exception as error:
            return "", f"cannot be asked for: {type(error).__name__}, whose text may hold a secret and is not shown"
        fault = self._fault(answer)
        return ("", fault) if fault else (str.__str__(answer), "")  # asyncpg takes no subclass of str

    def _fault(self, answer: object) -> str:
        if not isinstance(answer, str):
            return f"must be, or return, a string (this {type(answer).__name__} is not)"
        if not (answer or self._may_be_empty):
            return "is empty"
        if len(answer) > _LONGEST:
            return f"is longer than {_LONGEST} characters"
        if _UNSENDABLE.search(answer):
            return "holds a character that no password can have (NUL, or one that is not UTF-8)"
        return ""

    def __repr__(self) -> str:
        return "<password>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a password is not pickled; call resolve() again")


def is_secret(value: object) -> bool:
    """Say whether *value* is an object like pydantic's SecretStr."""
    return not isinstance(value, type) and callable(getattr(value, "get_secret_value", None))


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__


def _content(path: Path) -> Callable[[], str]:
    """Return the text of a file, inside a function: the future of the thread shows its result to whoever looks."""
    with path.open("rb") as file:
        text = file.read(_LONGEST + 3).decode(errors="surrogateescape")
    text = text.removesuffix("\n").removesuffix("\r")
    return lambda: text
