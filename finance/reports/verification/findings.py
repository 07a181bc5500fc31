"""What a verification says: while it runs, and in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

#: So many problems are kept; the books are beyond doubt wrong by then.
PROBLEMS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Problem:
    """A contradiction in the books: the broken rule, the id of what breaks it, and what was found."""

    rule: str
    subject: str
    found: str | None

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}" + (f" ({self.found})" if self.found else "")


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, and the first thousand contradictions that were found."""

    accounts: int
    entries: int
    postings: int
    problems: tuple[Problem, ...]
    #: How many of the entries were redacted: the hash of what is left of them was compared.
    redacted: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether the books agree with themselves."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage of the work is: `done` of about `total` rows, and the problems found so far in all stages."""

    stage: str
    done: int
    total: int
    problems: int


#: Called with each piece of progress, from inside the work: it should be quick.
Watcher = Callable[[Progress], object]

#: Called with the rule, the subject and what was found.
Report = Callable[[str, str, str | None], None]


class Findings:
    """The problems found so far, the first thousand of them, and whoever watches."""

    def __init__(self, watcher: Watcher | None) -> None:
        self.kept: list[Problem] = []
        self._count = 0
        self._watcher = watcher

    def report(self, rule: str, subject: str, found: str | None) -> None:
        """Take a problem in."""
        self._count += 1
        if len(self.kept) < PROBLEMS_KEPT:
            self.kept.append(Problem(rule, subject, found))

    def tell(self, stage: str, done: int, total: int) -> None:
        """Tell whoever watches how far *stage* is; *total* may have been counted from what is wrong."""
        if self._watcher is not None:
            self._watcher(Progress(stage, done, max(done, total), self._count))
