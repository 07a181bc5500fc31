"""The command, on a database of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from finance.cli import main

from .command import CHECKOUT, Outcome, Run


@pytest.fixture
def run(dsn: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process, on a database of its own."""
    monkeypatch.setenv("FINANCE_DATABASE_URL", dsn)
    monkeypatch.chdir(CHECKOUT)

    def call(*arguments: str | Path) -> Outcome:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call
