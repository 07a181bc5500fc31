"""One laboratory for all scenarios: a server of its own, which they may kill."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from benchmarks.chaos.lab import Books, Lab, laboratory
from benchmarks.chaos.proxy import Proxy

#: Replays the random choices of a run: each failure tells the seed that it had.
SEED = int(os.environ.get("FINANCE_CHAOS_SEED", random.randrange(10**6)))


@pytest_asyncio.fixture(scope="session")
async def lab() -> AsyncIterator[Lab]:
    """The short form of everything."""
    async with laboratory(seed=SEED, is_short=True) as lab:
        yield lab


@pytest_asyncio.fixture
async def network(lab: Lab) -> AsyncIterator[Proxy]:
    """A network to the laboratory's server."""
    async with lab.network() as network:
        yield network


@pytest_asyncio.fixture
async def books(lab: Lab, request: pytest.FixtureRequest) -> AsyncIterator[Books]:
    """A database with books of its own."""
    async with lab.books(request.node.name) as books:
        yield books


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Leave out what asyncio says of connections that the driver has given up: there are hundreds."""
    logger = logging.getLogger("asyncio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)
