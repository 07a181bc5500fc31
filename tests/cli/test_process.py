"""The command as a process: streams, signals, missing libraries, and the server that it starts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.pooler import past_pooler

from .command import CARD, CHECKOUT, SEVERAL, Run, ended, program

#: What an import takes its turn with.
IMPORT_LOCK = 1179209297


@contextlib.contextmanager
def importing_blocked(dsn: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Start an import and wait until it has to wait for another one's turn to end."""

    async def hold() -> asyncpg.Connection[asyncpg.Record]:
        connection = await asyncpg.connect(past_pooler(dsn))
        ledger = await connection.fetchval("SELECT id FROM ledgers WHERE name = 'main'")
        await connection.execute("SELECT pg_advisory_lock($1, hashint8($2))", IMPORT_LOCK, ledger)
        return connection

    async def is_waiting(connection: asyncpg.Connection[asyncpg.Record]) -> None:
        query = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
        async with asyncio.timeout(30):
            while not await connection.fetchval(query):  # noqa: ASYNC110 - the database has no event for it
                await asyncio.sleep(0.05)

    with asyncio.Runner() as runner:
        connection = runner.run(hold())
        process = program("import", *arguments, FINANCE_DATABASE_URL=dsn)
        try:
            runner.run(is_waiting(connection))
            yield process
        finally:
            process.kill()
            process.communicate()
            runner.run(connection.close())


# --- as a process ----------------------------------------------------------------------------------


def test_process_prints_one_document_and_nothing_else(dsn: str) -> None:
    """`python -m finance.cli` is the command; the file may come from standard input."""
    outcome = ended(program("import", "-", "--json", FINANCE_DATABASE_URL=dsn), SEVERAL.read_text("utf-8"))

    assert outcome.status == 0
    assert outcome.message.startswith("Assets:Savings:200: the bank says")
    assert outcome.document["file"] == "standard input"


def test_process_ends_with_the_status(dsn: str) -> None:
    """The status and the one line reach the shell."""
    outcome = ended(program("register", "Assets:Nobody", "--json", FINANCE_DATABASE_URL=dsn))

    assert (outcome.status, outcome.out) == (2, "")
    assert "Assets:Nobody" in outcome.message


def test_help_needs_no_database() -> None:
    """It goes to standard output and succeeds, whatever the environment says of databases."""
    outcome = ended(program("--help", FINANCE_DATABASE_URL="nonsense"))

    assert (outcome.status, outcome.err) == (0, "")
    assert all(name in outcome.out for name in ("upgrade", "import", "accounts", "balances", "register", "verify"))


@pytest.mark.parametrize(
    ("end", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signal_ends_an_import_without_a_trace(dsn: str, run: Run, end: signal.Signals, status: int, word: str) -> None:
    """Ctrl-C and SIGTERM roll back what was under way, and end in one line."""
    run("accounts")
    with importing_blocked(dsn, CARD) as process:
        process.send_signal(end)
        outcome = ended(process)

    assert (outcome.status, outcome.out, outcome.message) == (status, "", word)
    assert run("accounts", "--json").document == []


def test_ctrl_c_ends_waiting_for_standard_input(dsn: str) -> None:
    """A command that waits for somebody to type a file can be interrupted."""
    process = program("import", "-", FINANCE_DATABASE_URL=dsn)
    wait_until_sleeping(process.pid)
    process.send_signal(signal.SIGINT)
    status = process.wait(timeout=120)

    assert status == 130
    assert process.communicate()[1] == "finance: interrupted\n"


def wait_until_sleeping(pid: int) -> None:
    """Wait until a process reads from a pipe that is empty."""
    deadline = time.monotonic() + 30
    while "pipe_read" not in Path(f"/proc/{pid}/wchan").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_closed_pipe_is_no_error_of_ours(dsn: str, run: Run) -> None:
    """Whoever reads the output may stop reading: no traceback, and the books are as they should be."""
    process = program("import", CARD, FINANCE_DATABASE_URL=dsn)
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    told = process.communicate(timeout=120)[1]

    assert process.returncode == 141
    assert "Traceback" not in told
    assert run("verify", "--json").document["entries"] > 0


@pytest.mark.parametrize("stream", ["1>&- 2>&-", ">/dev/full"])
def test_stream_that_cannot_be_written_gives_no_traceback(dsn: str, stream: str) -> None:
    """Closed streams, and a full disk, end in a status."""
    command = f"exec {sys.executable} -m finance.cli accounts {stream}"
    environment = os.environ | {"FINANCE_DATABASE_URL": dsn}
    result = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, cwd=CHECKOUT, env=environment, timeout=120, check=False
    )

    assert b"Traceback" not in result.stderr
    assert result.returncode == (1 if "full" in stream else 0)


def test_importing_the_library_imports_no_extra() -> None:
    """`import finance` and `import finance.cli` work where only the core is installed."""
    code = (
        "import sys\nimport finance, finance.cli, finance.statements.importer\n"
        "sys.exit(' '.join(sorted({'cyclopts', 'rich', 'ofxparse', 'bs4', 'lxml', 'mt940'} & sys.modules.keys())))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=CHECKOUT, timeout=120, check=False)

    assert result.stderr.decode() == "\n" * (result.returncode != 0)


# --- the embedded server ---------------------------------------------------------------------------


def test_with_nothing_set_the_embedded_server_is_used_and_left(reachable_tmp: Path) -> None:
    """It is told in one line, gets its tables by itself, keeps the books for the next command, and is gone."""
    folder = reachable_tmp / "cli"
    first = ended(program("import", CARD, "--json", FINANCE_DATA_DIR=str(folder)))
    left = list(folder.glob("*/data/postmaster.pid"))
    second = ended(program("balances", "--json", FINANCE_DATA_DIR=str(folder)))

    assert (first.status, second.status) == (0, 0)
    told = first.err.splitlines()
    assert "using the embedded PostgreSQL" in told[0]
    assert told[1] == "finance: setting up the embedded database"
    assert first.document["statements"][0]["added"] > 0
    assert "embedded PostgreSQL" in second.message
    assert [each["balance"] for each in second.document]
    assert left == list(folder.glob("*/data/postmaster.pid")) == []
    assert not processes_of(folder)


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of the processes that name *folder*."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in found if str(folder) in line]


# --- on a terminal ---------------------------------------------------------------------------------


def test_terminal_shows_a_table_and_how_far_the_work_is(dsn: str, tmp_path: Path) -> None:
    """A long import has a bar, NO_COLOR is respected, and no name is cut off at 80 columns."""
    long = tmp_path / "long.ofx"
    line = b"<STMTTRN><TRNTYPE>POS<DTPOSTED>20260901<TRNAMT>-1.00<FITID>%d<NAME>Kiosk</STMTTRN>\n"
    text = SEVERAL.read_bytes().replace(
        b"<STMTTRN>", b"".join(line % number for number in range(1200)) + b"<STMTTRN>", 1
    )
    long.write_bytes(text)
    screen, status = on_terminal("import", long, FINANCE_DATABASE_URL=dsn, NO_COLOR="1", COLUMNS="80")

    assert status == 0
    assert "Importing" in screen
    assert "100%" in screen
    assert "\x1b[3" not in screen
    table = screen[screen.index("Account") :]
    assert "────" in table
    assert "".join(table.split()).count("Card:5500000000000004") == 1


def on_terminal(*arguments: str | Path, **environment: str) -> tuple[str, int]:
    """Run the command with a terminal for standard output and error; give what it showed, and its status."""
    terminal, end = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "finance.cli", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=end,
        stderr=end,
        cwd=CHECKOUT,
        env=os.environ | {"TERM": "xterm"} | environment,
    )
    os.close(end)
    shown = bytearray()
    with contextlib.suppress(OSError):  # how Linux tells that the other end is closed
        while part := os.read(terminal, 65536):
            shown += part
    os.close(terminal)
    return shown.decode(), process.wait(timeout=120)
