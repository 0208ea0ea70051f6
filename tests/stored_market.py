"""A market's frames as a folder of Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def a_folder(folder: Path, tables: Mapping[str, pd.DataFrame]) -> Path:
    folder.mkdir()
    for name, frame in tables.items():
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / f"{name}.parquet")
    return folder
