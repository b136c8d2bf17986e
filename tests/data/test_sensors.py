"""The stuck-sensor rule against a slow one that looks at each run by itself."""

from datetime import timedelta

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Columns
from pipeline.data.faults import Faults
from pipeline.data.grid import DAY_NS, cadence_ns
from pipeline.data.sensors import check_sensors

HOUR = cadence_ns(timedelta(hours=1))
COLUMNS = Columns.model_validate(
    {
        "cadence": "1h",
        "entity": "machine",
        "features": {"a": {"unit": "bar", "stuck_after": "2h", "may_be_constant": True}},
    }
)


def slowly(rows: pd.DataFrame) -> dict[int, str]:
    """Row -> its detail, one run after the other."""
    found = {}
    ordered = rows.sort_values(["machine", "slot"])
    run: list[int] = []
    for at in [*ordered.index, None]:
        last = run[-1] if run else None
        follows = (
            at is not None
            and last is not None
            and rows.machine[at] == rows.machine[last]
            and rows.slot[at] - rows.slot[last] == HOUR
            and rows.slot[at] // DAY_NS == rows.slot[last] // DAY_NS
            and rows.a[at] == rows.a[last]
        )
        if not follows:
            if len(run) > 3:
                said = f"a stays at {rows.a[run[0]]:g} bar for {len(run)} rows; limit 2 h"
                found |= dict.fromkeys(run, said)
            run = []
        if at is not None:
            run.append(at)
    return found


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 40), st.sampled_from([1.0, 1.0, 1.0, 2.0, np.nan])
        ),
        unique_by=lambda row: row[:2],
        max_size=80,
    )
)
def test_each_run_is_reported_as_if_it_were_alone(example):
    rows = pd.DataFrame(example, columns=["machine", "hour", "a"]).astype({"a": float})
    rows["slot"] = rows["hour"].astype("int64") * HOUR
    rows["day"] = rows["slot"] // DAY_NS
    rows["machine"] = rows["machine"].astype(np.intp)
    faults = Faults(len(rows))

    check_sensors(rows[["a"]], rows, np.ones(len(rows), dtype=bool), COLUMNS, faults)

    stuck = np.flatnonzero(faults.broke("stuck_sensor")).tolist()
    assert {at: faults.detail[at] for at in stuck} == slowly(rows)


def test_many_runs_are_distinguished():
    n = 24 * 50
    rows = pd.DataFrame({"a": np.repeat(np.arange(n // 4, dtype=float), 4)})
    rows["machine"] = np.repeat(np.arange(50), 24)
    rows["slot"] = np.tile(np.arange(24) * HOUR, 50)
    rows["day"] = 0
    faults = Faults(n)

    check_sensors(rows[["a"]], rows, np.ones(n, dtype=bool), COLUMNS, faults)

    assert faults.broke("stuck_sensor").all()
    assert faults.detail[4] == "a stays at 1 bar for 4 rows; limit 2 h"
