"""Arrow tables and batches as files: Parquet, and Arrow's own format."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from finance.errors import InvalidError
from finance.extras import library
from finance.files import whole_file
from finance.frames.columns import arrow
from finance.frames.postings import PostingBatches

if TYPE_CHECKING:
    import pyarrow


def _parquet(file: BinaryIO, schema: Any) -> Any:
    return library("pyarrow.parquet", "dataframe", "a Parquet file").ParquetWriter(file, schema)


def _ipc(file: BinaryIO, schema: Any) -> Any:
    return arrow().ipc.new_file(file, schema)


_WRITERS: dict[str, Callable[[BinaryIO, Any], Any]] = {".parquet": _parquet, ".arrow": _ipc}
#: What the name of a file may end with.
SUFFIXES = tuple(_WRITERS)


def save_table(table: pyarrow.Table, path: str | Path) -> int:
    """Write *table* to the file *path*, whole or not at all, and return how many bytes that are.

    A file of that name is replaced.

    Raises:
        InvalidError: The name ends with neither ".parquet" nor ".arrow", or the file cannot be written.
        ConfigurationError: The extra `dataframe` is not installed.
    """
    path = Path(path)
    writer = _writer(path)
    with whole_file(path) as file:
        with writer(file, table.schema) as to:
            to.write_table(table)
        return file.tell()


async def save_postings(batches: PostingBatches, path: str | Path) -> int:
    """Write *batches* as `save_table()` writes a table, one at a time.

    Raises:
        InvalidError: As `save_table()`.
        ConfigurationError: As `save_table()`.
    """
    path = Path(path)
    writer = _writer(path)
    with whole_file(path) as file:
        with writer(file, batches.schema) as to:
            async for batch in batches:
                to.write_batch(batch)
        return file.tell()


def _writer(path: Path) -> Callable[[BinaryIO, Any], Any]:
    try:
        return _WRITERS[path.suffix.lower()]
    except KeyError:
        raise InvalidError(
            f"{path}: a table's name ends with {' or '.join(SUFFIXES)}, not with {path.suffix!r}"
        ) from None
