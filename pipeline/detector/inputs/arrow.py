"""Arrow columns to NumPy and back without pandas.

pyarrow's own `to_numpy` and `array` import pandas, if only to ask whether they were given some of
it. That import costs a third of a second, too much for a cold `score`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def to_numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    """The values of `column`; a null in a column of numbers becomes NaN.

    Columns with nulls, or of other types than plain numbers, are converted by pyarrow itself.
    """
    kind = column.type
    plain = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if column.null_count or not plain or not column.num_chunks:
        values: NDArray[Any] = column.to_numpy()
        return values
    return np.concatenate([np.from_dlpack(chunk) for chunk in column.chunks])


def from_numpy(values: NDArray[Any], *, absent: NDArray[np.bool_] | None = None) -> pa.Array:
    """Numbers or booleans of shape (n,) as an Arrow array; null where `absent` is true."""
    if values.dtype == np.bool_:
        kind, data = pa.bool_(), np.packbits(values, bitorder="little")
    else:
        kind, data = pa.from_numpy_dtype(values.dtype), np.ascontiguousarray(values)
    valid = None
    if absent is not None and absent.any():
        valid = pa.py_buffer(np.packbits(~absent, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(data)])
