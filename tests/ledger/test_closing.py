"""A ledger that is closed while others still read it refuses them in words, and closes."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import pytest

from exporter.ledger.charges.store import Ledger
from exporter.ledger.opening import LedgerError
from tests.support.exposed import until

LONG = "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range + b.range = 7"


class Reader(threading.Thread):
    """Reads again and again until it is refused."""

    def __init__(self, ledger: Ledger, query: str) -> None:
        super().__init__()
        self.ledger = ledger
        self.query = query
        self.reads = 0
        self.end: Exception | None = None

    def run(self) -> None:
        try:
            while True:
                with self.ledger.reading() as connection:
                    self.reads += 1
                    connection.execute(self.query).fetchall()
        except (LedgerError, duckdb.Error) as error:
            self.end = error


@pytest.mark.slow
@pytest.mark.parametrize(("query", "reads"), [("SELECT 1", 20), (LONG, 1)])
def test_closing_while_others_read_ends_their_queries_with_a_ledger_error(
    tmp_path: Path, query: str, reads: int
) -> None:
    for number in range(10):
        path = tmp_path / f"{number}.duckdb"
        ledger = Ledger(path)
        readers = [Reader(ledger, query) for _ in range(4)]
        for reader in readers:
            reader.start()
        until(lambda readers=readers: all(each.reads >= reads for each in readers), "some reads")  # type: ignore[misc]

        ledger.close()

        for reader in readers:
            reader.join()
            assert isinstance(reader.end, LedgerError)
        Ledger(path).close()


def test_a_closed_ledger_refuses_and_can_be_closed_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "spend.duckdb")
    ledger.close()
    ledger.close()
    with pytest.raises(LedgerError, match="is closed"), ledger.reading():
        pass
    with pytest.raises(LedgerError, match="is closed"), ledger.file.transaction():
        pass
