"""The input of a detector: feature columns in order, their units, and the shape of windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a fifth of a second, which scoring rows does not need
    from pipeline.config import Columns, DetectorSpec, Window

UNKNOWN_UNIT = "unknown"


@dataclass(frozen=True)
class Offset:
    """A feature that is a raw column less a number, subtracted in float64.

    Attributes:
        feature: the model's input.
        column: the raw column.
        offset: the number.
    """

    feature: str
    column: str
    offset: float


@dataclass(frozen=True)
class Schema:
    """The input of one detector.

    Attributes:
        features: feature columns, in the order of the model's inputs.
        context: features that are read but not judged.
        units: unit of each feature; `1` is a pure number.
        window: number of rows in one model input.
        timestamp: time column; None when the rows have no time.
        entity: column that identifies the machine; None when there is only one.
        cadence_s: expected seconds between two rows of one entity; None without time.
        source_columns: the detector file's `schema` section, from which missing circular and
            derived features can be computed; None when the detector was fitted without a file.
        derivative: whether the network also sees the changes of features within a window.
        rolling: statistics over a window that it also sees.
        missing_cells: share of a row's features that validation allows to be missing (NaN); above
            0 the network takes rows with missing values.
        offsets: features that rows may also bring raw.
    """

    features: tuple[str, ...]
    context: tuple[str, ...]
    units: tuple[str, ...]
    window: int
    timestamp: str | None
    entity: str | None
    cadence_s: float | None
    source_columns: dict[str, Any] | None
    derivative: bool = False
    rolling: tuple[str, ...] = ()
    missing_cells: float = 0.0
    offsets: tuple[Offset, ...] = ()

    @property
    def judged(self) -> tuple[bool, ...]:
        """True for each feature whose error counts."""
        return tuple(name not in self.context for name in self.features)

    @property
    def takes_missing(self) -> bool:
        """Whether a feature may be missing (NaN)."""
        return self.missing_cells > 0

    @property
    def inputs(self) -> int:
        """Number of values in one model input."""
        return self.window * len(self.features)


def schema_for(spec: DetectorSpec) -> Schema:
    """The schema of the detector that a file describes."""
    return schema_of(spec.columns, spec.window, missing_cells=spec.validation.missing_cells)


def schema_of(columns: Columns, window: Window, *, missing_cells: float = 0.0) -> Schema:
    """The schema that a detector file asks for; `missing_cells` is that of its `validation`."""
    return Schema(
        features=columns.feature_columns,
        context=columns.context_columns,
        units=_units(columns),
        window=window.length,
        timestamp=columns.timestamp,
        entity=columns.entity,
        cadence_s=columns.cadence.total_seconds(),
        source_columns=columns.model_dump(mode="json"),
        derivative=window.derivative,
        rolling=window.rolling,
        missing_cells=missing_cells,
        offsets=tuple(
            Offset(columns.own_columns(name)[0], name, feature.offset)
            for name, feature in columns.features.items()
            if feature.offset
        ),
    )


def _units(columns: Columns) -> tuple[str, ...]:
    unit = dict.fromkeys(columns.feature_columns, "1")  # sine and cosine are pure numbers
    for name, feature in columns.features.items():
        if not feature.circular:
            unit |= {columns.own_columns(name)[0]: feature.unit}
    deviations = [name for derived in columns.derived for name in derived.of]
    unit |= {f"{name}_vs_peers": columns.features[name].unit for name in deviations}
    return tuple(unit[name] for name in columns.feature_columns)
