"""The ONNX graph at run time, for calibration, evaluation, batch and online scoring alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from pipeline.detector.inputs.scored import Rows, WindowScores
from pipeline.errors import BundleError

INPUT = "features"
SCORE, FEATURE_ERROR, RECONSTRUCTION = "score", "feature_error", "reconstruction"

CHUNK = 1024
"""Rows in one call: the hidden layers of a chunk stay in the processor's cache."""

_FULL = 16  # rows, of which CHUNK is a multiple: as many float32 as a register holds


class Graph:
    """A loaded graph; rows of shape (n, window * d) in, raw and finite.

    Each thread computes whole chunks: twice as fast as splitting every product of so small a
    network, and the scores do not depend on the number of threads.
    """

    def __init__(self, model: bytes, *, threads: int = 2) -> None:
        self._threads = threads
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            (features,) = self._session.get_inputs()
            self.inputs = int(features.shape[1])
            outputs = {output.name for output in self._session.get_outputs()}
            metadata = self._session.get_modelmeta().custom_metadata_map
        except Exception as error:  # onnxruntime's errors share no base class of their own
            msg = (
                f"The model graph ({len(model):,} bytes) cannot be loaded ({str(error)[:300]}). "
                "Fit it again."
            )
            raise BundleError(msg) from error
        if features.name != INPUT or not {SCORE, FEATURE_ERROR, RECONSTRUCTION} <= outputs:
            given = ", ".join(sorted(outputs))[:99]
            msg = (
                f"The model graph takes {features.name[:40]}, gives {given}; "
                f"it must take {INPUT} and give {SCORE}, {FEATURE_ERROR} and {RECONSTRUCTION}. "
                "Fit it again."
            )
            raise BundleError(msg)
        self.metadata: dict[str, str] = dict(metadata)
        """Metadata of the graph (`pipeline.detector.bundle.graph_content`)."""

    def score(self, rows: Rows) -> WindowScores:
        """Score and per-feature error of each row."""
        score, error = self._run([SCORE, FEATURE_ERROR], rows)
        return WindowScores(score, error)

    def reconstruct(self, rows: Rows) -> Rows:
        """Reconstruction of each row, in the rows' own units: mean over the members.

        It does not depend on the rows beside it, to the last bit: a single row is multiplied by
        other code than several, so the last chunk is filled up with copies of its last row.
        """
        more = np.repeat(rows[-1:], -len(rows) % _FULL, axis=0)
        padded = np.concatenate([rows, more]) if len(more) else rows
        return self._run([RECONSTRUCTION], padded)[0][: len(rows)]

    def _run(self, outputs: list[str], rows: Rows) -> list[NDArray[np.float32]]:
        def chunk(first: int) -> list[NDArray[np.float32]]:
            part = np.ascontiguousarray(rows[first : first + CHUNK])
            arrays: list[NDArray[np.float32]] = self._session.run(outputs, {INPUT: part})
            return arrays

        if len(rows) <= CHUNK:
            return chunk(0)
        firsts = range(0, len(rows), CHUNK)
        if self._threads == 1:
            chunks = list(map(chunk, firsts))
        else:
            # Created for each call: a pool that outlived the call would not survive a fork.
            with ThreadPoolExecutor(self._threads) as pool:
                chunks = list(pool.map(chunk, firsts))
        return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]
