"""The family and the loss of a graph, written into it as metadata.

The loss that trained the network is also the one in its score. With facts that name another loss,
a graph would be scored, explained and fine-tuned wrongly, and no number would show it.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto
from onnx.helper import set_model_props

from pipeline.detector.models.fitted import Facts
from pipeline.errors import BundleError

_FAMILY, _LOSS = "plimsoll.family", "plimsoll.loss"


def metadata_of(family: str, loss: str) -> dict[str, str]:
    """The metadata of a graph."""
    return {_FAMILY: family, _LOSS: loss}


def with_metadata(graph: bytes, metadata: Mapping[str, str]) -> bytes:
    """The serialised `graph` with `metadata` in it, and no other."""
    model = ModelProto.FromString(graph)
    set_model_props(model, dict(sorted(metadata.items())))
    serialised: bytes = model.SerializeToString()
    return serialised


def refuse_other_metadata(facts: Facts, metadata: Mapping[str, str]) -> None:
    """Refuse a graph of another family or loss than the facts name.

    Raises:
        BundleError: graph, facts and settings disagree, or the graph has no metadata.
    """
    for what, stated, wanted in (
        ("family in the graph", metadata.get(_FAMILY), facts.family),
        ("loss in the graph", metadata.get(_LOSS), facts.loss),
        ("loss in the settings", facts.settings.get("loss"), facts.loss),
    ):
        if stated != wanted:
            msg = (
                f"The {what} is {stated!r}, and the facts of the fit say {wanted!r}; both must be "
                "the same, as the loss of the training is that of the score. The parts are of "
                "different fits: fetch the bundle again, or fit again."
            )
            raise BundleError(msg)
