"""Every DuckDB connection of the product is opened in one place, and none of them sees Python's variables."""

from __future__ import annotations

import ast
from pathlib import Path

import duckdb
import pytest

import exporter
from exporter.core import database
from exporter.ledger.charges.store import Ledger
from exporter.sources.files.reading import reading_connection

PACKAGE = Path(exporter.__file__).parent
ONLY_PLACE = Path(database.__file__)
OPENS = {
    "connect",
    "sql",
    "query",
    "execute",
    "from_query",
    "read_csv",
    "read_json",
    "read_parquet",
    "cursor",
}
"""Functions of the module duckdb that open a connection, or use its default one."""


def uses_of_duckdb(file: Path) -> set[str]:
    """Names of the module duckdb that a file calls, however it imported them."""
    tree = ast.parse(file.read_text())
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "duckdb"
    }
    imported = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "duckdb"
        for name in node.names
    }
    return called | imported


@pytest.mark.slow
def test_no_other_module_opens_a_connection() -> None:
    assert "connect" in uses_of_duckdb(ONLY_PLACE)

    elsewhere = {
        str(file.relative_to(PACKAGE)): uses_of_duckdb(file) & OPENS
        for file in PACKAGE.rglob("*.py")
        if file != ONLY_PLACE
    }

    assert {place: calls for place, calls in elsewhere.items() if calls} == {}


def test_no_connection_takes_a_variable_for_a_table(tmp_path: Path) -> None:
    wanted: list[int] = []
    ledger = Ledger(tmp_path / "spend.duckdb")

    with (
        ledger.reading() as of_ledger,
        reading_connection(tmp_path, "64MB", 1) as of_files,
        database.connect() as plain,
    ):
        for connection in (of_ledger, of_files, plain, plain.cursor()):
            with pytest.raises(duckdb.CatalogException, match="wanted does not exist"):
                connection.execute("SELECT * FROM wanted")
    ledger.close()
    assert wanted == []
