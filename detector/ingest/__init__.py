"""Input: folders of contract tables (or DataFrames) to clean DuckDB tables, rejects and counts."""

from detector.ingest.run import ingest, ingest_frames
from detector.ingest.types import Ingested, SourceFile, TableCount

__all__ = ["Ingested", "SourceFile", "TableCount", "ingest", "ingest_frames"]
