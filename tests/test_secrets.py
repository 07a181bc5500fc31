"""A password that is given in every way there is, and looked for in everything that anybody may show.

The ways are crossed with what may happen to a connection: it works, the login fails, the server is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any, NoReturn

import pytest
import pytest_asyncio

import finance
from finance import DatabaseManager
from finance.errors import AuthenticationError, ConfigurationError, FinanceError, ServerUnreachableError
from finance.settings import Options, resolve, split_options
from tests.network import Wire, wire_to_guarded

CANARY = "s3cr3t-canary"
_KNOWING = ("finance.connection", "finance.database", "finance.errors", "finance.settings")
_OURS = str(Path(finance.__file__).parent)


class Secret:
    """A secret object as those of pydantic are."""

    def get_secret_value(self) -> str:
        """Return the secret."""
        return CANARY

    def __repr__(self) -> str:
        return "**********"


class Where:
    """A connection to make, and a folder for the files that say how."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, host: str, port: int, user: str) -> None:
        self.folder = folder
        self.setenv = patch.setenv
        self.words: dict[str, Any] = {"host": host, "port": port, "user": user, "database": "postgres"}

    def url(self, login: str) -> str:
        """Write it as a URL."""
        return f"postgresql://{login}@{self.words['host']}:{self.words['port']}/postgres"

    def file(self, name: str, text: str) -> Path:
        """Write a file that nobody else may read."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path


async def _ask_a_vault() -> str:
    await asyncio.sleep(0)
    return CANARY


def _by_url(where: Where) -> dict[str, Any]:
    return {"dsn": where.url(f"{where.words['user']}:{CANARY}")}


def _by_query(where: Where) -> dict[str, Any]:
    return {"dsn": f"{where.url(where.words['user'])}?password={CANARY}"}


def _by_conninfo(where: Where) -> dict[str, Any]:
    words = where.words
    return {"dsn": f"host={words['host']} port={words['port']} user={words['user']} dbname=postgres password={CANARY}"}


def _by_file(where: Where) -> dict[str, Any]:
    return {**where.words, "password_file": where.file("password", f"{CANARY}\n")}


def _by_environment(where: Where) -> dict[str, Any]:
    where.setenv("PGPASSWORD", CANARY)
    return where.words


def _by_service(where: Where) -> dict[str, Any]:
    words = where.words
    text = f"[books]\nhost={words['host']}\nport={words['port']}\nuser={words['user']}\ndbname=postgres\n"
    return {"service": "books", "servicefile": where.file("services", f"{text}password={CANARY}\n")}


def _by_pgpass(where: Where) -> dict[str, Any]:
    where.file(".pgpass", f"*:*:*:*:{CANARY}\n")
    where.setenv("HOME", str(where.folder))
    return where.words


WAYS: dict[str, Callable[[Where], dict[str, Any]]] = {
    "url": _by_url,
    "query": _by_query,
    "conninfo": _by_conninfo,
    "argument": lambda where: {**where.words, "password": CANARY},
    "object": lambda where: {**where.words, "password": Secret()},
    "function": lambda where: {**where.words, "password": lambda: CANARY},
    "async function": lambda where: {**where.words, "password": _ask_a_vault},
    "file": _by_file,
    "environment": _by_environment,
    "service": _by_service,
    "pgpass": _by_pgpass,
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """Each way to give a password."""
    name: str = request.param
    return name


@pytest_asyncio.fixture(scope="module")
async def guarded(reachable_tmp: Path) -> AsyncIterator[Wire]:
    """A server that asks for passwords: that of `keeper` is the canary, that of `other` is not."""
    async with wire_to_guarded(reachable_tmp, keeper=CANARY, other="another") as wire:
        yield wire


# --- what is shown -----------------------------------------------------------------------------------


class Shown:
    """Everything that was shown while it listened: texts, and pickles."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._pickles: list[bytes] = []

    def add(self, *things: object) -> None:
        """Note how *things* show and pickle themselves."""
        for thing in things:
            self._texts += [repr(thing), str(thing), f"{[thing]}"]
            # Whoever cannot be pickled is not: nothing of it gets out, unless the refusal says it.
            try:
                self._pickles.append(pickle.dumps(thing))
            except Exception as error:
                self._texts.append(f"{error!r}")

    def add_error(self, error: BaseException) -> None:
        """Note all that an error and those behind it say."""
        behind: list[BaseException | None] = [error]
        while behind:
            if (current := behind.pop()) is not None:
                self.add(current, current.args, vars(current))
                behind += [current.__cause__, current.__context__]
        self._texts += traceback.format_exception(error)

    def add_frames(self, error: BaseException) -> None:
        """Note the local variables in our own frames, as tools collect them that report errors."""
        stack: list[traceback.TracebackException | None] = [
            traceback.TracebackException.from_exception(error, capture_locals=True)
        ]
        while stack:
            if (part := stack.pop()) is not None:
                self._texts += [repr(frame.locals) for frame in part.stack if frame.filename.startswith(_OURS)]
                stack += [part.__cause__, part.__context__]

    def add_record(self, record: logging.LogRecord) -> None:
        """Note a line of the log, and what its handlers get to see."""
        self._texts += [logging.Formatter("%(message)s").format(record), repr(vars(record))]

    def add_living(self) -> None:
        """Note every object of ours that may know a connection, and every task that is alive."""
        for thing in gc.get_objects():
            if str(type(thing).__module__).startswith(_KNOWING):
                with contextlib.suppress(AttributeError):  # one whose __init__ was refused, still held by its error
                    self.add(thing)
        self._texts += map(repr, asyncio.all_tasks())

    @property
    def hits(self) -> list[str]:
        """Where the canary stands."""
        texts = [*self._texts, *(data.decode("latin-1") for data in self._pickles)]
        return [text[max(0, text.index(CANARY) - 200) :][:400] for text in texts if CANARY in text]


@pytest.fixture
def shown() -> Iterator[Shown]:
    """Listen to every logger and, in the loop's debug mode, to asyncio telling each step that it takes."""
    listening = Shown()
    handler = logging.Handler()
    handler.emit = listening.add_record  # type: ignore[method-assign]
    root = logging.getLogger()
    names = ("asyncio", "finance", "sqlalchemy", "asyncpg")
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, names))}
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield listening
    root.removeHandler(handler)
    for logger, level in levels.items():
        logger.setLevel(level)


@contextlib.contextmanager
def talkative_loop() -> Iterator[None]:
    """Have the loop log every step as a slow one."""
    loop = asyncio.get_running_loop()
    before = loop.get_debug(), loop.slow_callback_duration
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    try:
        yield
    finally:
        loop.set_debug(before[0])
        loop.slow_callback_duration = before[1]


# --- the crossing ------------------------------------------------------------------------------------


async def test_a_working_connection_shows_no_password(
    way: str, guarded: Wire, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither it, nor what made it, nor the log, while it is made, used and misused."""
    words = WAYS[way](Where(tmp_path, monkeypatch, "127.0.0.1", guarded.port, "keeper"))
    with talkative_loop():
        async with DatabaseManager(words.pop("dsn", None), **words) as db:
            assert await db.fetchval("SELECT current_user") == "keeper"
            async with db.transaction() as connection:
                shown.add(db, connection, connection.driver)
                with pytest.raises(FinanceError) as caught:
                    async with connection.transaction():
                        await connection.execute("SELECT nonsense")
                shown.add_error(caught.value)
                shown.add_living()

    assert shown.hits == []


async def test_the_driver_keeps_a_function_only(
    way: str, guarded: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was given is in the connection, where any debugger shows it; a .pgpass it reads by itself."""
    words = WAYS[way](Where(tmp_path, monkeypatch, "127.0.0.1", guarded.port, "keeper"))
    async with DatabaseManager(words.pop("dsn", None), **words) as db, db.transaction() as connection:
        kept = repr(attrgetter("_params")(connection.driver))

    assert (CANARY in kept) is (way == "pgpass")


async def test_a_failed_login_shows_no_password(
    way: str, guarded: Wire, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the right one in the wrong place."""
    words = WAYS[way](Where(tmp_path, monkeypatch, "127.0.0.1", guarded.port, "other"))
    db = DatabaseManager(words.pop("dsn", None), **words)
    with talkative_loop(), pytest.raises(AuthenticationError) as caught:
        await db.connect()
    shown.add(db)
    shown.add_error(caught.value)
    shown.add_frames(caught.value)
    shown.add_living()

    assert shown.hits == []


@pytest.mark.parametrize("host", ["no-such-host.invalid", "127.0.0.1"], ids=["unknown", "away"])
async def test_an_unreachable_server_shows_no_password(
    host: str, way: str, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its name is not known or nothing listens there."""
    words = WAYS[way](Where(tmp_path, monkeypatch, host, 1, "keeper"))
    db = DatabaseManager(words.pop("dsn", None), timeout=5, **words)
    with talkative_loop(), pytest.raises(ServerUnreachableError) as caught:
        await db.connect()
    shown.add(db)
    shown.add_error(caught.value)
    shown.add_frames(caught.value)
    shown.add_living()

    assert shown.hits == []


def test_nothing_of_the_settings_shows_a_password(
    way: str, shown: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what is resolved from the words nor what the words are sorted into."""
    words = WAYS[way](Where(tmp_path, monkeypatch, "h", 1, "keeper"))
    dsn = words.pop("dsn", None)
    options, arguments = split_options({**words, "direct_dsn": f"postgresql://u:{CANARY}@h/db"})
    source = resolve(dsn, **arguments)
    shown.add(options, source, source.arguments, *source.arguments.values(), source.dsn, source.address)

    assert shown.hits == []


@pytest.mark.parametrize(
    "words",
    [
        {"dsn": f"postgresql://u:{CANARY}@h:port/db"},
        {"dsn": f"postgresql://u:{CANARY}/x@h/db"},
        {"dsn": f"host=h password={CANARY} {CANARY}"},
        {"dsn": f"postgresql://u:{CANARY}@h/db?sslmode={CANARY}"},
        {"password": [CANARY]},
        {"password": CANARY, "password_file": CANARY},
        {"password_file": f"{CANARY}\0"},
        {"direct_dsn": f"{CANARY}\0"},
        {"user": [CANARY]},
        {"port": CANARY},
    ],
)
async def test_a_refused_word_shows_no_password(words: dict[str, Any], shown: Shown) -> None:
    """What is wrong is told by its name."""
    given = {"host": "h", **words} if "dsn" not in words else words
    with pytest.raises(ConfigurationError) as caught:
        await DatabaseManager(given.pop("dsn", None), **given).connect()
    shown.add_error(caught.value)
    shown.add_living()  # the frames of the error are

    assert shown.hits == []


def _quoting() -> NoReturn:
    raise RuntimeError(f"the vault has {CANARY} only")


@pytest.mark.parametrize(
    "password",
    [_quoting, CANARY.encode, lambda: f"{CANARY}\udcff", f"{CANARY}\0"],
    ids=["raising", "bytes", "undecodable", "NUL"],
)
async def test_a_password_that_cannot_be_had_fails_the_connection(password: Any, guarded: Wire, shown: Shown) -> None:
    """As an error of the configuration, through driver and pool, without the secret or the vault's own text."""
    words = Where(Path(), pytest.MonkeyPatch(), "127.0.0.1", guarded.port, "keeper").words
    with talkative_loop(), pytest.raises(ConfigurationError, match=r"^password ") as caught:
        await DatabaseManager(**words, password=password).connect()
    shown.add_error(caught.value)
    shown.add_frames(caught.value)
    shown.add_living()

    assert shown.hits == []


async def test_an_error_of_ours_leaves_the_connection_as_it_is(guarded: Wire) -> None:
    """A function that asks another database for the password may say that it is away."""
    away = ServerUnreachableError("vault:5432/db", "connection refused")

    async def ask() -> NoReturn:
        raise away

    words = Where(Path(), pytest.MonkeyPatch(), "127.0.0.1", guarded.port, "keeper").words
    with pytest.raises(ServerUnreachableError) as caught:
        await DatabaseManager(**words, password=ask).connect()

    assert caught.value is away


# --- credentials that change -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["file", "function", "environment"])
async def test_the_next_connection_asks_again(
    form: str, guarded: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed password is refused until it is changed here too; connections that are open live on."""
    file, role = tmp_path / "password", f"turning_{form}"
    forms: dict[str, dict[str, Any]] = {"file": {"password_file": file}, "function": {"password": file.read_text}}

    def change(password: str) -> None:
        file.write_text(password)
        if form == "environment":
            monkeypatch.setenv("PGPASSWORD", password)

    change("old")
    where = Where(tmp_path, monkeypatch, "127.0.0.1", guarded.port, role).words
    async with DatabaseManager(guarded.dsn("postgres")) as admin:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'old'")
        async with DatabaseManager(**where, **forms.get(form, {}), max_size=2) as db, db.transaction() as held:
            await admin.execute(f"ALTER ROLE {role} PASSWORD 'new'")
            with pytest.raises(AuthenticationError):
                await DatabaseManager(**where, **forms.get(form, {})).connect()
            change("new")
            assert await db.fetchval("SELECT current_user") == role
            assert await held.fetchval("SELECT current_user") == role
        await admin.execute(f"DROP ROLE {role}")


# --- whether the net would catch it ------------------------------------------------------------------


def _leak_by_log(_: Shown) -> None:
    logging.getLogger("finance.anything").debug("connecting with %s", CANARY)


def _leak_by_argument_of_a_record(_: Shown) -> None:
    logging.getLogger("asyncio").debug("connecting", extra={"source": CANARY})


def _leak_by_error(shown: Shown) -> None:
    shown.add_error(FinanceError(CANARY))


def _leak_by_attribute(shown: Shown) -> None:
    error = FinanceError("x")
    vars(error)["seen"] = CANARY
    shown.add_error(error)


def _leak_by_cause(shown: Shown) -> None:
    error = FinanceError("x")
    error.__cause__ = ValueError(CANARY)
    shown.add_error(error)


def _leak_by_context(shown: Shown) -> None:
    error = FinanceError("x")
    error.__context__, error.__suppress_context__ = ValueError(CANARY), True
    shown.add_error(error)


def _leak_by_our_frame(shown: Shown) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(f"mysql://u:{CANARY}@h/db")
    shown.add_frames(caught.value)


def _leak_by_living_object(shown: Shown) -> None:
    options = Options(schema=CANARY)
    shown.add_living()
    assert options.schema == CANARY


def _leak_by_pickle(shown: Shown) -> None:
    shown.add(io.BytesIO(CANARY.encode()))


LEAKS = [
    _leak_by_log, _leak_by_argument_of_a_record, _leak_by_error, _leak_by_attribute, _leak_by_cause,
    _leak_by_context, _leak_by_our_frame, _leak_by_living_object, _leak_by_pickle,
]  # fmt: skip


@pytest.mark.parametrize("leak", LEAKS)
async def test_a_leak_is_seen(leak: Callable[[Shown], None], shown: Shown) -> None:
    """Each of the places that the tests above look at is looked at."""
    leak(shown)

    assert shown.hits


async def test_a_leak_into_the_loop_is_seen(shown: Shown) -> None:
    """Its debug mode shows the arguments of every step."""
    with talkative_loop():
        asyncio.get_running_loop().call_soon(len, CANARY)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    assert shown.hits
