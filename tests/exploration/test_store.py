"""Is a store that cannot be used one clear line, and left as it was?"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from specs import small

import simulator
from simulator import StoreError, sweep
from simulator.exploration.row import Row
from simulator.exploration.runs import Runs
from simulator.store import store as store_module


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with the rows of the small sweep."""
    sweep(small(), store=tmp_path / "runs.sqlite")
    return tmp_path / "runs.sqlite"


def row(number: int, **figures: object) -> Row:
    key = number.to_bytes(32, "big")
    about = (key, {"core.count": number}, "m", "w", None, "fast", "exact")
    return Row(*about, **figures)  # type: ignore[arg-type]


@pytest.fixture
def small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "COMMIT_S", 60.0)
    monkeypatch.setattr(store_module, "LOCKED_S", 0.2)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [
        row(2, time_ps=2**62, mac_utilization=0.1 + 0.2, bound="dram"),
        row(10, error="does not fit: 1 byte"),
        row(3, energy_pj=1e300),
    ]
    with Runs(tmp_path / "s") as store:
        store.add(rows)
        assert store.known([rows[0].key, b"x"]) == {rows[0].key: rows[0]}
        store.flush()
        assert set(store.known([r.key for r in rows])) == {r.key for r in rows}
    with Runs(tmp_path / "s", must_exist=True) as store:
        assert store.rows([rows[1].key, rows[0].key]) == [rows[1], rows[0]]
        assert store.rows() == [rows[0], rows[2], rows[1]]  # 2, 3, 10: as numbers


def test_a_key_is_there_once_and_the_first_row_stays() -> None:
    with Runs() as store:
        store.add([row(1, time_ps=5)])
        store.flush()
        store.add([row(1, time_ps=6), row(2)])
        assert [r.time_ps for r in store.rows()] == [5, None]


@pytest.mark.usefixtures("small_commits")
def test_rows_are_committed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Runs(tmp_path / "s") as store:
        store.add([row(1)])
        assert stored(tmp_path / "s") == 0
        monkeypatch.setattr(store_module, "COMMIT_S", 0.0)
        store.flush_if_due()
        assert stored(tmp_path / "s") == 1
        monkeypatch.setattr(store_module, "COMMIT_S", 60.0)
        store.add([row(n) for n in range(2, 2 + store_module.COMMIT_ROWS)])
        assert stored(tmp_path / "s") == 1 + store_module.COMMIT_ROWS


def stored(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        (count,) = connection.execute("SELECT count(*) FROM points").fetchone()
    finally:
        connection.close()
    return int(count)


# Stores that are none


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE music (title TEXT)")
    connection.commit()
    connection.close()


def altered(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def damaged(path: Path) -> None:
    """The middle of every page but the first is noise."""
    content = bytearray(path.read_bytes())
    for page in range(4096, len(content), 4096):
        content[page : page + 2048] = os.urandom(2048)
    path.write_bytes(content)


BAD = {
    "another program's database": (
        lambda path: (path.unlink(), foreign(path)),
        "is a database, but not a store of runs",
    ),
    "a text": (lambda path: path.write_text("core.count: 4\n" * 100), "is not a database"),
    "a short text": (lambda path: path.write_text("core"), "is not a database"),
    "another layout": (lambda path: altered(path, "PRAGMA user_version = 7"), "want 4, got 7"),
    "another version": (
        lambda path: altered(path, "UPDATE about SET version = '0.0.9'"),
        f"want {simulator.__version__}, got '0.0.9'",
    ),
    "noise in its pages": (damaged, "is damaged"),
    "cut in half": (lambda path: os.truncate(path, 4096 + 100), "is damaged"),
    "no table": (lambda path: altered(path, "DROP TABLE about"), "no such table"),
    "no rows": (lambda path: altered(path, "DROP TABLE points"), "no such table: points"),
    "a view for a table": (
        lambda path: altered(
            path, "ALTER TABLE points RENAME TO p", "CREATE VIEW points AS SELECT * FROM p"
        ),
        "no such table: points",
    ),
    "a column more": (
        lambda path: altered(path, "ALTER TABLE points ADD COLUMN more"),
        "its table 'points' is not as nmsim makes it",
    ),
    "a column less": (
        lambda path: altered(path, "ALTER TABLE points DROP COLUMN checksum"),
        "its table 'points' is not as nmsim makes it",
    ),
    "an empty about": (lambda path: altered(path, "DELETE FROM about"), "has 0 rows, want 1"),
    "two abouts": (
        lambda path: altered(path, "INSERT INTO about SELECT * FROM about"),
        "has 2 rows, want 1",
    ),
    "a blob for a version": (
        lambda path: altered(path, "UPDATE about SET version = x'00ff'"),
        "got",
    ),
    "a text that is none": (
        lambda path: altered(path, "UPDATE about SET version = CAST(x'ff' AS TEXT)"),
        "a store of another nmsim",
    ),
    "other rows": (
        lambda path: altered(path, "UPDATE about SET kind = 'songs'"),
        "a store of other rows, want runs, got 'songs'",
    ),
    "a baseline that is none": (
        lambda path: altered(path, "UPDATE about SET remark = '9:2'"),
        "compares with no pattern",
    ),
    "a number for a baseline": (
        lambda path: altered(path, "UPDATE about SET remark = 7"),
        "compares with no pattern",
    ),
    "an older layout": (lambda path: altered(path, "PRAGMA user_version = 2"), "want 4, got 2"),
}


@pytest.mark.parametrize("must_exist", [False, True])
@pytest.mark.parametrize("name", BAD)
def test_what_is_no_store_is_refused_and_left_alone(
    name: str, must_exist: bool, path: Path
) -> None:
    spoil, says = BAD[name]
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        Runs(path, must_exist=must_exist)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["runs.sqlite"]


@pytest.mark.parametrize(
    ("name", "says"),
    [(".", "is a folder"), ("no/such/folder/s", "folder does not exist"), ("a" * 300, "file name")],
)
def test_what_is_no_file_name(name: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=says):
        Runs(tmp_path / name)
    with pytest.raises(StoreError):
        Runs(tmp_path / name, must_exist=True)
    assert list(tmp_path.iterdir()) == []


def test_a_store_to_read_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        Runs(tmp_path / "s", must_exist=True)


# Stores that others use, and disks that are full


@pytest.fixture
def locked(path: Path) -> Iterator[Path]:
    """A store in which another process is writing."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield path
    other.execute("ROLLBACK")
    other.close()


@pytest.mark.usefixtures("small_commits")
def test_a_locked_store_is_refused_before_anything_runs(locked: Path) -> None:
    with pytest.raises(StoreError, match="is locked by another process"):
        sweep(small(patterns=["1:4"]), store=locked)
    with Runs(locked, must_exist=True) as store:
        assert len(store.rows()) == 16


@pytest.mark.usefixtures("small_commits")
def test_a_store_that_gets_locked_meanwhile(tmp_path: Path) -> None:
    store = Runs(tmp_path / "s")
    other = sqlite3.connect(tmp_path / "s", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store.add([row(1)])
    with pytest.raises(StoreError, match="is locked"):
        store.flush()
    other.execute("ROLLBACK")
    store.flush()
    assert stored(tmp_path / "s") == 1
    store.close()


LIMITED = """
import resource, sys
from simulator import StoreError, sweep
from specs import small

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
cores = {"core.count": list(range(1, 200))}
try:
    sweep(small(parameters=cores), store=sys.argv[1], executor="serial")
except StoreError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [0, 4096, 60_000])
def test_a_full_disk_ends_a_sweep_with_one_line_and_keeps_the_store(room: int, path: Path) -> None:
    before = {r.key: r for r in read(path)}
    new = path.with_name("new.sqlite")
    for target in (path, new):
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, str(target), str(room)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parent,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 1, done.stdout + done.stderr
        assert "disk is full" in done.stdout
    after = {r.key: r for r in read(path)}
    assert before.items() <= after.items()
    assert not new.exists() or len(read(new)) % 1 == 0
    assert sweep(small(), store=path).known == 16


def read(path: Path) -> list[Row]:
    with Runs(path, must_exist=True) as store:
        return store.rows()


def test_a_store_in_a_folder_that_must_not_be_written_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    connect = sqlite3.connect
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(
        sqlite3, "connect", lambda name, **options: opened.append(name) or connect(name, **options)
    )
    assert len(read(path)) == 16
    assert opened == [f"{path.as_uri()}?mode=ro&immutable=1"]
    assert [file.name for file in path.parent.iterdir()] == ["runs.sqlite"]


def test_names_of_files_that_are_no_text_are_kept_escaped(tmp_path: Path) -> None:
    trace = tmp_path / os.fsdecode(b"net\xff.csv")
    trace.write_text("name,m,n,k\nfc,64,64,64\n")
    made = small(workloads=[trace], parameters={})
    result = sweep(made, store=tmp_path / "s")
    assert {row.workload for row in result.rows} == {"net\\udcff"}
    assert sweep(made, store=tmp_path / "s").known == 2
    assert "net\\udcff" in result.to_csv()


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for must_exist in (False, True):
        with pytest.raises(StoreError, match="is no plain file"):
            Runs(tmp_path / "pipe", must_exist=must_exist)
        with pytest.raises(StoreError, match="not a file name"):
            Runs(f"{tmp_path}/a\0b", must_exist=must_exist)


def test_a_store_that_must_not_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may write everything: SQLite is told to open the file for reading."""
    connect = sqlite3.connect

    def read_only(name: str, **options: Any) -> sqlite3.Connection:
        return connect(name.split("?")[0] + "?mode=ro", **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    store = Runs(path)
    store.add([row(7)])
    with pytest.raises(StoreError, match="not writable"):
        store.flush()
