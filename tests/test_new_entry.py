"""The values that one hands in: exact amounts, and a canonical form whose vectors are published."""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finance import EntryKind, NewEntry, NewPosting
from finance.errors import AmountError, InvalidError, UnbalancedEntryError
from finance.repositories import KnownCurrencies
from finance.repositories.draft import TransferDraft, draft, lines_of

_PAGE = Path(__file__).parents[1] / "docs" / "reference" / "content-hash.md"
_VECTORS = re.findall(r"^\| `(\[.*\])` \| `([0-9a-f]{64})` \|$", _PAGE.read_text("utf-8"), re.MULTILINE)

ENTRIES = [
    NewEntry(date(2026, 11, 22), "Groceries", [NewPosting(2, "42.10"), NewPosting(1, Decimal("-4.21E+1"))]),
    NewEntry(
        date(1999, 12, 31),
        "Müller & Söhne",
        [NewPosting(7, "1E-8", 'a "quote"'), NewPosting(9, "-0.000000010")],
        details={"n": 1, "iban": "DE00"},
    ),
    NewEntry(
        date(2026, 1, 31),
        "",
        [NewPosting(1, -1000), NewPosting(2, 1000)],
        kind=EntryKind.REVERSAL,
        reverses_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    ),
    NewEntry(
        date(2026, 11, 23),
        "Groceries",
        [NewPosting(2, 43), NewPosting(1, -43)],
        amends_id=UUID("01890a5d-ac96-774b-bcce-b302099a8057"),
    ),
    NewEntry(
        date(2026, 11, 23),
        "Hotel",
        [NewPosting(2, 80), NewPosting(1, -80)],
        settles_id=UUID("01890a5d-ac97-7eed-8000-a302099a8057"),
        details={"nights": 1},
    ),
]


@pytest.mark.parametrize(("entry", "vector"), list(zip(ENTRIES, _VECTORS, strict=True)))
def test_content_hash_is_the_published_one(entry: NewEntry, vector: tuple[str, str]) -> None:
    """The canonical form and its hash are those of the reference page, however amounts were written."""
    canonical, digest = vector

    assert entry.canonical() == canonical
    assert entry.content_hash().hex() == digest == hashlib.sha256(canonical.encode()).hexdigest()


@given(
    day=st.dates(),
    description=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    amount=st.decimals(-1000, 1000, allow_nan=False).filter(bool),
    accounts=st.tuples(st.integers(1, 2**63 - 1), st.integers(1, 2**63 - 1)),
)
def test_what_is_sent_has_the_content_hash_of_the_entry(
    day: date, description: str, amount: Decimal, accounts: tuple[int, int]
) -> None:
    """A transfer takes a shorter way to its canonical form, and comes to the same."""
    known = KnownCurrencies()
    for account in accounts:
        known.add(1, account, "EUR")
    first, second = accounts
    entry = NewEntry(day, description, [NewPosting(first, amount), NewPosting(second, amount.copy_negate())])

    sent = draft(1, entry, known)

    assert isinstance(sent, TransferDraft)
    assert sent.content_hash == entry.content_hash()
    assert sent.account_ids == {first, second}
    assert list(map(repr, sent.lines)) == list(map(repr, lines_of(1, entry, known)))


@pytest.mark.parametrize(
    "amount",
    [
        1.5,
        100.0,
        True,
        None,
        "",
        "1,5",
        "abc",
        "NaN",
        "Infinity",
        Decimal("sNaN"),
        "1E+24",
        Decimal("1E+131072"),
        0,
        "-0",
    ],
)
def test_amount_that_is_not_exact_and_finite_is_refused(amount: Any) -> None:
    """A float, a bool, nothing, not a number, infinity, too much and zero are no amounts to post."""
    with pytest.raises(AmountError) as caught:
        NewPosting(1, amount)

    assert str(caught.value).startswith("amount")


@pytest.mark.parametrize("day", ["2026-11-22", datetime(2026, 11, 22), None, 20261122])  # noqa: DTZ001 - refused
def test_date_of_another_kind_is_refused(day: Any) -> None:
    """An entry counts on a day of the calendar, not at an instant and not on a text."""
    with pytest.raises(InvalidError, match="date"):
        NewEntry(day, "", [NewPosting(1, 1), NewPosting(2, -1)])


@pytest.mark.parametrize("postings", [[], [NewPosting(1, 1)]])
def test_entry_needs_two_postings(postings: list[NewPosting]) -> None:
    """Fewer than two postings cannot balance."""
    with pytest.raises(UnbalancedEntryError):
        NewEntry(date(2026, 11, 22), "", postings)


@pytest.mark.parametrize("details", [{"x": float("nan")}, {"x": object()}])
def test_details_are_json(details: dict[str, Any]) -> None:
    """What cannot be stored as JSON is refused before it is sent."""
    with pytest.raises(InvalidError, match="JSON"):
        NewEntry(date(2026, 11, 22), "", [NewPosting(1, 1), NewPosting(2, -1)], details=details)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", 5, b"bytes"])
def test_text_that_cannot_be_stored_is_refused(text: Any) -> None:
    """Zero characters and halves of surrogate pairs have no place in a database's text."""
    with pytest.raises(InvalidError, match="description"):
        NewEntry(date(2026, 11, 22), text, [NewPosting(1, 1), NewPosting(2, -1)])
    with pytest.raises(InvalidError, match="memo"):
        NewPosting(1, 1, text)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "\\\x00"])
def test_details_with_text_that_cannot_be_stored_are_refused(text: str) -> None:
    """The same holds inside of JSON, in keys and values."""
    for details in ({"x": [text]}, {text: 1}):
        with pytest.raises(InvalidError, match="details"):
            NewEntry(date(2026, 11, 22), "", [NewPosting(1, 1), NewPosting(2, -1)], details=details)


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\U0001f4b6", "u0000"])
def test_details_may_speak_of_a_zero_character(text: str) -> None:
    """A backslash that is itself written is no escape."""
    NewEntry(date(2026, 11, 22), "", [NewPosting(1, 1), NewPosting(2, -1)], details={"x": text})


@pytest.mark.parametrize("account", ["Assets:Checking", None, 1.0, True])
def test_posting_takes_an_account_or_its_id(account: Any) -> None:
    """A name is looked up first: one name may hold several currencies."""
    with pytest.raises(InvalidError, match="give an Account or its id"):
        NewPosting(account, 1)


def test_postings_are_postings() -> None:
    """A pair is not one."""
    pairs: Any = [(1, 1), (2, -1)]

    with pytest.raises(InvalidError, match="NewPosting"):
        NewEntry(date(2026, 11, 22), "", pairs)
