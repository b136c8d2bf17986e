"""The bundle: one folder with all that a detector needs to score, and the hashes to verify it.

::

    model.onnx           scaler, network and score: features in; score, feature error out
    weights.safetensors  for fine-tuning
    detector.json        its description: schema, settings, threshold, provenance
    golden.parquet       rows and the scores that they must get
    reference.parquet    normal rows and scores to measure drift against
    trained.parquet      of a recalibrated threshold: the reference of the training
    accepted.parquet     where a person has accepted a move since: the reference of that state
    SHA256SUMS           the hash of each of them

Nothing in it is pickled, and loading it needs neither torch nor pandas. The same fit, calibration
and provenance give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline.detector.bundle.coherence import (
    refuse_blind,
    refuse_incoherent,
    refuse_other_scaler,
    refuse_other_shape,
)
from pipeline.detector.bundle.description import (
    SCHEMA_VERSION,
    Description,
    Provenance,
    read_description,
    write_description,
)
from pipeline.detector.bundle.graph import Graph
from pipeline.detector.bundle.graph_content import content_of, refuse_beyond, refuse_other_metadata
from pipeline.detector.bundle.lineage import Lineage
from pipeline.detector.bundle.parts import refuse_incomplete
from pipeline.detector.bundle.sums import verify_sums, write_sums
from pipeline.detector.bundle.threshold_range import refuse_threshold
from pipeline.detector.calibration.calibrated import (
    REFERENCE_FILE,
    TRAINED_FILE,
    Calibration,
    read_accepted,
    read_golden,
    read_reference,
    read_scores,
    read_trained,
    write_rows,
)
from pipeline.detector.calibration.kept_rows import Reference, refuse_other_scores
from pipeline.detector.calibration.postprocessing import ScorePostprocessing
from pipeline.detector.inputs.inputs import refuse_empty, refuse_not_finite
from pipeline.detector.inputs.scaling import Ranges
from pipeline.detector.inputs.schema import Schema
from pipeline.detector.inputs.scored import Rows, WindowScores
from pipeline.detector.models.fitted import (
    GRAPH_FILE,
    FittedNetwork,
    read_network,
    read_part,
    write_network,
)
from pipeline.errors import BundleError, DataError
from pipeline.utc_day import ONE_DAY


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, ready to score.

    Attributes:
        folder: where its files are.
        digest: sha256 of its SHA256SUMS; names the bundle as a whole.
        description: the content of `detector.json`.
        graph: the loaded ONNX graph.
    """

    folder: Path
    digest: str
    description: Description
    graph: Graph

    @property
    def schema(self) -> Schema:
        """The input of the detector."""
        return self.description.network.schema

    @property
    def threshold(self) -> float:
        """The threshold: a row is flagged when its score is greater."""
        return self.description.threshold.value

    @property
    def postprocessing(self) -> ScorePostprocessing:
        """The postprocessing of the graph's scores before they are compared with the threshold."""
        return self.description.finish

    @property
    def reach(self) -> int:
        """Number of rows that a row's score depends on, the row itself included."""
        return self.schema.window + self.postprocessing.rows - 1

    @property
    def needs_timeline(self) -> bool:
        """True where rows need their time, and entity if there is one, to be scored."""
        return self.schema.window > 1 or self.postprocessing.needs_timeline

    def score(self, rows: Rows) -> WindowScores:
        """Raw scores of windows of shape (n, window * d), float32, in the units of the data.

        Neither smoothed nor divided by the factor of their context: the scores to compare with the
        threshold come from `pipeline.scoring`.

        Raises:
            DataError: another width, or a value that is not a finite number; a detector that
                takes missing values takes NaN, unless a row has no value that is judged.
        """
        features = self.schema.features * self.schema.window
        if rows.ndim != 2 or rows.shape[1] != len(features):  # noqa: PLR2004 - rows x inputs
            msg = (
                f"Got model inputs of shape {rows.shape}; (n, {len(features)}) is needed: "
                f"{self.schema.window} row(s) of {len(self.schema.features)} features each."
            )
            raise DataError(msg)
        missing = self.schema.takes_missing
        refuse_not_finite(rows, features, missing=missing)
        if missing:
            refuse_empty(rows, self.schema.judged * self.schema.window)
        return self.graph.score(rows)

    def reference(self) -> Reference:
        """The normal rows that drift is measured against; read from disk on each call."""
        return read_reference(self.folder, self.schema)

    def trained_reference(self) -> Reference:
        """The reference of the training, which no recalibration changes.

        The rows of a recalibration do not show how long normal rows stay above a threshold, because
        those that stayed longer were left out.
        """
        return read_trained(self.folder, self.schema)

    def accepted_reference(self) -> Reference:
        """The reference of the last accepted state: of the training, or of a person's answer.

        A recalibration that nobody had to answer does not change it.
        """
        accepted = read_accepted(self.folder, self.schema)
        return self.trained_reference() if accepted is None else accepted

    def answered_reference(self) -> Reference | None:
        """The reference of the last state that a person accepted; None where nobody has."""
        return read_accepted(self.folder, self.schema)

    def ranges(self) -> Ranges:
        """The range of each feature in training."""
        return self.description.network.ranges


def write_bundle(
    fitted: FittedNetwork,
    calibration: Calibration,
    folder: Path,
    *,
    name: str,
    provenance: Provenance,
    lineage: Lineage | None = None,
) -> str:
    """Write a bundle into `folder`, which must be empty or absent; returns its digest.

    Raises:
        BundleError: the folder holds something; a bundle is never changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if present := sorted(path.name for path in folder.iterdir()):
        msg = f"{folder}: holds {present[0]!r}; a bundle is never changed: give a new folder"
        raise BundleError(msg)
    write_network(fitted, folder)
    write_rows(calibration, fitted.facts.schema, folder)
    description = Description(
        schema_version=SCHEMA_VERSION,
        name=name,
        network=fitted.facts,
        threshold=calibration.threshold,
        calibration=calibration.summary,
        provenance=provenance,
        finish=calibration.postprocessing,
        lineage=lineage,
        golden_rows=len(calibration.golden.score),
    )
    write_description(description, folder)
    return write_sums(folder)


def load_bundle(folder: Path, *, threads: int = 2) -> Bundle:
    """The bundle in `folder`, after every part of it has been verified.

    The hashes show that nothing changed by accident. Whoever changes a part can also rewrite the
    hashes, so the parts are compared with each other too: an accepted bundle scores as it was
    trained to, with a threshold that its calibration scores allow. Only the ledger can say who
    made it.

    Raises:
        BundleError: a file is absent, added or changed; another schema version; parts that do not
            fit each other; a threshold or golden rows that no calibration gives; or this machine
            gives the golden rows other scores.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder; give a bundle that `fit` has written"
        raise BundleError(msg)
    digest = verify_sums(folder)
    refuse_incomplete(folder)
    description = read_description(folder)
    refuse_incomplete(folder, recalibrated=description.lineage is not None)
    refuse_incoherent(description)
    bundle = Bundle(folder, digest, description, _graph(folder, description, threads))
    _refuse_other_rows(bundle)
    return bundle


def _graph(folder: Path, description: Description, threads: int) -> Graph:
    model = read_part(folder, GRAPH_FILE)
    content = content_of(model)
    refuse_beyond(content)
    graph = Graph(model, threads=threads)
    refuse_other_metadata(description.network, graph.metadata)
    refuse_other_shape(description.network.schema, graph.inputs)
    refuse_other_scaler(description.network, content.floats)
    return graph


def _refuse_other_rows(bundle: Bundle) -> None:
    """Compare the threshold and the graph with the rows that the bundle keeps."""
    recalibrated = bundle.description.lineage is not None
    reference = read_scores(bundle.folder, bundle.schema, REFERENCE_FILE)
    trained = read_scores(bundle.folder, bundle.schema, TRAINED_FILE) if recalibrated else reference
    golden = read_golden(bundle.folder, bundle.schema)
    refuse_threshold(bundle.description, reference)
    refuse_blind(golden, bundle.description, len(trained))
    try:
        given = bundle.graph.score(golden.rows)
    except Exception as error:  # onnxruntime's errors share no base class of their own
        msg = (
            f"{bundle.folder / GRAPH_FILE}: cannot score the golden rows ({str(error)[:300]}). It "
            "was damaged or changed after the fit: fetch the bundle again, or fit again."
        )
        raise BundleError(msg) from error
    refuse_other_scores(golden, given.score)


def fitted_of(bundle: Bundle) -> FittedNetwork:
    """The network inside a bundle: to recalibrate it, or to fine-tune it."""
    return read_network(bundle.description.network, bundle.folder)


def knows_until(bundle: Bundle) -> date:
    """The first day after the data of the bundle; `date.min` where the bundle does not say.

    The data of a recalibrated bundle include its recalibration window.
    """
    data = bundle.description.provenance.data
    if as_of := data.get("as_of"):
        return date.fromisoformat(str(as_of)[:10])
    if last := data.get("last_day"):
        return date.fromisoformat(str(last)[:10]) + ONE_DAY
    return date.min
