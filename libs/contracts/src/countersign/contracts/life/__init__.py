"""The life of a promotion: one pure function that every projection folds its events with.

An event that comes twice, late, or for an attempt that is over changes nothing.
"""

from countersign.contracts.life.folding import advance

__all__ = ["advance"]
