"""Is a row that is not as it was written left out, said, and computed again?"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from specs import small

from simulator import StoreError, search, sweep
from simulator.exploration.row import Row
from simulator.exploration.runs import RUNS, Runs
from simulator.store.record import checksum_of, record_of, row_of

COLUMNS = [column.name for column in RUNS.columns]

ONE = "WHERE rowid = 3"
CHANGES = {
    "settings that are no JSON": f"UPDATE points SET settings = 'cores' {ONE}",
    "settings that are a list": f"UPDATE points SET settings = '[1, 2]' {ONE}",
    "no settings": f"UPDATE points SET settings = NULL {ONE}",
    "settings as a blob": f"UPDATE points SET settings = x'7b7d' {ONE}",
    "other settings": f"UPDATE points SET settings = '{{}}' {ONE}",
    "settings in settings": "UPDATE points SET settings = replace(hex(zeroblob(50000)), '0', '[') "
    + ONE,
    "a time as text": f"UPDATE points SET time_ps = 'soon' {ONE}",
    "another time": f"UPDATE points SET time_ps = coalesce(time_ps, 5) + 1 {ONE}",
    "a time that is no whole number": f"UPDATE points SET time_ps = 1.5 {ONE}",
    "a time as a blob": f"UPDATE points SET time_ps = x'00' {ONE}",
    "an endless energy": f"UPDATE points SET energy_pj = 9e999 {ONE}",
    "energy as text": f"UPDATE points SET energy_pj = 'much' {ONE}",
    "a blob for a name": f"UPDATE points SET hardware = x'ff00' {ONE}",
    "a name that is no UTF-8": f"UPDATE points SET workload = CAST(x'ff' AS TEXT) {ONE}",
    "no name": f"UPDATE points SET workload = NULL {ONE}",
    "another pattern": f"UPDATE points SET pattern = '1:16' {ONE}",
    "no pattern": f"UPDATE points SET pattern = NULL {ONE}",
    "an error": f"UPDATE points SET error = 'none' {ONE}",
    "another setup": f"UPDATE points SET setup = x'00' {ONE}",
    "another key": f"UPDATE points SET key = zeroblob(32) {ONE}",
    "a key as text": f"UPDATE points SET key = hex(key) {ONE}",
    "no key": f"UPDATE points SET key = NULL {ONE}",
    "no checksum": f"UPDATE points SET checksum = NULL {ONE}",
    "a checksum as text": f"UPDATE points SET checksum = hex(checksum) {ONE}",
    "throttled": f"UPDATE points SET throttled = 2 {ONE}",
}
GOOD = 15


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "runs.sqlite"
    sweep(small(), store=path, executor="serial")
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    """A store of sixteen rows, to be spoiled."""
    return Path(shutil.copy(whole, tmp_path / "runs.sqlite"))


def altered(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def rows_of(path: Path) -> list[Row]:
    with Runs(path, must_exist=True) as store:
        return store.rows()


@pytest.mark.parametrize("name", CHANGES)
def test_a_row_that_was_changed_is_left_out_told_and_computed_again(
    name: str, path: Path, whole: Path
) -> None:
    altered(path, CHANGES[name])
    before = path.read_bytes()
    with Runs(path, must_exist=True) as store:
        good = store.rows()
        assert len(good) == GOOD
        assert all(row in rows_of(whole) for row in good)
        with pytest.raises(StoreError, match="1 row does not match its checksum: row 3") as caught:
            store.check_whole()
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_bytes() == before
    again = sweep(small(), store=path, executor="serial")
    assert (again.known, again.computed) == (GOOD, 1)
    assert again.notes == (
        f"{path}: 1 row does not match its checksum: {store.changed[0]}; dropped, and computed "
        "anew where asked for",
    )
    assert rows_of(path) == rows_of(whole)
    assert sweep(small(), store=path, executor="serial").notes == ()


def test_rows_that_swap_their_figures_are_noticed(path: Path) -> None:
    """The key is part of the checksum, so it cannot move along with figures."""
    names = [name for name in (*COLUMNS, "checksum") if name != "key"]
    figures = ", ".join(f"{name} = (SELECT {name} FROM copy WHERE copy.rowid = 9 - points.rowid)"
                        for name in names)  # fmt: skip
    altered(
        path,
        "CREATE TEMP TABLE copy AS SELECT * FROM points ORDER BY rowid",
        f"UPDATE points SET {figures} WHERE rowid IN (4, 5)",
    )
    with Runs(path, must_exist=True) as store:
        assert len(store.rows()) == 14
        with pytest.raises(
            StoreError, match=r"2 rows do not match their checksums: row 4.*, row 5"
        ):
            store.check_whole()


def test_many_changed_rows_are_counted_and_some_named(path: Path) -> None:
    altered(path, "UPDATE points SET bound = 'luck'")
    with Runs(path, must_exist=True) as store:
        assert store.rows() == []
        with pytest.raises(
            StoreError, match=r"16 rows do not .* row 3, key [0-9a-f]{12} and 13 more"
        ):
            store.check_whole()


def test_tables_of_others_are_left_alone(path: Path) -> None:
    altered(path, "CREATE TABLE notes (text TEXT)", "CREATE INDEX i ON points (hardware)")
    assert sweep(small(), store=path).known == 16


def test_what_lies_where_the_log_should_be(path: Path) -> None:
    """SQLite takes no log that another database wrote."""
    Path(f"{path}-wal").write_bytes(b"noise" * 9000)
    assert len(rows_of(path)) == 16
    Path(f"{path}-wal").unlink(missing_ok=True)
    Path(f"{path}-wal").mkdir()
    with pytest.raises(StoreError, match=r"cannot be opened|cannot be read"):
        sweep(small(), store=path)


@pytest.mark.parametrize("name", ["settings", "time_ps", "hardware", "throttled", "key"])
@pytest.mark.parametrize("value", ["[", 1.5, b"x", True, {}, None])
def test_a_checksum_alone_makes_no_row(name: str, value: object) -> None:
    """Whoever writes a checksum, too, gives values of the wrong kind no traceback."""
    good = Row(b"k" * 32, {"core.count": 2}, "m", "w", None, "fast", "exact", time_ps=5)
    record = list(record_of(RUNS, good)[:-1])
    record[COLUMNS.index(name)] = value
    made = row_of(RUNS, [*record, checksum_of(record)])
    assert made is None or getattr(made, name) == value


def test_a_row_that_goes_while_a_sweep_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Runs._found
    monkeypatch.setattr(
        Runs, "_found", lambda self, keys: dict(list(found(self, keys).items())[1:])
    )
    with (
        Runs(path) as store,
        pytest.raises(StoreError, match="lost 1 rows while they were in use"),
    ):
        store.rows([row.key for row in store.rows()])


# Searches


def wanted() -> dict[str, object]:
    return small(patterns=["1:1", "2:4"], search={"trials": 8, "batch": 4})


def test_a_search_computes_again_what_its_store_lost(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    first = search(wanted(), store=path, executor="serial")
    altered(path, "UPDATE points SET time_ps = time_ps - 1 WHERE time_ps IS NOT NULL")
    again = search(wanted(), store=path, executor="serial")
    assert again.trials == first.trials
    assert "do not match their checksums" in again.notes[0]
    path.unlink()  # the journal is still there
    assert search(wanted(), store=path, executor="serial") == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"values"', '"worth"'),
        ('"values":[', '"values":[-1.5,'),
        ('"core.count"', '"core.counts"'),
        ('"op_code":4', '"op_code":44'),
        ('"op_code"', '"code"'),
        ("}", "]"),
    ],
)
def test_a_journal_that_was_changed_is_one_line(old: str, new: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    search(wanted(), store=path, executor="serial")
    journal = Path(f"{path}.journal")
    head, rest = journal.read_text().split("\n", 1)
    assert old in rest
    journal.write_text(head + "\n" + rest.replace(old, new))
    with pytest.raises(StoreError, match="is not a journal of this search"):
        search(wanted(), store=path, executor="serial")
