"""Events, as the tests of messaging make them."""

from integration.messaging.conftest import requested

__all__ = ["requested"]
