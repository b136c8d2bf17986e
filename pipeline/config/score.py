"""Section `score`: how a reconstruction becomes one number for each row."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.section import Section, kind_unless_named


class ReconstructionScore(Section):
    """The distance of a row from its reconstruction: for rows that have a time.

    It is valid in a season that was not trained on; the distance to training rows is not.
    """

    kind: Literal["reconstruction"] = "reconstruction"
    error: Literal["plain", "standardised", "mahalanobis"] = Field(
        "standardised",
        description="plain: the mean loss; standardised: each feature is measured in its own usual "
        "error, so that one which is reconstructed well can alarm by itself; mahalanobis: the "
        "residuals are measured together, in what they usually do together (mse only).",
    )
    cap: float | None = Field(
        None, gt=0, description="Soft limit of one feature's error, so that none drowns the rest."
    )


class MemoryScore(Section):
    """Distance to the nearest remembered normal rows: for rows without time, in any order.

    `rows` trades quality for speed. On 21 sets of ADBench with up to 9,000 normal rows (one seed;
    ROC-AUC / average precision in %; rows per CPU-second of one core at 50 features, a matrix
    product reaching 101 GFLOP/s at best; the network alone: 262,000):

    ======  ===========  =======
    rows    quality      speed
    ======  ===========  =======
    500     83.7 / 67.5  190,000
    1,000   83.8 / 67.5  148,000
    2,000   84.1 / 67.8  103,000
    4,000   84.2 / 68.1   58,000
    all     84.2 / 68.2   29,000
    ======  ===========  =======

    Distances between rows that float32 cannot distinguish (one feature with a long tail, columns
    with the same content) are computed in float64, at half the speed; `fit` detects that.

    Fewer rows also reveal less about single rows: means of several rows are stored where
    there are more rows than places, but a row far from all others stays a place of its own.
    """

    kind: Literal["memory"] = "memory"
    rows: int = Field(
        2000,
        ge=10,
        le=100_000,
        description="Places that the bundle remembers: normal rows as they are or, where there are "
        "more rows than this, means of them. Fewer are faster and a little less accurate.",
    )
    neighbours: int = Field(
        2,
        ge=1,
        le=50,
        description="Nearest rows whose squared distances are averaged; a mean of several rows "
        "counts for all of them.",
    )
    residual: float = Field(
        0.3, ge=0, description="Weight of the network's residual beside the row itself; 0: none."
    )


Score = Annotated[
    ReconstructionScore | MemoryScore,
    Field(discriminator="kind"),
    kind_unless_named("kind", "reconstruction"),
]
