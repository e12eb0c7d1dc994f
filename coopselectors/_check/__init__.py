"""Does it work here?  A real server, real clients and a ticker, in every runtime at hand."""

from ._rows import RUNTIMES, Row, check

__all__ = ["RUNTIMES", "Row", "check"]
