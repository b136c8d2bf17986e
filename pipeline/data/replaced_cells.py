"""Cells of shifted channels that no training sees, though their rows train: the record of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReplacedCells:
    """What took the place of the cells that open shifts are about.

    Attributes:
        cells: how many: the channels' own values and what is derived from them.
        rows: how many rows they are in.
        channels: the shifted channels, sorted.
        version: the version whose network filled the cells in; None: they are missing values.
        bundle_sha256: digest of its bundle; empty likewise.
    """

    cells: int
    rows: int
    channels: tuple[str, ...]
    version: int | None = None
    bundle_sha256: str = ""


def replaced_sentence(replaced: ReplacedCells) -> str:
    """One sentence for cards: which cells, how many, and what stands in their place."""
    instead = (
        "are missing values"
        if replaced.version is None
        else f"hold what version {replaced.version} expects there"
    )
    return (
        f"Of {replaced.rows:,} rows in open shifts ({', '.join(replaced.channels)}) only the "
        f"{replaced.cells:,} cells of the shifted channel are left out: they {instead}."
    )
