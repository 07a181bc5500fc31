"""A password in each form that it may have, and what is told when it cannot be had."""

from __future__ import annotations

import asyncio
import copy
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from finance.errors import ConfigurationError, FinanceError, ServerUnreachableError
from finance.settings import resolve
from finance.settings.password import Password

from .evidence import CANARY, SecretStr, told


async def asked(**words: Any) -> str:
    """Return the password that asyncpg would be given for *words*."""
    answer = await resolve("postgres://u@h/db", environ={}, **words).arguments["password"]()
    assert type(answer) is str  # the driver's compiled code takes no subclass
    return answer


class Masked(str):
    """A string that hides itself, as some libraries make them."""

    __slots__ = ()

    def __str__(self) -> str:
        return "***"


async def _async() -> str:
    return "secret"


async def _async_object() -> SecretStr:
    return SecretStr("secret")


class Vault:
    """A callable object that is also a holder of secrets."""

    def __call__(self) -> str:
        """Return something else."""
        return "other"

    def get_secret_value(self) -> str:
        """Return the secret."""
        return "secret"


FORMS: dict[str, Any] = {
    "text": "secret",
    "masked": Masked("secret"),
    "object": SecretStr("secret"),
    "object with a masked text": SecretStr(Masked("secret")),
    "function": lambda: "secret",
    "function of an object": lambda: SecretStr("secret"),
    "async function": _async,
    "async function of an object": _async_object,
    "future": lambda: asyncio.ensure_future(_async()),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_password_has_many_forms(form: str) -> None:
    """All of them come to one plain string."""
    assert await asked(password=FORMS[form]) == "secret"


@pytest.mark.parametrize("text", ["", " ", "hunter2 a/b?c@d%", "pässwörd", "\n"])
async def test_a_password_is_taken_as_it_is(text: str) -> None:
    """Nothing is stripped or decoded; an empty one was meant, and keeps a .pgpass from being read."""
    assert await asked(password=text) == text
    assert await asked(password=lambda: text) == text


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"secret\n\n", "secret\n"),
        (b" s ", " s "),
        ("pässwörd\n".encode(), "pässwörd"),
        (b"x" * 65536 + b"\r\n", "x" * 65536),
    ],
)
async def test_a_file_loses_one_line_break(content: bytes, password: str, tmp_path: Path) -> None:
    """Editors add one; whatever else is there belongs to the password."""
    (tmp_path / "secret").write_bytes(content)

    assert await asked(password_file=tmp_path / "secret") == password
    assert await asked(password_file=str(tmp_path / "secret")) == password


async def test_a_file_is_read_for_each_connection(tmp_path: Path) -> None:
    """Kubernetes swaps a link, others write over the file."""
    link, old, new = tmp_path / "secret", tmp_path / "old", tmp_path / "new"
    old.write_text("old\n")
    new.write_text("new\n")
    link.symlink_to(old)
    source = resolve("postgres://u@h/db", password_file=link, environ={})
    before = await source.arguments["password"]()
    link.unlink()
    link.symlink_to(new)

    assert (before, await source.arguments["password"]()) == ("old", "new")


async def test_a_function_is_asked_for_each_connection() -> None:
    """And not before the first."""
    answers = iter(["old", "new"])
    source = resolve("postgres://u@h/db", password=lambda: next(answers), environ={})

    assert [await source.arguments["password"]() for _ in range(2)] == ["old", "new"]


def _failing() -> NoReturn:
    raise ValueError(CANARY)


async def _failing_later() -> NoReturn:
    await asyncio.sleep(0)
    raise RuntimeError(CANARY)


def _chained() -> NoReturn:
    try:
        _failing()
    except ValueError as error:
        raise KeyError(CANARY) from error


def _undecodable() -> str:
    return f"{CANARY}\xff".encode("latin-1").decode()


def _refused() -> NoReturn:
    raise ConnectionRefusedError(111, CANARY)


FAILING: dict[str, tuple[Any, str]] = {
    "raising": (_failing, "password cannot be asked for: ValueError"),
    "raising later": (_failing_later, "password cannot be asked for: RuntimeError"),
    "raising in turn": (_chained, "password cannot be asked for: KeyError"),
    "undecodable": (_undecodable, "password cannot be asked for: UnicodeDecodeError"),
    "unreachable": (_refused, "password cannot be read: connection refused"),
    "with a parameter": (lambda name: name, "password cannot be asked for: TypeError"),
    "nothing": (lambda: None, r"password must be, or return, a string \(this NoneType is not\)"),
    "bytes": (CANARY.encode, r"password must be, or return, a string \(this bytes is not\)"),
    "a list": (lambda: [CANARY], r"password must be, or return, a string \(this list is not\)"),
    "an object of bytes": (SecretStr(CANARY.encode()), r"password must be, or return, a string \(this bytes is not\)"),
    "a NUL": (f"{CANARY}\0", "password holds a character"),
    "a surrogate": (lambda: f"{CANARY}\udc80", "password holds a character"),
    "too long": (CANARY * 10000, "password is longer than 65536 characters"),
}


@pytest.mark.parametrize("case", FAILING)
async def test_a_password_that_cannot_be_had_is_told_without_it(case: str) -> None:
    """The word is named; neither a text, nor an error behind it, nor a local variable of ours has the secret."""
    given, message = FAILING[case]

    with pytest.raises(ConfigurationError, match=f"^{message}") as caught:
        await asked(password=given)

    assert CANARY not in told(caught.value)
    assert CANARY not in _with_locals(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def _with_locals(error: BaseException) -> str:
    """Return the traceback as tools show it that collect local variables, this file's own left out."""
    found = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join(repr(frame.locals) for frame in found.stack if frame.filename != __file__)


async def test_an_error_of_ours_passes_through_the_function() -> None:
    """Whoever asks another database for the password learns that it is away, and may try again."""
    away = ServerUnreachableError("vault:5432/db", "connection refused")

    async def ask() -> NoReturn:
        raise away

    with pytest.raises(FinanceError) as caught:
        await asked(password=ask)

    assert caught.value is away


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda _: None, "cannot be read: no such file or directory"),
        (Path.mkdir, "cannot be read: is a directory"),
        (lambda path: path.write_text(""), "is empty"),
        (lambda path: path.write_text("\n"), "is empty"),
        (lambda path: path.write_bytes(CANARY.encode() + b"\0"), "holds a character"),
        (lambda path: path.write_bytes(CANARY.encode() + b"\xff"), "holds a character"),
        (lambda path: path.write_text(CANARY * 10000), "is longer than 65536 characters"),
    ],
)
async def test_a_file_that_cannot_be_used_is_told(
    prepare: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    """Without its name, which may be the password itself in the wrong place."""
    prepare(tmp_path / CANARY)

    with pytest.raises(ConfigurationError, match=f"^password_file {message}") as caught:
        await asked(password_file=tmp_path / CANARY)

    assert CANARY not in told(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_a_file_leaves_no_trace_in_the_loop(tmp_path: Path) -> None:
    """A future shows its result, and a task the future that it waits for: the file is read in a thread."""
    (tmp_path / "secret").write_text(CANARY)
    password = Password.in_file(tmp_path / "secret")
    shown = []

    async def connect() -> None:
        assert await password() == CANARY

    for _ in range(20):
        connecting = asyncio.create_task(connect())
        while not connecting.done():
            shown.append(repr(connecting))
            await asyncio.sleep(0)

    assert "finished result=" in "".join(shown)
    assert CANARY not in "".join(shown)


async def test_a_variable_that_is_gone_is_told() -> None:
    """By its name."""
    environ = {"PGHOST": "h", "PGPASSWORD": "x"}
    source = resolve(environ=environ)
    del environ["PGPASSWORD"]

    with pytest.raises(ConfigurationError, match=r"^PGPASSWORD cannot be asked for"):
        await source.arguments["password"]()


async def test_a_cancelled_question_is_not_a_wrong_password() -> None:
    """The time limit of the connection ends it."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asked(password=lambda: asyncio.sleep(60)), 0.01)


def test_a_password_shows_nothing() -> None:
    """In no form of text; neither pickled nor copied."""
    password = Password.of(CANARY)

    assert {repr(password), str(password), f"{password!r}"} == {"<password>"}
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="a password is not pickled"):
            attempt(password)


async def test_a_password_is_wrapped_once() -> None:
    """What a source gave can be given to another."""
    password = resolve("postgres://u:secret@h/db", environ={}).arguments["password"]

    assert resolve("postgres://u@h/db", environ={}, password=password).arguments["password"] is password


async def test_an_object_that_is_both_is_a_secret() -> None:
    """Its own word for the secret goes before a call."""
    assert await asked(password=Vault()) == "secret"
