"""Which form a GnuCash file has, and reading it."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

from finance.errors import BooksFileError
from finance.foreign_books.books import Books
from finance.foreign_books.gnucash.sqlite import SIGNATURE, read_sqlite
from finance.foreign_books.gnucash.xml import is_gnucash_xml, read_xml

_GZIP = b"\x1f\x8b"
#: Bytes of the XML: a hundred thousand transactions.
LARGEST = 256 * 1024 * 1024


def is_gnucash(head: bytes) -> bool:
    """Tell by its first 4,096 bytes whether a file is one of GnuCash's, or compressed, or a database."""
    return head.startswith((SIGNATURE, _GZIP)) or is_gnucash_xml(head)


def read_gnucash(path: Path, *, timeout: float) -> Books:
    """Read the books in the file at *path*.

    Raises:
        BooksFileError: It is damaged, or no file of GnuCash.
        ConfigurationError: It is XML, and the extra `statements` is not installed.
    """
    with path.open("rb") as file:
        data = file.read(LARGEST + 1) if (head := file.peek(len(SIGNATURE)))[:16] != SIGNATURE else b""
    if head.startswith(SIGNATURE):
        return read_sqlite(path, timeout=timeout)
    if data.startswith(_GZIP):
        data = _expanded(data, path.name)
    if len(data) > LARGEST:
        raise BooksFileError(path.name, f"the file has more than {LARGEST:,} bytes; save it as SQLite in GnuCash")
    if not is_gnucash_xml(data[:4096]):
        raise BooksFileError(path.name, "this is no file of GnuCash")
    return read_xml(data, path.name)


def _expanded(data: bytes, file: str) -> bytes:
    """Return what is compressed in *data*, and no more than a byte above the limit of it."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as expanded:
            return expanded.read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BooksFileError(file, "the compressed file is damaged or cut off") from error
