"""From a path to books: which program they are of, and what reads them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, get_args

from finance.errors import BooksFileError, InvalidError
from finance.exports import is_export
from finance.foreign_books.beancount import read_beancount
from finance.foreign_books.books import Books
from finance.foreign_books.gnucash import is_gnucash, read_gnucash
from finance.foreign_books.hledger import read_hledger
from finance.foreign_books.ledger import read_ledger

#: A program whose books are read.
Program: TypeAlias = Literal["gnucash", "beancount", "hledger", "ledger"]
#: Seconds that a program has for a file, unless the caller says otherwise: beancount takes six for forty years.
TIMEOUT = 120.0
#: The largest file that is read, in bytes; what a journal includes is not counted.
LARGEST = 256 * 1024 * 1024


class _Reader(Protocol):
    def __call__(self, path: Path, *, timeout: float) -> Books: ...


_READERS: dict[Program, _Reader] = {
    "gnucash": read_gnucash,
    "beancount": read_beancount,
    "hledger": read_hledger,
    "ledger": read_ledger,
}
# Journals are text of one kind: only the name says whose.
_ENDINGS: dict[str, Program] = {
    ".gnucash": "gnucash",
    ".beancount": "beancount",
    ".bean": "beancount",
    ".journal": "hledger",
    ".hledger": "hledger",
    ".j": "hledger",
    ".ledger": "ledger",
    ".ldg": "ledger",
    ".dat": "ledger",
}


def read_books(path: str | os.PathLike[str], program: Program | None = None, *, timeout: float = TIMEOUT) -> Books:
    """Read whole books of another program: values, no database.

    GnuCash's files (SQLite, and XML, compressed or not) are read here. Journals are read by their own programs, which
    have to be installed: `beancount`, `hledger` or `ledger`. Nothing is written, beside the file or elsewhere.

    It blocks: call it with `asyncio.to_thread` inside an event loop.

    Args:
        path: Of the file; of a journal that includes others, the main one.
        program: Whose they are; told by the content (GnuCash) or the ending of the name unless given.
        timeout: Seconds that another program may take.

    Raises:
        BooksFileError: The file cannot be read, or its program complains about it; with the line where it says one.
        ProgramMissingError: The program that has to read it is not installed.
        InvalidError: Nothing says whose books they are, or they were exported here.
        ConfigurationError: They are GnuCash's XML, and the extra `statements` is not installed.
    """
    path = Path(path)
    head = _head(path)
    chosen = program or _told(path, head)
    if chosen is None and is_export(head):
        raise InvalidError(
            f"{path.name}: an export of ours, which finance.exports.load_beancount() brings back as it was;"
            " program='beancount' reads it as any journal of beancount"
        )
    if chosen is None:
        raise InvalidError(
            f"{path.name}: nothing says whose books these are: name one of {', '.join(get_args(Program))}"
        )
    if chosen not in _READERS:
        raise InvalidError(f"program {chosen!r}: one of {', '.join(get_args(Program))}")
    try:
        return _READERS[chosen](path, timeout=timeout)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # Of a version that writes otherwise than those that are known.
        raise BooksFileError(
            path.name, f"what {chosen} says of it is not understood ({type(error).__name__})"
        ) from error


def program_of(path: str | os.PathLike[str]) -> Program | None:
    """Return whose books are in the file at *path*; None where nothing says it, and for an export of ours.

    Raises:
        BooksFileError: The file cannot be read.
    """
    return _told(Path(path), _head(Path(path)))


def _told(path: Path, head: bytes) -> Program | None:
    if is_export(head):
        return None
    return "gnucash" if is_gnucash(head) else _ENDINGS.get(path.suffix.lower())


def _head(path: Path) -> bytes:
    """Return the first 4,096 bytes of an ordinary file.

    Raises:
        BooksFileError: It is none, is empty, or is too large.
    """
    name = path.name or str(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # reading a pipe would wait, reading a device would never end
            raise BooksFileError(name, "this is not an ordinary file")
        if found.st_size > LARGEST:
            raise BooksFileError(name, f"the file has {found.st_size:,} bytes, more than {LARGEST:,}")
        with path.open("rb") as file:
            head = file.read(4096)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BooksFileError(name, f"the file cannot be read: {reason}") from error
    if not head:
        raise BooksFileError(name, "the file is empty")
    return head
