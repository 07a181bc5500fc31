"""Where a connection comes from, and which words say how it is made."""

from finance.settings.dsn import EMBEDDED
from finance.settings.options import SERVER_TIMEOUTS, Options, split_options
from finance.settings.parameters import quote_identifier
from finance.settings.source import ConnectArguments, ConnectionSource, resolve

__all__ = [
    "EMBEDDED",
    "SERVER_TIMEOUTS",
    "ConnectArguments",
    "ConnectionSource",
    "Options",
    "quote_identifier",
    "resolve",
    "split_options",
]
