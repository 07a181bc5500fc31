"""What the pool has done and is doing, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolStats:
    """The pool at one instant. Counts and times are sums since `connect()`; times are in seconds.

    Attributes:
        max_size: Connections that it never exceeds.
        size: Connections that are open.
        idle: Of these, those that wait for a user.
        in_use: Of these, those that somebody uses.
        restoring: Of these, those that are made as good as new, or asked for a sign of life.
        connecting: Connections that are being made.
        waiting: Callers that wait for a connection.
        acquires: Connections that were handed out.
        acquire_seconds: How long callers waited for them.
        use_seconds: How long they were in use.
        timeouts: Callers that waited in vain.
        connects: Connections that were made.
        connect_errors: Attempts that failed.
        lost: Connections that died in use or at rest.
        retries: Times that `db.run()` ran its function, or the fast lane posted a group, again.
        statements: Statements that were run.
        errors: Of these, those that failed.
    """

    max_size: int
    size: int
    idle: int
    in_use: int
    restoring: int
    connecting: int
    waiting: int
    acquires: int
    acquire_seconds: float
    use_seconds: float
    timeouts: int
    connects: int
    connect_errors: int
    lost: int
    retries: int
    statements: int
    errors: int


@dataclass(slots=True)
class Counts:
    """What the pool counts as it goes."""

    acquires: int = 0
    acquire_seconds: float = 0.0
    use_seconds: float = 0.0
    timeouts: int = 0
    connects: int = 0
    connect_errors: int = 0
    lost: int = 0
