"""Export of a scoring network as an ONNX graph, compared with the network on real rows."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from copy import deepcopy

import numpy as np
import torch

from pipeline.detector.bundle.graph import FEATURE_ERROR, INPUT, RECONSTRUCTION, SCORE, Graph
from pipeline.detector.bundle.graph_content import with_metadata
from pipeline.detector.inputs.scored import Rows
from pipeline.detector.training.network import ScoringNetwork
from pipeline.errors import BundleError

_AGREEMENT = 1e-4
_ROUNDING = 1e-9  # variances: the float32 rounding of a squared error that is really 0
_OF_ITS_OWN = 4.0  # times the float32 rounding of the network itself: the graph rounds likewise
_MOST = 1e-2  # a score rounded by more than this cannot be compared
_OPSET = 17


def export(network: ScoringNetwork, probe: Rows, metadata: Mapping[str, str]) -> bytes:
    """The graph of `network`: raw features in, score, feature error and reconstruction out.

    `metadata` is written into it.

    Raises:
        BundleError: graph and network disagree on the `probe` rows by more than rounding can
            explain. (The exporter is torch's older one, which needs no further package and takes
            0.04 s; this check covers its age.)
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecation of the older exporter, see above
        torch.onnx.export(
            network.eval(),
            (torch.from_numpy(probe[:2]),),
            buffer,  # type: ignore[arg-type]  # typed for the newer exporter; this one takes both
            dynamo=False,
            opset_version=_OPSET,
            input_names=[INPUT],
            output_names=[SCORE, FEATURE_ERROR, RECONSTRUCTION],
            dynamic_axes={n: {0: "n"} for n in (INPUT, SCORE, FEATURE_ERROR, RECONSTRUCTION)},
        )
    graph = with_metadata(buffer.getvalue(), metadata)
    refuse_disagreement(network, graph, probe)
    return graph


def refuse_disagreement(network: ScoringNetwork, graph: bytes, probe: Rows) -> None:
    """Refuse a graph that differs by more than 1e-4 of a score, or than rounding explains.

    A score is made of squared differences, so the score of a very normal row may be little more
    than rounding. The network in float64 shows how large the rounding is.

    Raises:
        BundleError: graph and network differ by more.
    """
    with torch.no_grad():
        expected = network(torch.from_numpy(probe)).score.numpy()
    served = Graph(graph, threads=1).score(probe).score
    usual = np.maximum(expected, np.median(expected)) + _ROUNDING / _AGREEMENT
    worst = float(np.max(np.abs(served - expected) / usual))
    if worst <= _AGREEMENT:
        return
    with torch.no_grad():
        exact = deepcopy(network).double()(torch.from_numpy(probe).double()).score.numpy()
    rounded = float(np.max(np.abs(expected - exact) / usual))
    limit = max(_AGREEMENT, min(_OF_ITS_OWN * rounded, _MOST))
    if not worst <= limit:
        msg = (
            f"The exported graph differs from the network by {worst:.1e} of the score; at most "
            f"{limit:.1e} is allowed, and rounding explains {rounded:.1e}. Check the versions of "
            "torch and onnxruntime."
        )
        raise BundleError(msg)
