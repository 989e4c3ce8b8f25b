"""Texts that a database might take for something else."""

from typing import Final

__all__ = ["AWKWARD_TEXTS"]

AWKWARD_TEXTS: Final = (
    "",
    "null",
    "$ne",
    "$where",
    "a.b.$c",
    '{"$ne": null}',
    "'; DROP TABLE accounts; --",
    "%_.*(?i)^$",
    "nul\x00inside",
    "Ünïcødé ピアノ 🎹",
    "é and e\u0301",
    "\u202eright to left",
    "x" * 100_000,
)
