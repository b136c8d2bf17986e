"""The shipped contract on the real two years: healthy days pass, planted faults do not."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import load_detector
from pipeline.data.contract import BLOCKED, Validated, validate_days
from pipeline.data.grid import days_between
from pipeline.data.sources.la_haute_borne import fetch
from tests.builders import moment

SPEC = load_detector(Path(__file__).parents[2] / "detectors" / "la_haute_borne.yaml")


def judged(
    cache: Path,
    first: date,
    last: date,
    fault: Callable[[pd.DataFrame], pd.DataFrame] | None = None,
) -> dict[date, Validated]:
    end = pd.Timestamp(moment(last)) + pd.Timedelta(days=1)
    rows = fetch(SPEC.source, SPEC.columns, moment(first), end, cache)
    return validate_days(fault(rows) if fault else rows, SPEC, days_between(first, last))


def test_of_two_real_years_few_rows_and_days_are_refused(real_cache):
    rows: Counter[str] = Counter()
    cells: Counter[str] = Counter()
    blocked = []
    for month in pd.date_range("2014-01-01", "2015-12-01", freq="MS"):
        results = judged(real_cache, month.date(), (month + pd.offsets.MonthEnd()).date())
        for day, result in results.items():
            rows.update(result.report.rejected)
            for each in result.report.missing:
                cells[f"{each.rule}:{each.channel}"] += each.cells
            blocked += [str(day)] * (result.report.verdict != "validated")

    # Four days on which the whole farm was silent for ten hours or more.
    assert blocked == ["2014-10-29", "2015-02-27", "2015-06-16", "2015-06-17"]
    own_faults = {rule: n for rule, n in rows.items() if rule != BLOCKED}
    assert own_faults == {
        "no_measurement": 2569,
        "conflicting_duplicate": 48,
        "too_few_peers": 6,
    }
    assert cells == {
        "stuck_sensor:outside_temperature": 131,
        "out_of_range:pitch": 38,
        "out_of_range:outside_temperature": 14,  # -273 degC
    }


def in_watts(rows):
    return rows.assign(power=rows["power"] * 1000)


def in_fahrenheit(rows):
    return rows.assign(outside_temperature=rows["outside_temperature"] * 1.8 + 32)


def half_missing(rows):
    return rows[rows["timestamp"].dt.hour < 12]


def one_anemometer_stuck(rows):
    stuck = rows["turbine"] == "R80711"
    return rows.assign(wind_speed=rows["wind_speed"].mask(stuck, 5.2))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (in_watts, "implausible day power on all 4 .*check the unit of power"),
        (in_fahrenheit, "implausible day outside_temperature on all 4 .*check the unit"),
        (half_missing, r"288 of 576 expected rows .*R80711 12:00 to 23:50 \(72 rows\).*limit 70%"),
    ],
)
def test_a_planted_fault_blocks_its_day_by_name(real_cache, fault, reason):
    results = judged(real_cache, date(2014, 5, 10), date(2014, 5, 12), fault)

    for result in results.values():
        assert result.report.verdict == "quarantined"
        assert pd.Series(result.report.reasons).str.contains(reason).any()


def test_a_stuck_anemometer_costs_its_own_cells(real_cache):
    results = judged(real_cache, date(2014, 5, 10), date(2014, 5, 12), one_anemometer_stuck)

    for result in results.values():
        assert result.report.verdict == "validated"
        (missing,) = (each for each in result.report.missing if each.channel == "wind_speed")
        assert (missing.entity, missing.rule, missing.cells) == ("R80711", "stuck_sensor", 144)
