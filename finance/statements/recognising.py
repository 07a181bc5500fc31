"""What a file is that is not a bank statement, so that the error can say it."""

from __future__ import annotations

_SIGNATURES = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
)

_BEGINNINGS = (
    ("ofxheader", "the header of an OFX file without its content"),
    (":20:", "a part of an MT940 statement, which names no account (:25:)"),
    ("{1:", "a SWIFT message other than MT940 and MT942"),
    ("{", "a JSON document"),
    ("[", "a JSON document"),
)


_TABLE = "a table (CSV)"


def describe(data: bytes) -> str:
    """Say in one line what *data* is instead of a statement, and what to do about it."""
    if not data.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        return "the file is empty"
    kind = _kind(data)
    if kind == _TABLE:
        return (
            f"this is {kind}, and reading it needs a profile: `finance profile FILE > bank.toml`, or propose_profile(),"
            " proposes one; look at it, then give it as --profile bank.toml or profile="
        )
    return f"this is {kind}; export the statement as OFX, QFX, MT940 or CAMT"


def foreign(data: bytes) -> str | None:
    """Name the other kind of file that *data* is for certain; None for text that may be a statement."""
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    before_ofx = _beginning(data).split("<ofx")[0]
    if "<html" in before_ofx or "<!doctype html" in before_ofx:
        return "a web page, perhaps the bank's login page"
    return None


def _kind(data: bytes) -> str:
    if kind := foreign(data):
        return kind
    if b"\x00" in data:
        return "a binary file"
    beginning = _beginning(data)
    if beginning.startswith("<?xml"):
        return "an ISO 20022 message other than CAMT" if "iso:20022" in beginning else "an XML document of another kind"
    for start, kind in _BEGINNINGS:
        if beginning.startswith(start):
            return kind
    return _TABLE if _is_table(beginning) else "not a bank statement of a known format"


def _beginning(data: bytes) -> str:
    return data[:4096].removeprefix(b"\xef\xbb\xbf").decode("latin-1").lstrip().lower()


def _is_table(beginning: str) -> bool:
    lines = [line for line in beginning.splitlines() if line.strip()][:2]
    columns = ([line.count(mark) for line in lines] for mark in ",;\t")
    return len(lines) > 1 and any(counts[0] > 0 and counts[0] == counts[1] for counts in columns)
