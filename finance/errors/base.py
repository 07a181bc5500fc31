"""The root of the tree, and what a failure means for what is stored."""

from __future__ import annotations

import enum
from typing import Any, ClassVar


class Outcome(enum.Enum):
    """What became of the work of a failed call, or of a transaction that is over."""

    NOT_APPLIED = "not applied"
    APPLIED = "applied"
    UNKNOWN = "unknown"


class FinanceError(Exception):
    """Any failure that this library reports.

    Attributes:
        retryable: Whether the same call may succeed when it is made again from its start.
        outcome: What is stored of the call that failed. Inside a transaction nothing is before its COMMIT.
    """

    retryable: ClassVar[bool] = False
    outcome: Outcome = Outcome.NOT_APPLIED

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with the finished message, which is not what its __init__ takes.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[FinanceError], args: tuple[Any, ...], attributes: dict[str, Any]) -> FinanceError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error
