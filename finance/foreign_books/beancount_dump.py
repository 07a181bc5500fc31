"""A program of its own, run by the Python that has beancount: it loads a journal and writes what is in it as JSON.

beancount is under the GPL (version 2 only), and `finance` is not: nothing of the package imports this, nor beancount.
It is started as a process, gets the name of a file, and writes one JSON object a line: first options and errors, then
directives in beancount's order. Amounts are strings. It needs nothing of `finance`, and runs on Python 3.9 or later.
"""
# ruff: noqa: PLC0415, PTH120 - whoever looks at this module without running it need not have beancount

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main(path: str) -> None:
    """Write the directives of the journal at *path*, or what beancount finds wrong with it."""
    # The first place that is looked at is the folder of this file, where another module is called beancount.
    sys.path[:] = [
        folder for folder in sys.path if os.path.realpath(folder) != os.path.dirname(os.path.realpath(__file__))
    ]
    from beancount import loader
    from beancount.parser import options as options_of

    entries, errors, options = loader.load_file(path)
    roots: Any = options_of.get_account_types
    _write(kind="options", roots=list(roots(options)), operating=options["operating_currency"])
    is_whole = True
    for error in errors:
        source = getattr(error, "source", None) or {}
        is_balance = type(error).__name__ == "BalanceError" and error.message.startswith("Balance failed")
        kind = "unbalanced" if is_balance else "error"
        is_whole = is_whole and is_balance
        _write(kind=kind, file=source.get("filename"), line=source.get("lineno"), message=str(error.message))
    for entry in entries if is_whole else ():  # what is wrong may lack anything
        meta = entry.meta
        said = _said(entry, options)
        _write(file=meta.get("filename"), line=meta.get("lineno"), on=entry.date.isoformat(), meta=_meta(meta), **said)


def _write(**row: Any) -> None:
    sys.stdout.write(json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=str) + "\n")


def _said(entry: Any, options: Any) -> dict[str, Any]:
    """Return what a directive says besides where and when."""
    kind = type(entry).__name__
    if kind == "Transaction":
        words = {"flag": entry.flag, "payee": entry.payee, "narration": entry.narration}
        links = {"tags": sorted(entry.tags or ()), "links": sorted(entry.links or ())}
        return {"kind": "entry", **words, **links, "postings": [_posting(each) for each in entry.postings]}
    if kind == "Balance":
        return {"kind": "balance", "account": entry.account, "tolerance": _tolerance(entry, options)} | _amount(
            entry.amount
        )
    if kind == "Price":
        return {"kind": "price", "currency": entry.currency, **_amount(entry.amount)}
    if kind in ("Open", "Close"):
        return {"kind": kind.lower(), "account": entry.account, "currencies": getattr(entry, "currencies", None) or []}
    return {"kind": "commodity", "currency": entry.currency} if kind == "Commodity" else {"kind": "other", "what": kind}


def _amount(amount: Any) -> dict[str, str]:
    return {"number": str(amount.number), "in": amount.currency}


def _posting(posting: Any) -> dict[str, Any]:
    from beancount.core import convert

    weight: Any = convert.get_weight
    cost, price = posting.cost, posting.price
    row = {"account": posting.account, **_amount(posting.units), "meta": _meta(posting.meta)}
    if (posting.meta or {}).get("__automatic__"):
        row["computed"] = True
    lot = {}
    if cost is not None:
        lot = {"cost": f"{cost.number} {cost.currency}", "on": cost.date.isoformat()}
        if cost.label:
            lot["label"] = cost.label
    if price is not None:
        lot["price"] = f"{price.number} {price.currency}"
    return {**row, "lot": lot, "weight": _amount(weight(posting))} if lot else row


def _meta(meta: Any) -> dict[str, Any]:
    """Return what the user has written, without what beancount adds."""
    return {
        key: value if isinstance(value, (str, bool)) or value is None else str(value)
        for key, value in (meta or {}).items()
        if key not in ("filename", "lineno") and not key.startswith("__")
    }


def _tolerance(entry: Any, options: Any) -> str:
    from beancount.ops import balance

    tolerance: Any = balance.get_balance_tolerance
    return str(tolerance(entry, options))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="strict")  # type: ignore[union-attr]
    main(sys.argv[1])
