"""What decided cases say of orders and sellers, as the table ``labels`` of the data contract.

Labels measure (``truetrade evaluate`` reads them); no feature does.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, select

from detector.store.projections import CASES, LABELS

__all__ = ["labels"]

_SCHEMA = pa.schema(
    {
        "subject_kind": pa.string(),
        "subject_id": pa.string(),
        "is_fake": pa.bool_(),
        "clause": pa.string(),
        "source": pa.string(),
        "labelled_at": pa.timestamp("us", tz="UTC"),
    }
)


def labels(connection: Connection) -> pa.Table:
    """One row for each order and seller of a decided case, in the order of kind and id.

    Of several cases one that says fake decides, otherwise the latest. ``clause`` is null where the case is
    about several, or where nothing is fake.
    """
    query = (
        select(LABELS, CASES.c.clauses)
        .join(CASES, CASES.c.case_id == LABELS.c.case_id)
        .order_by(LABELS.c.is_fake, LABELS.c.labelled_at, LABELS.c.case_id)
    )
    deciding = {(row.subject_kind, row.subject_id): _label(row) for row in connection.execute(query)}
    return pa.Table.from_pylist([deciding[subject] for subject in sorted(deciding)], schema=_SCHEMA)


def _label(row: Any) -> dict[str, Any]:
    label = {name: getattr(row, name) for name in ("subject_kind", "subject_id", "is_fake", "labelled_at")}
    clause = row.clauses[0] if row.is_fake and len(row.clauses) == 1 else None
    return {**label, "clause": clause, "source": "closed_case"}
