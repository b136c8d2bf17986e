"""The errors that a caller may catch, and what to do about each.

::

    PlimsollError
    ├── ConfigError        a detector file is wrong: correct it
    ├── DataError          the data are wrong: retrying cannot help
    │   ├── DaysFailed         some days were not ingested or not scored; the others were
    │   │   └── PartitionBlocked   one partition broke its contract as a whole
    │   ├── DamagedFile        a data file of a table is gone or damaged: write its day again
    │   ├── TooFewDays         a model cannot be fitted yet: more days have to come
    │   ├── NothingLive        there is no live version yet: train one
    │   ├── UnprovenLedger     the ledger is not what was written: it makes nothing live
    │   ├── UnprovenAnswer     no trusted key signed this answer: it must not count
    │   ├── SplitReuseError    a block was about to be used for a second purpose
    │   └── CalibrationError   a threshold cannot be estimated from these scores
    ├── BundleError        a bundle is damaged or of another schema: do not serve it
    │   └── UnprovenBundle     it is gone, or not the one that the ledger names
    ├── OutageError        something outside did not answer: retry later
    │   └── TableConflict      another writer changed the same days first: read again, then write
    └── PromotionConflict  somebody else moved the alias: look again, then decide
"""

from __future__ import annotations


class PlimsollError(Exception):
    """Any failure that Plimsoll itself can explain."""


class ConfigError(PlimsollError):
    """A detector file or a deployment setting is wrong; the message says where and what to do."""


class DataError(PlimsollError):
    """The data are at fault, so the same call will fail again."""


class DaysFailed(DataError):  # noqa: N818 - names what was found, as its neighbours do
    """Days were not ingested or not scored; all of it is on record, and the other days are done."""


class PartitionBlocked(DaysFailed):
    """A whole partition was refused; its rows lie in quarantine, the table is unchanged."""


class DamagedFile(DataError):  # noqa: N818 - names what was found, as its neighbours do
    """A data file of a table is gone or damaged; the table's log is whole."""


class TooFewDays(DataError):  # noqa: N818 - names the situation, as the skipped task does
    """Fewer validated days are there than a training needs; it succeeds when there are more."""


class NothingLive(DataError):  # noqa: N818 - names the situation, as the skipped task does
    """The call needs a live version, and there is none yet."""


class UnprovenLedger(DataError):  # noqa: N818 - names what was found, as its neighbours do
    """The ledger's chain, signatures or head are not proven, so what is live is unknown."""


class UnprovenAnswer(DataError):  # noqa: N818 - names what was found, as its neighbours do
    """A label or decision that no trusted key of answers has signed."""


class SplitReuseError(DataError):
    """Rows reserved for one purpose (train, calibrate, test) were offered for another."""


class CalibrationError(DataError):
    """No valid threshold exists for these scores at this alpha."""


class BundleError(PlimsollError):
    """A bundle failed its hashes, its golden rows or its schema, and is refused."""


class UnprovenBundle(BundleError):  # noqa: N818 - names what was found, as its neighbours do
    """A version's bundle is gone, or is not the one whose digest the ledger holds."""


class OutageError(PlimsollError):
    """A source, store or server did not answer; the same call may succeed later."""


class TableConflict(OutageError):  # noqa: N818 - names the situation, as Delta does
    """Another writer changed the same days of a table after they were read; nothing was written."""


class PromotionConflict(PlimsollError):  # noqa: N818 - names the situation, as the ledger does
    """The registry changed between the decision and the move; nothing was moved."""
