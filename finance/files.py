"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from finance.errors import InvalidError


@contextlib.contextmanager
def whole_file(output: Path) -> Iterator[BinaryIO]:
    """Lend a file beside *output*, readable by its owner only, which takes that name when the block ends well.

    What had the name before is replaced then, and stays as it is when the block fails.

    Raises:
        InvalidError: It cannot be written there.
    """
    part = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{output.name[:100]}-", dir=output.parent)
        part = Path(name)
        with os.fdopen(handle, "wb") as file:
            yield file
        part.replace(output)
    except OSError as error:
        raise InvalidError(f"{output}: the file cannot be written: {error.strerror or error}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
