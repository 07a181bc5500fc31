"""Books of GnuCash: a file of SQLite, or XML, plain or compressed."""

from finance.foreign_books.gnucash.content import is_gnucash, read_gnucash

__all__ = ["is_gnucash", "read_gnucash"]
