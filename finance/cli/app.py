"""The command line: which commands there are, and how a run ends."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError

from cyclopts import App, CycloptsError

import finance
from finance.cli.commands import accounts, assertions, imports, reconcile, rules
from finance.cli.commands.accounts import balances
from finance.cli.commands.budgets import budget
from finance.cli.commands.exports import export
from finance.cli.commands.forecasts import forecast
from finance.cli.commands.forgetting import erase, redact
from finance.cli.commands.loading import load
from finance.cli.commands.register import register
from finance.cli.commands.reports import (
    balance_sheet,
    cash_flow,
    income_statement,
    net_worth,
    spending,
    trial_balance,
)
from finance.cli.commands.roles import roles
from finance.cli.commands.schedules import schedule
from finance.cli.commands.statements import import_file, propose
from finance.cli.commands.upgrade import upgrade
from finance.cli.commands.verify import verify
from finance.cli.terminal import prepare_streams, tell
from finance.errors import (
    AuthenticationError,
    ConfigurationError,
    EmbeddedServerError,
    FinanceError,
    InvalidError,
    NotFoundError,
)

BAD_INPUT = 2
FAILED = 1
#: 128 and the number of the signal, as shells count.
INTERRUPTED, PIPE_CLOSED, TERMINATED = 130, 141, 143


def _version() -> str:
    try:
        return f"finance {finance.__version__}"
    except PackageNotFoundError:
        return "finance, from a checkout that is not installed"


app = App(
    name="finance",
    help="""Double-entry books on PostgreSQL: import what the bank sends, ask what is there.

    The database is --database, or else what FINANCE_DATABASE_URL, DATABASE_URL or the PG* variables name,
    or else a private PostgreSQL on this machine.
    """,
    version=_version,
    suppress_keyboard_interrupt=False,
)
app.command(upgrade)
app.command(import_file, name="import")
app.command(propose, name="profile")
app.command(imports.app)
app.command(assertions.app)
app.command(rules.app)
app.command(reconcile.app)
app.command(accounts.app)
app.command(balances)
app.command(register)
app.command(income_statement)
app.command(balance_sheet)
app.command(trial_balance)
app.command(net_worth)
app.command(cash_flow)
app.command(spending)
app.command(budget)
app.command(schedule)
app.command(forecast)
app.command(export)
app.command(load)
app.command(verify)
app.command(redact)
app.command(erase)
app.command(roles)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return the exit status. Whatever goes wrong is one line on standard error."""
    prepare_streams()
    try:
        status = app(arguments, print_error=False, exit_on_error=False, result_action="return_value")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        _drop_output()
        return PIPE_CLOSED
    except (CycloptsError, FinanceError, OSError, KeyboardInterrupt, asyncio.CancelledError) as error:
        if isinstance(error, OSError):
            _drop_output()
        message, status = _explained(error)
        tell(message)
    return status or 0


def _drop_output() -> None:
    """Let what is left in the buffer go nowhere: written again at exit, it would fail again, with another status."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explained(error: BaseException) -> tuple[str, int]:
    """Return what to tell about *error*, and the exit status."""
    if isinstance(error, CycloptsError):
        return f"{str(error).rstrip('.')}; see finance --help", BAD_INPUT
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    if isinstance(error, asyncio.CancelledError):
        return "terminated", TERMINATED
    if isinstance(error, AuthenticationError | EmbeddedServerError):
        return str(error), FAILED
    is_bad_input = isinstance(error, InvalidError | NotFoundError | ConfigurationError)
    return str(error), BAD_INPUT if is_bad_input else FAILED
