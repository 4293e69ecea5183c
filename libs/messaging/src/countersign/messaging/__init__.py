"""Countersign on NATS: topology, permissions, settling, projections, request/reply."""

import sys

# For websockets, which nobody here uses, nats-py imports aiohttp wherever it is installed: 18 MB
# in every service. It does without where it cannot.
if "aiohttp" not in sys.modules:
    sys.modules["aiohttp"] = None  # type: ignore[assignment]
    import nats.aio.transport  # noqa: F401

    del sys.modules["aiohttp"]
