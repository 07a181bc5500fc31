"""Whether everything that the text of an OFX file holds was read: a second count, on the text itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

from finance.statements.flaw import FlawError
from finance.statements.ofx.markup import SECURITY
from finance.statements.statement import Statement

_TAG = re.compile(r"<([A-Z][A-Z0-9]*)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_LIST = re.compile(r"</?(?:BANKTRANLIST|INVTRANLIST)\s*/?>", re.IGNORECASE)
_STATEMENTS = ("STMTRS", "CCSTMTRS", "INVSTMTRS")


def check_complete(text: str, statements: Collection[Statement]) -> None:
    """Compare the *statements* that were read, and their lines, with the tags in *text*.

    It looks for tags only, so that it shares no rule with the reading: a tag in a comment, or one in a list that
    belongs to no statement, is a difference, too.

    Raises:
        FlawError: A tag was not read as a line or a statement, or lines of a kind that cannot be read are there.
    """
    stated = _tags(text)
    if unknown := sorted(name for name in stated if name.endswith("STMTTRN") and name != "STMTTRN"):
        raise FlawError(f"the file holds <{unknown[0]}> lines, which cannot be read yet")
    _compare("STMTRS", sum(stated[name] for name in _STATEMENTS), len(statements))
    lines = [line for statement in statements for line in statement.lines]
    cash = sum(line.kind == "cash" for line in lines)
    listed = _tags("".join(_LIST.split(text)[1::2]))
    _compare("STMTTRN", stated["STMTTRN"], cash)
    _compare("TRNAMT", listed["TRNAMT"], cash)
    moved = Counter(line.type for line in lines if line.kind == "security")
    for name in {*listed, *moved}:
        if name and SECURITY.fullmatch(name):
            _compare(name, listed[name], moved[name])


def _tags(text: str) -> Counter[str]:
    return Counter(name.upper() for name in _TAG.findall(text))


def _compare(name: str, stated: int, read: int) -> None:
    if stated != read:
        raise FlawError(f"the text has {stated} <{name}>, but {read} could be read as part of a statement")
