"""The command `finance`, of the extra `cli`. Importing this package imports none of the extras."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, 1 for an operation that failed, 2 for bad input.

    Args:
        arguments: What stands behind the command's name; those of this process unless given.
    """
    try:
        from finance.cli.app import run  # noqa: PLC0415 - the extras may be missing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "finance":
            raise
        print(  # noqa: T201 - the command's own message
            f"finance: this command needs the extra `cli` ({error.name} is missing):"
            " pip install 'finance-ledger[cli,statements,embedded]'",
            file=sys.stderr,
        )
        return 2
    return run(sys.argv[1:] if arguments is None else list(arguments))
