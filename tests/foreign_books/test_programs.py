"""Other programs run within limits, and see nothing of ours; what they complain about is told."""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import time
from pathlib import Path

import pytest

from finance.errors import BooksFileError, InvalidError, ProgramMissingError
from finance.foreign_books import beancount, program_of, programs, read_books

from .books import written


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A journal whose name could be an option."""
    return written(tmp_path / "-f x.journal", ["2020-01-01 x", "  a  1 EUR", "  b"])


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only program on the path: called hledger, and what a test writes into it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder / "hledger"


def speaking(program: Path, code: str) -> None:
    """Have the stand-in run some lines of Python."""
    program.write_text(f"#!{sys.executable}\nimport os, sys, time\n{code}\n", "utf-8")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "package"), [("x.journal", "apt install hledger"), ("x.ledger", "apt install ledger")]
)
def test_a_missing_program_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    """As a typed error of its own."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramMissingError, match=package):
        read_books(written(tmp_path / name, ["; nothing"]))


def test_a_missing_beancount_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither this Python has it nor a bean-check is on the path."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ProgramMissingError, match="pip install beancount"):
        read_books(written(tmp_path / "x.beancount", ["; nothing"]))


def test_the_python_of_bean_check_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program may live in an environment of its own."""
    script = written(tmp_path / "bean-check", ["#!/some/where/bin/python3.12 -I"])
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert beancount._python() == ["/some/where/bin/python3.12", "-E"]


def test_a_program_that_takes_too_long_is_ended(stand_in: Path, journal: Path, tmp_path: Path) -> None:
    """With whatever it has started, which would otherwise live on."""
    noted = tmp_path / "pid"
    stand_in.write_text(f"#!/bin/sh\n/bin/sleep 300 &\necho $! > '{noted}'\nwait\n", "utf-8")
    stand_in.chmod(0o755)
    with pytest.raises(BooksFileError, match=r"hledger has not read it in 5 seconds; give it more time"):
        read_books(journal, timeout=5)
    pid = int(noted.read_text("utf-8"))
    for _ in range(100):
        if not _is_running(pid):
            return
        time.sleep(0.1)
    pytest.fail("what it has started runs on")


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_that_writes_without_end_is_ended(
    stand_in: Path, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the time is over."""
    monkeypatch.setattr(programs, "LARGEST_OUTPUT", 1_000_000)
    speaking(stand_in, "while True: os.write(1, b'x' * 65536)")
    with pytest.raises(BooksFileError, match="hledger writes more than 1,000,000 bytes"):
        read_books(journal, timeout=60)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.write(1, b'caf\\xe9')", "it is not UTF-8: convert it first"),
        ("print('[' * 100000)", "what hledger says of it is not understood"),
        ("print('[{}]')", r"what hledger says of it is not understood \(KeyError\)"),
        ("sys.exit(3)", "hledger: it says nothing"),
        (
            "print('hledger: Error: /a/b.journal:7:3: odd', file=sys.stderr); sys.exit(1)",
            r"^b\.journal, line 7: hledger:",
        ),
    ],
)
def test_what_a_program_says_amiss_refuses_the_file(stand_in: Path, journal: Path, code: str, reason: str) -> None:
    """Another encoding, another form than is known, or a complaint."""
    speaking(stand_in, code)
    with pytest.raises(BooksFileError, match=reason):
        read_books(journal)


def test_a_program_sees_no_secrets_and_no_shell(
    stand_in: Path, journal: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing of the environment but where programs and the home are; the file by its whole path."""
    monkeypatch.setenv("FINANCE_DATABASE_URL", "postgresql://u:secret@h/d")
    seen = tmp_path / "seen"
    speaking(stand_in, f"open({str(seen)!r}, 'a').write(repr((sys.argv, sorted(os.environ))) + '\\n'); sys.exit(1)")
    with pytest.raises(BooksFileError):
        read_books(journal)
    for line in seen.read_text("utf-8").splitlines():
        arguments, names = ast.literal_eval(line)
        assert set(names) <= {"PATH", "HOME", "TMPDIR", "LC_ALL"}
        assert not any(argument.startswith("-f x") for argument in arguments)


@pytest.mark.parametrize(
    ("name", "program"),
    [
        ("a.beancount", "beancount"), ("a.BEAN", "beancount"), ("a.journal", "hledger"), ("a.dat", "ledger"),
        ("a.gnucash", "gnucash"), ("a.csv", None), ("a", None),
    ],
)  # fmt: skip
def test_the_ending_says_whose_a_journal_is(tmp_path: Path, name: str, program: str | None) -> None:
    """And where it says nothing, the user has to."""
    path = written(tmp_path / name, ["; nothing"])
    assert program_of(path) == program
    if program is None:
        with pytest.raises(InvalidError, match="nothing says whose books these are: name one of gnucash, beancount"):
            read_books(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe that would wait, what is not there, and nothing."""
    os.mkfifo(tmp_path / "pipe.journal")
    (tmp_path / "empty.journal").touch()
    for name, reason in (
        ("", "not an ordinary file"), ("pipe.journal", "not an ordinary file"), ("gone.journal", "No such file"),
        ("empty.journal", "is empty"), ("a\x00b", "null byte"),
    ):  # fmt: skip
        with pytest.raises(BooksFileError, match=reason):
            read_books(tmp_path / name)
