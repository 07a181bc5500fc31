"""Every rule of the database has a name, and every name has its error."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

from finance.integrity import BY_CONSTRAINT
from finance.models import Base, guards
from tests.attacks.victim import Victim

# These are told by their SQLSTATE alone: "this ... exists already".
_TABLES = Base.metadata.tables.values()
_KEYS = {
    str(constraint.name)
    for table in _TABLES
    for constraint in table.constraints
    if isinstance(constraint, (PrimaryKeyConstraint, UniqueConstraint))
}
_DECLARED = {str(constraint.name) for table in _TABLES for constraint in table.constraints}
_INDEXES = {str(index.name) for table in _TABLES for index in table.indexes if index.unique}


def _raised() -> set[str]:
    """Return the names of the rules that the guards raise."""
    names: set[str] = set()
    for function in guards.FUNCTIONS:
        names.update(re.findall(r"(?:CONSTRAINT |rule :)= '(\w+)'(?! \|\|)", guards.source(function)))
    for trigger in guards.TRIGGERS:
        if removed := re.search(r"guard_removal\('(\w+)'\)", trigger.action):
            names.add(f"ck_{removed[1]}_not_removed")
        elif argument := re.search(r"\('(ck_\w+)'\)", trigger.action):
            names.add(argument[1])
    return names


def test_every_rule_has_its_error() -> None:
    """Constraints of the tables and those that the guards raise are all mapped; keys may do without."""
    assert (_DECLARED | _INDEXES | _raised()) - _KEYS - set(BY_CONSTRAINT) == set()


def test_every_mapped_name_is_a_rule() -> None:
    """A name that nothing raises is a name that was misspelt."""
    assert set(BY_CONSTRAINT) - _DECLARED - _INDEXES - _raised() == set()


def test_no_name_is_longer_than_postgresql_keeps() -> None:
    """Longer names are cut in silence, and then found by nobody."""
    names = _DECLARED | _INDEXES | _raised() | {trigger.name for trigger in guards.TRIGGERS} | set(guards.FUNCTIONS)
    assert max(map(len, names)) <= 63


@pytest.mark.parametrize("name", sorted(BY_CONSTRAINT))
def test_an_error_is_made_without_any_detail(name: str) -> None:
    """A trigger of somebody else may raise the same name without the guards' DETAIL."""
    assert str(BY_CONSTRAINT[name]({}))


async def test_the_database_has_exactly_the_declared_rules(steady: Victim) -> None:
    """What the revisions build has the names that the errors are made from."""
    rows = await steady.db.fetch(
        "SELECT conname AS name FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN"
        " ('c', 'f', 'p', 'u') UNION SELECT indexrelid::regclass::text FROM pg_index WHERE indisunique AND"
        " indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
    )
    found = {row["name"] for row in rows} - {"finance_version_pkc"}

    assert found == _DECLARED | _INDEXES
