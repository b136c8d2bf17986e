"""The columns of the tables; those of `telemetry` depend on the detector."""

from __future__ import annotations

from typing import Literal, get_args

import pyarrow as pa

TableName = Literal[
    "telemetry",
    "quarantine",
    "ingestions",
    "scores",
    "scorings",
    "incidents",
    "notices",
    "labels",
    "audits",
    "decisions",
    "case_answers",
    "requests",
    "drift",
    "thresholds",
    "days",
    "cases",
    "ledger",
]

TABLES: tuple[TableName, ...] = get_args(TableName)

_DAY = ("date", pa.date32())
_MOMENT = pa.timestamp("us", tz="UTC")

COMMIT = "commit"
"""Column of tables of attempts: the version of the table that a row came with. The newest
row is found by it, as hosts differ in their clocks. Null: written by an earlier release."""

_COMMIT = (COMMIT, pa.int64())

# Of what a person said: the columns that it ends with.
_ANSWERED = (
    ("note", pa.string()),
    ("author", pa.string()),
    ("created_at", _MOMENT),
    ("run_id", pa.string()),  # empty: from the command line
    ("key", pa.string()),  # id of the key of answers; null: an earlier release wrote it
    ("signature", pa.string()),  # Ed25519, base64
)

SCHEMAS: dict[str, pa.Schema] = {
    "quarantine": pa.schema(
        [
            _DAY,
            ("timestamp", _MOMENT),
            ("entity", pa.string()),
            ("rule", pa.string()),
            ("feature", pa.string()),
            ("detail", pa.string()),
            ("row", pa.string()),  # the raw row as JSON, so that nothing is lost
            # True: about one cell of a row that is telemetry; its first such record has the row.
            ("partial", pa.bool_()),
        ]
    ),
    "ingestions": pa.schema(
        [
            _DAY,
            ("attempted_at", _MOMENT),
            ("run_id", pa.string()),
            ("verdict", pa.string()),  # result of this attempt
            ("standing", pa.string()),  # state of the day after it; never `unchanged`
            ("reasons", pa.string()),
            ("expected", pa.int64()),
            ("delivered", pa.int64()),
            ("accepted", pa.int64()),
            ("rejected", pa.int64()),
            ("completeness", pa.float64()),
            ("rules", pa.string()),  # JSON: rule -> rejected rows
            ("partial", pa.int64()),  # accepted rows without a channel that failed
            ("missing", pa.string()),  # JSON: such channels; pipeline.data.missing_channels
            ("resting", pa.string()),  # JSON: what never moved; pipeline.data.resting; or null
            ("fingerprint", pa.string()),
            ("contract", pa.string()),
            ("telemetry_version", pa.int64()),
            ("difference", pa.string()),  # JSON: rows added, removed, changed, or unknown; or null
            ("meaning", pa.string()),  # JSON: columns, units and cadence by the detector file
            _COMMIT,
        ]
    ),
    "scores": pa.schema(
        [
            _DAY,
            ("timestamp", _MOMENT),
            ("entity", pa.string()),  # empty where there is one machine
            ("role", pa.string()),  # champion or challenger
            ("version", pa.int64()),
            ("score", pa.float64()),  # null where no full window ends at the row
            ("threshold", pa.float64()),
            ("flag", pa.bool_()),
            ("muted", pa.string()),  # channels left out of this score; pipeline.data.channels
            ("partial", pa.bool_()),  # scored without a channel that failed
            ("features", pa.string()),  # flagged rows: JSON [[channel, times its usual share], ...]
        ]
    ),
    # The parts of incidents within one day; an incident over midnight is joined when it is read,
    # so that a day's rows never depend on which day was scored first.
    "incidents": pa.schema(
        [
            _DAY,
            ("kind", pa.string()),  # anomaly, shifted feature, new regime, data fault
            ("status", pa.string()),  # raised, withdrawn
            ("entity", pa.string()),
            ("start", _MOMENT),
            ("end", _MOMENT),
            ("rows", pa.int64()),  # flagged, or in which the channel has moved
            ("peak", pa.float64()),  # highest score over its threshold
            ("peak_at", _MOMENT),
            ("version", pa.int64()),
            ("features", pa.string()),  # JSON [[channel, times its usual share], ...], worst first
        ]
    ),
    "scorings": pa.schema(
        [
            _DAY,
            ("scored_at", _MOMENT),
            ("run_id", pa.string()),
            ("verdict", pa.string()),  # scored, failed; empty: there is no telemetry any more
            ("reason", pa.string()),
            ("rows", pa.int64()),
            ("flags", pa.int64()),
            ("incidents", pa.int64()),
            ("version", pa.int64()),
            ("challenger", pa.int64()),
            ("threshold", pa.float64()),
            ("median_score", pa.float64()),
            ("basis", pa.string()),  # hash of all that the scores were computed from
            ("telemetry_version", pa.int64()),  # that was read; null: an earlier release scored
            _COMMIT,
        ]
    ),
    # Notifications: one row for each message about an incident.
    "notices": pa.schema(
        [
            _DAY,
            ("incident", pa.string()),
            ("kind", pa.string()),
            ("entity", pa.string()),
            ("version", pa.int64()),
            ("channel", pa.string()),
            ("text", pa.string()),
            ("run_id", pa.string()),
            ("sent_at", _MOMENT),
        ]
    ),
    "labels": pa.schema(
        [
            _DAY,
            ("start", _MOMENT),
            ("end", _MOMENT),
            ("entity", pa.string()),  # null: every entity
            ("verdict", pa.string()),  # incident, normal
            *_ANSWERED,
        ]
    ),
    # Episodes of flags sampled at random to be labelled; probability is that of being sampled.
    "audits": pa.schema(
        [
            _DAY,
            ("incident", pa.string()),
            ("entity", pa.string()),
            ("start", _MOMENT),
            ("end", _MOMENT),
            ("probability", pa.float64()),
            ("proposed_at", _MOMENT),
            _COMMIT,
        ]
    ),
    # What a person decided about a channel that left its training range.
    "decisions": pa.schema(
        [
            _DAY,
            ("channel", pa.string()),
            ("entity", pa.string()),  # null: every entity
            ("decision", pa.string()),  # accept, mute, unmute
            ("since", _MOMENT),
            *_ANSWERED,
        ]
    ),
    # What a person said of a case.
    "case_answers": pa.schema(
        [
            _DAY,
            ("case", pa.string()),  # its id then
            ("kind", pa.string()),  # episode, shift, regime, degradation
            ("entity", pa.string()),  # null: the only machine, or the whole detector
            ("channel", pa.string()),  # of a shift; else null
            ("start", _MOMENT),
            ("end", _MOMENT),
            ("answer", pa.string()),  # normal from now on, was a fault, undo
            *_ANSWERED,
        ]
    ),
    # Training runs and recalibrations that a drift verdict asked for.
    "requests": pa.schema(
        [
            _DAY,
            ("action", pa.string()),  # retrain, recalibrate
            ("reason", pa.string()),
            ("run_id", pa.string()),
            ("asked_at", _MOMENT),
        ]
    ),
    "thresholds": pa.schema(
        [
            _DAY,
            ("version", pa.int64()),
            ("run_id", pa.string()),
            ("threshold", pa.float64()),
            ("threshold_low", pa.float64()),
            ("threshold_high", pa.float64()),
            ("method", pa.string()),
            ("alpha", pa.float64()),
            ("n", pa.int64()),
            ("n_effective", pa.float64()),
            ("rate_low", pa.float64()),
            ("rate_high", pa.float64()),
            ("realised_rate", pa.float64()),
            ("window_first", pa.date32()),
            ("window_last", pa.date32()),
            ("created_at", _MOMENT),
            ("kind", pa.string()),  # trained, recalibrated
            ("weights_of", pa.int64()),  # version whose weights these are; its own when trained
            ("anchor", pa.float64()),  # threshold at training, from which the total move counts
        ]
    ),
    # Results of the tests of one day: a second warning in a row is found when it is read. The
    # verdict is in the row of the score.
    "drift": pa.schema(
        [
            _DAY,  # the last one compared
            ("source", pa.string()),  # day, week: of the live version; else the candidate's name
            ("version", pa.int64()),  # whose reference it was compared with
            ("feature", pa.string()),
            ("distance", pa.float64()),
            ("p", pa.float64()),
            ("q", pa.float64()),
            ("rows_reference", pa.float64()),
            ("rows_current", pa.float64()),
            ("rises", pa.bool_()),
            ("level", pa.string()),
            ("verdict", pa.string()),
            ("action", pa.string()),
            ("reason", pa.string()),
            ("evidence", pa.string()),  # JSON: broken channels, flag rate, entity left out
        ]
    ),
    # What the tables say of each day, so that they need not all be read to know it.
    "days": pa.schema(
        [
            _DAY,  # the first day of the quarter: files of many days are few
            ("day", pa.date32()),
            ("basis", pa.string()),  # hash of the names of the files that it was made from
            ("content", pa.string()),  # JSON of a pipeline.store.day_records.DayRecord
        ]
    ),
    # The cases after each day, and what they follow from; JSON of records of pipeline.cases.
    "cases": pa.schema(
        [
            _DAY,
            ("basis", pa.string()),  # hash of the cases after the newest day before
            ("facts", pa.string()),  # a DayFacts; empty: nothing was scored
            ("said", pa.string()),  # [SeenDegradation, ...] that were stated of the day
            ("state", pa.string()),  # a CaseState: unresolved after the day
            ("returned", pa.string()),  # [Case, ...] whose raw data returned on the day
        ]
    ),
    "ledger": pa.schema(
        [
            _DAY,
            ("sequence", pa.int64()),
            ("action", pa.string()),
            ("detector", pa.string()),
            ("version", pa.int64()),
            ("replaced", pa.int64()),
            ("who", pa.string()),
            ("why", pa.string()),
            ("run_id", pa.string()),
            ("card_sha256", pa.string()),
            ("decided_at", pa.string()),
            ("previous_hash", pa.string()),
            ("hash", pa.string()),
            ("bundle_sha256", pa.string()),
            ("evidence", pa.string()),  # JSON; see pipeline.ledger.history.evidence_of
            ("approval", pa.string()),  # JSON, signed; empty: nobody was asked
            ("format", pa.int64()),  # null: an earlier release wrote it, unsigned
            ("key", pa.string()),  # id of the key
            ("signature", pa.string()),  # Ed25519, base64
        ]
    ),
}
