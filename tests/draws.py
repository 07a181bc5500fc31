"""What the machine of the model draws at random: days, amounts and entries, good, bad, and beyond a limit."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

from hypothesis import strategies as st

from finance import NewEntry, NewPosting
from tests.model import Model

FIRST = date(2026, 1, 30)
#: Days around the ends of months, where totals of months meet postings of days.
DAYS = st.integers(0, 64).map(lambda days: FIRST + timedelta(days))
AMOUNTS = st.sampled_from(
    [Decimal(text) for text in ("1", "2", "5", "-3", "-1", "10", "0.5", "0.01", "-0.25", "0.001")]
)


class Draws:
    """Draws accounts of a model, and entries that may be posted to them."""

    model: Model

    def _account(self, choice: int) -> int:
        return list(self.model.accounts)[choice % len(self.model.accounts)]

    def _entry(self, data: st.DataObject, *, good: bool = False) -> NewEntry:
        """Draw an entry: of one currency mostly, balanced mostly."""
        ids = list(self.model.accounts)
        first = data.draw(st.sampled_from(ids))
        currency = self.model.accounts[first].currency
        same = [id_ for id_ in ids if self.model.accounts[id_].currency == currency]
        count = data.draw(st.integers(1, 3))
        lines = [(first, data.draw(AMOUNTS)) for _ in range(1)]
        lines += [(data.draw(st.sampled_from(same)), data.draw(AMOUNTS)) for _ in range(count - 1)]
        rest = -sum((amount for _, amount in lines), Decimal(0))
        is_bad = not good and data.draw(st.integers(0, 9)) == 0
        others = ids if is_bad else same
        lines.append((data.draw(st.sampled_from(others)), rest + is_bad or Decimal(1)))
        return NewEntry(data.draw(DAYS), "entry", [NewPosting(*line) for line in lines], id=uuid4())

    def _beyond(self, data: st.DataObject) -> NewEntry:
        """Draw an entry that takes an account just to one of its limits, or beyond."""
        accounts = self.model.accounts
        limited = [id_ for id_, each in accounts.items() if each.minimum is not None or each.maximum is not None]
        if not limited:
            return self._entry(data)
        id_ = data.draw(st.sampled_from(limited))
        account, balance = accounts[id_], self.model.balances()[id_]
        further = data.draw(st.sampled_from([Decimal(0), Decimal(1), Decimal(7)]))
        reaches = [limit - further for limit in [account.minimum] if limit is not None]
        reaches += [limit + further for limit in [account.maximum] if limit is not None]
        amount = data.draw(st.sampled_from(reaches)) - balance or Decimal(1)
        others = [other for other, each in accounts.items() if each.currency == account.currency and other != id_]
        lines = [NewPosting(id_, amount), NewPosting(data.draw(st.sampled_from(others)), -amount)]
        return NewEntry(data.draw(DAYS), "beyond", lines, id=uuid4())

    def _there_and_back(self, data: st.DataObject) -> list[NewEntry]:
        """Draw an entry to a limit or beyond, and its opposite: one after the other, the sum of both says nothing."""
        there = self._beyond(data)
        back = [NewPosting(line.account_id, -line.value) for line in there.postings]
        return [there, NewEntry(there.date, "back", back, id=uuid4())]

    def _entries(self, data: st.DataObject, most: int) -> list[NewEntry]:
        """Draw some entries; one of them has the id of another one perhaps."""
        entries = [self._entry(data) for _ in range(data.draw(st.integers(2, most)))]
        if data.draw(st.booleans()):
            other = NewEntry(FIRST, "other", entries[0].postings, id=entries[0].id)
            entries[-1] = data.draw(st.sampled_from([entries[0], other]))
        return entries
