"""Does a registered version fit the detector file as it is now, and the rows of a day?

A version can score only rows of the meaning that it was trained on. Under a file that says
something else it scores nothing: its scores would be about other quantities.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from pipeline.config import DetectorSpec
from pipeline.data.meaning import Meaning, Misfit, meaning_of, misfits, needed_for_scores
from pipeline.errors import DataError
from pipeline.incidents.judging import fitted_columns
from pipeline.settings import Deployment
from pipeline.steps.live import LoadedVersion
from pipeline.store.fits import Unfit, misfits_text, unfit_days


def needs_of(version: LoadedVersion) -> Meaning:
    """The meaning that rows must have for `version` to score them.

    Raises:
        DataError: it was fitted without a detector file.
    """
    return needed_for_scores(fitted_columns(version.bundle))


def against_file(version: LoadedVersion, spec: DetectorSpec) -> tuple[Misfit, ...]:
    """The needs of `version` that the detector file does not meet; empty when it fits.

    Raises:
        DataError: it was fitted without a detector file.
    """
    return misfits(needs_of(version), meaning_of(spec.columns))


def refuse_unfit(version: LoadedVersion, spec: DetectorSpec) -> None:
    """Raise unless `version` reads rows as the detector file describes them.

    Raises:
        DataError: it needs other columns, units or another cadence; names them and the fix.
    """
    if lacks := against_file(version, spec):
        msg = f"{misfit_message(version, spec.name, lacks)}: {fix(spec.name)}"
        raise DataError(msg)


def refuse_unfit_days(
    here: Deployment, version: LoadedVersion, spec: DetectorSpec, days: Collection[date]
) -> None:
    """Raise unless the rows of `days` mean what `version` needs.

    Raises:
        DataError: some do not; names them, what they lack and the fix.
    """
    if unfit := unfit_for(here, version, spec, days):
        raise DataError(days_message(version, unfit))


def unfit_for(
    here: Deployment, version: LoadedVersion, spec: DetectorSpec, days: Collection[date]
) -> Unfit:
    """Those of `days` whose rows do not mean what `version` needs."""
    return unfit_days(here, spec.name, needs_of(version), days)


def days_message(version: LoadedVersion, unfit: Unfit) -> str:
    """The message about days that do not fit: what they lack, and what to do."""
    return (
        f"{misfits_text(unfit)}, as version {version.version.number} needs it. They were ingested "
        "before the detector file said so: ingest those days again with the load DAG."
    )


def misfit_message(version: LoadedVersion, detector: str, lacks: Collection[Misfit]) -> str:
    """`version 1 of d needs column machine, the file says pump`."""
    return f"version {version.version.number} of {detector} needs {needs_message(lacks)}"


def needs_message(lacks: Collection[Misfit]) -> str:
    """`column machine, the file says pump`."""
    return " and ".join(f"{each.needed}, the file says {each.found}" for each in lacks)


def fix(detector: str) -> str:
    """The instruction for a version that does not fit the file."""
    return (
        f"train first, on days that were ingested under the file as it is ({detector}__load, then "
        f"{detector}__train), or give the file back what it said (source.rename maps what the "
        "source calls a column now)."
    )
