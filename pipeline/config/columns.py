"""Section `schema`: the columns, their units, and the values that they may hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config.section import Duration, Section
from pipeline.config.shown import named, shown

EVALUATION_PREFIX = "eval_"
"""Columns with this prefix evaluate a detector and can never be one of its features."""

LABEL_COLUMN = f"{EVALUATION_PREFIX}label"
"""Column of a training window that holds people's verdicts; absent where there are none."""

OPEN_CASE_COLUMN = f"{EVALUATION_PREFIX}open_case"
"""Column of a training window that is true in rows of open cases; absent where there are none."""

GAP_CADENCES = 1.5
"""Two rows of a machine that are more cadences apart have a gap between them.

One missing row makes two cadences and is a gap; rows that come late or early are not."""


_WHOLE = 1e15  # whole numbers below are written out


def stored_name(name: str, offset: float) -> str:
    """The column that holds `name` less `offset`: `p_minus_101325`; `name` where there is none."""
    if not offset:
        return name
    size = abs(offset)
    number = str(int(size)) if size.is_integer() and size < _WHOLE else repr(size).replace("+", "")
    return f"{name}_{'minus' if offset > 0 else 'plus'}_{number}"


class Feature(Section):
    """One measured channel, as the source delivers it."""

    unit: str = Field(description="For people and for the bundle; `1` for a pure number.")
    range: tuple[float, float] | None = Field(
        None, description="Physically possible values, both ends included; outside is quarantined."
    )
    circular: bool = Field(
        default=False, description="An angle in degrees: enters the model as sine and cosine."
    )
    context: bool = Field(
        default=False,
        description="Weather, load, season: helps to reconstruct the others but is not judged "
        "itself, and is read no further than training knew it. A hot summer is no fault.",
    )
    stuck_after: Duration | None = Field(
        None, description="Bit-identical for longer than this is a stuck sensor; None: never."
    )

    may_be_constant: bool = Field(
        default=False,
        description="A whole day without any change is legitimate (a parked actuator, a setpoint). "
        "Without it such a day is a fault, once the channel has moved.",
    )
    day_median: tuple[float, float] | None = Field(
        None,
        description="Where the median of one entity's day may lie; outside, the channel is assumed "
        "to have changed its unit, which no single value may betray.",
    )

    offset: float = Field(
        0.0,
        allow_inf_nan=False,
        description="Subtracted in float64 before values are stored as float32, which holds seven "
        "digits: near the usual value of a counter, of Pascals or of seconds since 1970. The "
        "stored column carries it in its name, so that old and new days never mix.",
    )

    @model_validator(mode="after")
    def _an_angle_has_no_offset(self) -> Self:
        if self.circular and self.offset:
            msg = (
                f"offset {self.offset:g} of a circular channel; leave it out: an angle is stored "
                "as sine and cosine, which lose no digits"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _limits_must_rise(self) -> Self:
        for key, limits in [("range", self.range), ("day_median", self.day_median)]:
            if limits is not None and limits[0] >= limits[1]:
                msg = f"{key} {list(limits)} does not rise; write [lowest, highest]"
                raise ValueError(msg)
        return self


class PeerDeviation(Section):
    """Derived features: a channel minus the median of the other entities at the same time.

    Comparing an entity with its peers removes what they share (weather, load, season), which is
    worth more than any network.
    """

    kind: Literal["peer_deviation"]
    of: tuple[str, ...] = Field(min_length=1)
    minimum_peers: int = Field(
        1, ge=1, description="Fewer valid peers than this: the row is quarantined, not guessed."
    )


class Columns(Section):
    """The columns of one detector's data."""

    timestamp: str = "timestamp"
    entity: str | None = Field(
        None, description="Column with the name of the machine; None: one machine."
    )
    entities: tuple[str, ...] = Field(
        (), description="The machines expected each day; empty: those that the day delivers."
    )
    cadence: Duration = Field(
        description="Expected time between two rows of one entity.", gt=timedelta(0)
    )
    features: dict[str, Feature] = Field(min_length=1)
    derived: tuple[PeerDeviation, ...] = ()
    evaluation_only: tuple[str, ...] = Field(
        (), description=f"Columns kept for judging, never features; named `{EVALUATION_PREFIX}...`."
    )
    incident: str | None = Field(
        None, description="Evaluation-only column, true while a known incident lasts."
    )
    exclude_from_training: tuple[str, ...] = Field(
        (), description="Evaluation-only columns; a row where one is true is not normal."
    )

    @property
    def row_key(self) -> list[str]:
        """The columns that identify a row, and in whose order rows are kept: time, entity."""
        return [self.timestamp, *([self.entity] if self.entity else [])]

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """The model's inputs, in their fixed order: channels, angles as sin/cos, deviations."""
        names = [column for name in self.features for column in self.own_columns(name)]
        names += [f"{name}_vs_peers" for derived in self.derived for name in derived.of]
        return tuple(names)

    def own_columns(self, name: str) -> tuple[str, ...]:
        """The columns of the feature `name` itself: its value, or sine and cosine of an angle."""
        feature = self.features[name]
        if feature.circular:
            return (f"{name}_sin", f"{name}_cos")
        return (stored_name(name, feature.offset),)

    @property
    def marks(self) -> frozenset[str]:
        """Evaluation-only columns that are true or false; the others are numbers."""
        incident = () if self.incident is None else (self.incident,)
        return frozenset((*incident, *self.exclude_from_training))

    @property
    def context_columns(self) -> tuple[str, ...]:
        """Feature columns that are not judged; the deviation of a context channel is."""
        context = [name for name, feature in self.features.items() if feature.context]
        return tuple(column for name in context for column in self.own_columns(name))

    @model_validator(mode="after")
    def _something_must_be_judged(self) -> Self:
        if set(self.feature_columns) == set(self.context_columns):
            msg = "every feature is context; leave at least one to be judged"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _names_must_fit_together(self) -> Self:
        unprefixed = [c for c in self.evaluation_only if not c.startswith(EVALUATION_PREFIX)]
        if unprefixed:
            msg = (
                f"evaluation_only column {shown(unprefixed[0])} does not start with "
                f"{EVALUATION_PREFIX!r}; rename it in source.rename, so that nothing can take it "
                "for a feature"
            )
            raise ValueError(msg)
        for ours, what in (
            (LABEL_COLUMN, "what people labelled"),
            (OPEN_CASE_COLUMN, "which rows open cases are about"),
        ):
            if ours in self.evaluation_only:
                msg = (
                    f"evaluation_only names {ours!r}, which holds {what}; rename it in "
                    "source.rename"
                )
                raise ValueError(msg)
        leaking = [c for c in self.features if c.startswith(EVALUATION_PREFIX)]
        if leaking:
            msg = (
                f"feature {shown(leaking[0])} is an evaluation-only name; the model must not see it"
            )
            raise ValueError(msg)
        for role, name in [("incident", self.incident)] + [
            ("exclude_from_training", column) for column in self.exclude_from_training
        ]:
            if name is not None and name not in self.evaluation_only:
                msg = f"{role} names {shown(name)}, which is not listed under evaluation_only"
                raise ValueError(msg)
        self._derived_must_be_possible()
        return self

    def _derived_must_be_possible(self) -> None:
        for derived in self.derived:
            unknown = [name for name in derived.of if name not in self.features]
            if unknown:
                msg = (
                    f"derived.of names {shown(unknown[0])}, which is no feature; "
                    f"choose from {named(self.features)}"
                )
                raise ValueError(msg)
            angles = [name for name in derived.of if self.features[name].circular]
            if angles:
                msg = f"derived.of names the angle {shown(angles[0])}; a difference of angles wraps"
                raise ValueError(msg)
            if self.entity is None:
                msg = "derived peer_deviation needs schema.entity: there are no peers without it"
                raise ValueError(msg)
