"""Settings of the family `isolation_forest`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config.model.fitted import Fitted


class IsolationForestModel(Fitted):
    """Random trees in which odd rows are isolated early, for comparison.

    `pipeline/detector/models/isolation_forest.py` has the rule. The section `score` does not apply:
    the score is the forest's own, between 0 and 1.
    """

    family: Literal["isolation_forest"] = "isolation_forest"
    loss: Literal["mse"] = Field("mse", description="Unused: a forest reconstructs nothing.")
    trees: int = Field(100, ge=1, le=2000, description="More make the score smoother and slower.")
    samples: int = Field(
        256,
        ge=2,
        le=65_536,
        description="Rows that each tree is grown on; its depth is log2 of it.",
    )
