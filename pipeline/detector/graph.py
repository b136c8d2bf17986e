"""The ONNX graph at work. Calibration, evaluation, batch and online scoring all go through here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from pipeline.detector.scored import Rows, WindowScores
from pipeline.errors import BundleError

INPUT = "features"
SCORE, FEATURE_ERROR, RECONSTRUCTION = "score", "feature_error", "reconstruction"

CHUNK = 1024
"""Rows a call: the hidden layers of a chunk stay in the processor's cache."""


class Graph:
    """A loaded graph; rows of shape (n, window * d) in, raw and finite.

    Threads share out whole chunks, each computed by one: twice as fast as sharing every product of
    so small a network, and the answers do not depend on how many there are.
    """

    def __init__(self, model: bytes, *, threads: int = 2) -> None:
        self._threads = threads
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            (takes,) = self._session.get_inputs()
            self.inputs = int(takes.shape[1])
            gives = {output.name for output in self._session.get_outputs()}
            metadata = self._session.get_modelmeta().custom_metadata_map
        except Exception as error:  # onnxruntime's errors share no base class of their own
            msg = (
                f"The model graph ({len(model):,} bytes) cannot be loaded ({str(error)[:300]}). "
                "Fit it again."
            )
            raise BundleError(msg) from error
        if takes.name != INPUT or not {SCORE, FEATURE_ERROR, RECONSTRUCTION} <= gives:
            msg = (
                f"The model graph takes {takes.name[:40]}, gives {', '.join(sorted(gives))[:99]}; "
                f"it must take {INPUT} and give {SCORE}, {FEATURE_ERROR} and {RECONSTRUCTION}. "
                "Fit it again."
            )
            raise BundleError(msg)
        self.marks: dict[str, str] = dict(metadata)
        """What the graph says of itself (`pipeline.detector.onnx_metadata`)."""

    def score(self, rows: Rows) -> WindowScores:
        """Score and per-feature error of each row."""
        score, error = self._run([SCORE, FEATURE_ERROR], rows)
        return WindowScores(score, error)

    def reconstruct(self, rows: Rows) -> Rows:
        """What the network makes of each row, in the rows' own units: mean over its members."""
        return self._run([RECONSTRUCTION], rows)[0]

    def _run(self, outputs: list[str], rows: Rows) -> list[NDArray[np.float32]]:
        def chunk(first: int) -> list[NDArray[np.float32]]:
            part = np.ascontiguousarray(rows[first : first + CHUNK])
            answers: list[NDArray[np.float32]] = self._session.run(outputs, {INPUT: part})
            return answers

        if len(rows) <= CHUNK:
            return chunk(0)
        firsts = range(0, len(rows), CHUNK)
        if self._threads == 1:
            chunks = list(map(chunk, firsts))
        else:
            # Made for each call: a pool that outlived it would not survive a fork.
            with ThreadPoolExecutor(self._threads) as pool:
                chunks = list(pool.map(chunk, firsts))
        return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]
