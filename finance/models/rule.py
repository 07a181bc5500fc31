"""Rules that propose what a line of a statement is about."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Identity, Index, Integer, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from finance.errors import InvalidError
from finance.models.account import Account
from finance.models.base import Base
from finance.models.new_entry import require_account, require_text
from finance.money import Amount, exact

#: The longest text of a condition, in characters.
LONGEST_TEXT = 1000

#: That of a payee or tag.
_LONGEST_NAME = 500

Direction = Literal["in", "out"]


class Comparison(enum.StrEnum):
    """How the text of a line is compared with that of a rule; upper and lower case are alike."""

    CONTAINS = "contains"
    EQUALS = "equals"
    #: A regular expression of PostgreSQL's, without back references: those alone make it slow.
    MATCHES = "matches"


class Rule(Base):
    """What a line of a statement is, when all the conditions that the rule states are true of it.

    Rules are tried in the order of `position` and `id`; the first that is true decides.
    """

    __tablename__ = "rules"
    __table_args__ = (
        ForeignKeyConstraint(["ledger_id", "account_id"], ["accounts.ledger_id", "accounts.id"]),
        ForeignKeyConstraint(["ledger_id", "counter_id"], ["accounts.ledger_id", "accounts.id"]),
        CheckConstraint("comparison IN ('contains', 'equals', 'matches')", name="comparison_known"),
        CheckConstraint("(comparison IS NULL) = (text IS NULL)", name="comparison_with_text"),
        CheckConstraint("direction IN ('in', 'out')", name="direction_known"),
        CheckConstraint("minimum >= 0 AND maximum < 1e24 AND minimum <= maximum", name="range_in_order"),
        CheckConstraint(
            "num_nonnulls(text, direction, minimum, maximum, account_id, currency) > 0", name="condition_stated"
        ),
        CheckConstraint("num_nonnulls(counter_id, payee) > 0 OR cardinality(tags) > 0", name="result_stated"),
        CheckConstraint("char_length(text) BETWEEN 1 AND 1000", name="text_length"),
        Index(None, "ledger_id", "position", "id"),
    )

    ledger_id: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    #: Conditions; None is true of every line. The text is looked for in the payee and the memo.
    comparison: Mapped[str | None]
    text: Mapped[str | None]
    #: "in" for money that comes, "out" for money that goes.
    direction: Mapped[str | None]
    #: Of the amount without its sign, both included.
    minimum: Mapped[Decimal | None]
    maximum: Mapped[Decimal | None]
    #: The bank's account in the books.
    account_id: Mapped[int | None]
    currency: Mapped[str | None]
    #: Results: the account that takes the other side, the payee's name, and tags.
    counter_id: Mapped[int | None]
    payee: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=sql("'{}'"))
    created_at: Mapped[datetime] = mapped_column(server_default=sql("clock_timestamp()"))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRule:
    """A rule to add. It needs one condition and one result at least.

    Args:
        contains: A text that the payee or the memo of the line has in it.
        equals: What the payee or the memo is.
        matches: A regular expression that is found in the payee or the memo.
        direction: "in" for money that comes, "out" for money that goes.
        minimum: The smallest amount, without its sign.
        maximum: The largest amount, without its sign.
        account: The bank's account in the books.
        currency: Of the line.
        counter: The account that takes the other side. For a line in another currency its namesake in that is taken.
        payee: The payee's name.
        tags: Names of tags.
        position: Where it stands among the rules: the smaller is tried first. Behind all others unless given.

    Raises:
        InvalidError: There is no condition, no result, more than one text, or a text that is empty or too long.
        AmountError: A bound is a float, not finite or too large.
    """

    contains: str | None = None
    equals: str | None = None
    matches: str | None = None
    direction: Direction | None = None
    minimum: Amount | None = None
    maximum: Amount | None = None
    account: Account | int | None = None
    currency: str | None = None
    counter: Account | int | None = None
    payee: str | None = None
    tags: Sequence[str] = ()
    position: int | None = None

    def __post_init__(self) -> None:
        for name in ("minimum", "maximum"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, exact(getattr(self, name)))
        object.__setattr__(self, "tags", tuple(self.tags))
        self._check_texts()
        for account in (self.account, self.counter):
            if account is not None:
                require_account(account)
        conditions = (self.direction, self.minimum, self.maximum, self.account, self.currency)
        if self.comparison is None and all(each is None for each in conditions):
            raise InvalidError("a rule without a condition would take every line: state one")
        if self.counter is None and self.payee is None and not self.tags:
            raise InvalidError("a rule proposes an account, a payee or tags: state one")
        if self.direction not in (None, "in", "out"):
            raise InvalidError(f"direction {self.direction!r}: give 'in' or 'out'")

    def _check_texts(self) -> None:
        texts = [each for each in (self.contains, self.equals, self.matches) if each is not None]
        if len(texts) > 1:
            raise InvalidError("a rule has one text: contains, equals or matches")
        if texts and not 1 <= len(texts[0]) <= LONGEST_TEXT:
            raise InvalidError(f"the text of a rule has 1 to {LONGEST_TEXT} characters")
        for what in (*texts, *self.tags, *([] if self.payee is None else [self.payee])):
            require_text("a text of a rule", what)
            if not what.strip():
                raise InvalidError("a text of a rule is not blank")
        if any(len(name) > _LONGEST_NAME for name in (*self.tags, self.payee or "")):
            raise InvalidError(f"the name of a payee or tag has 1 to {_LONGEST_NAME} characters")

    @property
    def comparison(self) -> Comparison | None:
        """How the text is compared; None without one."""
        return next((each for each in Comparison if getattr(self, each.value) is not None), None)

    @property
    def text(self) -> str | None:
        """The text that is compared."""
        return None if self.comparison is None else getattr(self, self.comparison.value)
