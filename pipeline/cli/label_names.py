"""Column names that look like a label rather than a measurement."""

from __future__ import annotations

import re
from collections.abc import Sequence

_LABEL = re.compile(
    r"(is|has)?(anomal(y|ies|ous)|outliers?|incidents?|faults?|faulty|attacks?|failures?|alarms?"
    r"|(ab)?normal)(labels?|flags?)?"
    r"|(anomaly|fault|attack|class)?(labels?|class|targets?)|y|ytrue|groundtruth|normalattack"
)


def label_names(names: Sequence[str]) -> list[str]:
    """Those of `names` that look like a label, case-insensitive: `is_anomaly`, `Label`, `y`.

    Beside an `x` a `y` is a coordinate.
    """
    plain = {name: re.sub(r"[^0-9a-z]", "", name.casefold()) for name in names}
    coordinates = "x" in plain.values()
    return [
        name
        for name, letters in plain.items()
        if _LABEL.fullmatch(letters) and not (coordinates and letters == "y")
    ]
