"""A lease of the embedded server, where that is the source of connections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from finance.settings import ConnectionSource

if TYPE_CHECKING:
    from finance.embedded import EmbeddedServer


@dataclass(frozen=True, slots=True)
class EmbeddedLease:
    """A running embedded server, and the source that says how to reach it."""

    server: EmbeddedServer
    source: ConnectionSource

    @classmethod
    async def take(cls, source: ConnectionSource) -> Self:
        """Start the server that *source* stands for, or share the one that runs.

        Raises:
            EmbeddedServerError: It cannot run here.
        """
        from finance.embedded import EmbeddedServer  # noqa: PLC0415 - few need it

        server = EmbeddedServer(source.data_dir)
        await server.start()
        return cls(server, replace(source, dsn=server.dsn(), address=f"embedded server in {server.data_dir}"))

    async def release(self) -> None:
        """Give it back; the last one to do so stops it."""
        await self.server.stop()
