"""The same declaration of the windows on Spark and on DuckDB: equal for every aggregate of 20,000 orders."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from builders import ingested

from features.batch import window_table
from features.velocity import AGGREGATES, HOT_KEY_LIMIT
from features.windows import window_features

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]

ORDERS = 20_000


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A Spark of two local cores; where it is missing the test is skipped, in CI it fails."""
    missing = [
        name
        for name, found in (
            ("pyspark", find_spec("pyspark")),
            ("java", shutil.which("java") or os.environ.get("JAVA_HOME")),
        )
        if not found
    ]
    if missing:
        why = f"Spark needs {' and '.join(missing)}"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = import_module("pyspark.sql").SparkSession.builder.master("local[2]").appName("truetrade")
    for name, value in {
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def some_orders() -> pd.DataFrame:
    """Orders of few and of hot keys, at colliding instants and microseconds apart, with gaps in the data."""
    random = np.random.default_rng(20)

    def ids(letter: str, count: int, missing: float = 0.0) -> pd.Series[Any]:
        skewed = (count * random.random(ORDERS) ** 2).astype(int)
        names = pd.Series([f"{letter}{n}" for n in skewed], dtype="string")
        return names.mask(pd.Series(random.random(ORDERS) < missing))

    start = int(pd.Timestamp("2024-05-01").timestamp())
    seconds = start + random.integers(0, 60 * 86_400, ORDERS) // 40 * 40
    hot = pd.Series((seconds < start + 20 * 86_400) & (random.random(ORDERS) < 0.18))
    micros = random.choice([0, 0, 1, 999_999], ORDERS)
    discount = pd.Series(random.integers(0, 900, ORDERS), dtype="Int64")
    return pd.DataFrame(
        {
            "order_id": [f"o{n:05d}" for n in range(ORDERS)],
            "seller_id": ids("s", 400),
            "buyer_id": ids("b", 2_000),
            "created_at": pd.to_datetime(seconds * 1_000_000 + micros, unit="us", utc=True),
            "currency": random.choice(["USD", "EUR", "JPY"], ORDERS),
            "total_minor": random.integers(0, 10**9, ORDERS),
            "platform_discount_minor": discount.mask(pd.Series(random.random(ORDERS) < 0.4)),
            "device_id": ids("d", 4_000, missing=0.3).mask(hot, "hot"),
            "payment_id": ids("p", 700, missing=0.5),
            "recipient_phone": ids("+49 30 555", 400, missing=0.5),
            "ip_address": ids("10.0.0.", 200, missing=0.1),
        }
    )


def test_spark_and_duckdb_agree_on_every_aggregate(spark: Any) -> None:
    orders = some_orders()
    con = ingested({"orders": orders}).con
    window_table(con)
    names = ", ".join(aggregate.name for aggregate in AGGREGATES)
    query = f"SELECT order_id, {names} FROM orders JOIN f_windows USING (o) ORDER BY order_id"
    expected = con.sql(query).to_arrow_table()

    spark.createDataFrame(pa.Table.from_pandas(orders, preserve_index=False)).createOrReplaceTempView(
        "orders"
    )
    schema = ibis.Schema.from_pyarrow(con.sql("FROM orders LIMIT 0").to_arrow_table().schema)
    expression = window_features(ibis.table(schema, name="orders"), distinct_over_window=False)
    found = spark.sql(ibis.to_sql(expression, dialect="pyspark")).toArrow().sort_by("order_id")

    assert found["order_id"].to_pylist() == expected["order_id"].to_pylist()
    for aggregate in AGGREGATES:
        assert found[aggregate.name].to_pylist() == expected[aggregate.name].to_pylist(), aggregate.name


def test_the_orders_reach_every_rule_of_the_windows() -> None:
    """So that the comparison is not one of zeros: hot keys, nulls, and real counts occur."""
    con = ingested({"orders": some_orders()}).con
    window_table(con)
    hot, unknown, usual = con.execute(f"""
        SELECT count(*) FILTER (device_orders_30d = {HOT_KEY_LIMIT}),
               count(*) FILTER (device_buyers_30d IS NULL), count(*) FILTER (buyer_orders_30d > 3)
        FROM f_windows
    """).fetchall()[0]
    assert min(hot, unknown, usual) > 100
