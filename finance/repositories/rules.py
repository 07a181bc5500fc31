"""The rules of a ledger, and what they propose for lines of statements."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select

from finance.errors import DatabaseError, InvalidError, NotFoundError
from finance.integrity import translated
from finance.models import Account, NewRule, Rule
from finance.repositories.base import Repository

# An expression without these costs time in proportion to the text; one with them may take for ever.
_BACK_REFERENCE = re.compile(r"(?<!\\)(?:\\\\)*\\[1-9]")
#: How often an expression may have something repeated: PostgreSQL writes each repetition out.
_MOST_REPETITIONS = 1000
_REPETITION = re.compile(r"\{(\d+)(?:,(\d*))?\}")
#: Lines of one statement, so that its time is bounded however many lines a file has.
_CHUNK = 2000
_BAD_EXPRESSION = "2201B"

_CHECK = "SELECT '' ~* $1"
_TEXTS = "SELECT id, coalesce(text, '') AS text FROM rules WHERE ledger_id = $1"
# Each rule goes over all lines, so that its expression is compiled once. Upper and lower case of the texts to contain
# or equal are folded by the caller: the database would do as its locale says.
_PROPOSE = """
WITH lines AS MATERIALIZED (
    SELECT * FROM unnest($2::int[], $3::numeric[], $4::text[], $5::text[], $6::text[], $7::text[])
               AS l(number, amount, payee, memo, folded_payee, folded_memo)
),
texts AS MATERIALIZED (SELECT * FROM unnest($8::bigint[], $9::text[]) AS t(id, folded))
SELECT DISTINCT ON (l.number) l.number, r.id AS rule, c.name AS counter, r.payee, r.tags
  FROM rules AS r
  LEFT JOIN accounts AS c ON c.ledger_id = r.ledger_id AND c.id = r.counter_id
  LEFT JOIN texts AS t ON t.id = r.id
 CROSS JOIN LATERAL (
       SELECT l.number FROM lines AS l
        WHERE (r.direction IS NULL OR (r.direction = 'in') = (l.amount > 0))
          AND abs(l.amount) >= coalesce(r.minimum, 0) AND (r.maximum IS NULL OR abs(l.amount) <= r.maximum)
          AND CASE r.comparison
                  WHEN 'contains' THEN strpos(l.folded_payee, t.folded) > 0 OR strpos(l.folded_memo, t.folded) > 0
                  WHEN 'equals' THEN t.folded IN (l.folded_payee, l.folded_memo)
                  WHEN 'matches' THEN l.payee ~* r.text OR l.memo ~* r.text
                  ELSE true END
       OFFSET 0) AS l
 WHERE r.ledger_id = $1 AND (r.account_id IS NULL OR r.account_id = $10) AND (r.currency IS NULL OR r.currency = $11)
 ORDER BY l.number, r.position, r.id
"""


@dataclass(frozen=True, slots=True)
class RuledLine:
    """What rules look at of a line: its number, by which it is answered for, amount, payee and memo."""

    number: int
    amount: Decimal
    payee: str
    memo: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the first rule that is true of a line proposes.

    Attributes:
        rule: The rule's id.
        counter: The name of the account that takes the other side; None where the rule names none.
        payee: The payee's name.
        tags: The names of tags.
    """

    rule: int
    counter: str | None
    payee: str | None
    tags: tuple[str, ...]


class RuleRepository(Repository[Rule]):
    """The rules of this ledger, in the order in which they are tried."""

    model = Rule
    order = (Rule.position, Rule.id)

    async def create(self, rule: NewRule) -> Rule:
        """Add a rule, behind all others unless it says where.

        Raises:
            InvalidError: Its regular expression is none, has back references, or repeats too much; or an account is not
                of this ledger. The transaction is aborted where the database says so.

        Database:
            One INSERT, a SELECT for its place, and one for a regular expression.
        """
        if rule.matches is not None:
            await self._check_expression(rule.matches)
        position = rule.position if rule.position is not None else await self._last_position() + 1
        return await self.add(
            Rule(
                position=position,
                comparison=None if rule.comparison is None else rule.comparison.value,
                text=rule.text,
                direction=rule.direction,
                minimum=rule.minimum,
                maximum=rule.maximum,
                account_id=_id_of(rule.account),
                currency=rule.currency.upper() if rule.currency else None,
                counter_id=_id_of(rule.counter),
                payee=rule.payee,
                tags=list(rule.tags),
            )
        )

    async def propose(
        self, lines: Iterable[RuledLine], *, account: Account | int | None, currency: str
    ) -> dict[int, Proposal]:
        """Return what the rules propose for *lines* of one account, by their numbers; the others are left out.

        Args:
            lines: With numbers that differ.
            account: The bank's account in the books, or its id; None for one that is not open yet.
            currency: Of the account.

        Database:
            One SELECT, and with rules one for 2,000 lines, which tries each rule on all of them.
        """
        given = list(lines)
        rows = await self._scope.connection.fetch(_TEXTS, self._scope.ledger_id)
        texts = {row["id"]: row["text"].casefold() for row in rows}
        found: dict[int, Proposal] = {}
        for start in range(0, len(given) if texts else 0, _CHUNK):
            chunk = given[start : start + _CHUNK]
            found |= await self._proposed(chunk, texts, account=account, currency=currency)
        return found

    async def _proposed(
        self, lines: Sequence[RuledLine], texts: Mapping[int, str], *, account: Account | int | None, currency: str
    ) -> dict[int, Proposal]:
        columns = [
            [line.number for line in lines],
            [line.amount for line in lines],
            [line.payee for line in lines],
            [line.memo for line in lines],
            [line.payee.casefold() for line in lines],
            [line.memo.casefold() for line in lines],
        ]
        rules = [list(texts), list(texts.values()), _id_of(account), currency]
        found = await self._scope.connection.fetch(_PROPOSE, self._scope.ledger_id, *columns, *rules)
        return {row["number"]: Proposal(row["rule"], row["counter"], row["payee"], tuple(row["tags"])) for row in found}

    async def _check_expression(self, expression: str) -> None:
        if _BACK_REFERENCE.search(expression):
            raise InvalidError(
                "a back reference, such as \\1, makes a regular expression slow without bound: say it out"
            )
        most = 1
        for lower, upper in _REPETITION.findall(expression):
            most *= max(int(upper or lower), 1)
        if most > _MOST_REPETITIONS:
            raise InvalidError(f"the regular expression repeats more than {_MOST_REPETITIONS} times: use * or +")
        try:
            await self._scope.connection.fetchval(_CHECK, expression)
        except DatabaseError as error:
            if error.sqlstate != _BAD_EXPRESSION:
                raise
            raise InvalidError(f"the regular expression is none: {error}") from error

    async def _last_position(self) -> int:
        session = self._scope.require_open()
        with translated():
            last = await session.scalar(select(func.max(Rule.position)).where(Rule.ledger_id == self._scope.ledger_id))
        return last or 0

    def _not_found(self, key: object) -> NotFoundError:
        return NotFoundError(f"this ledger has no rule {key!r}")


def _id_of(account: Account | int | None) -> int | None:
    return account.id if isinstance(account, Account) else account
