"""Does a store keep rows of any kind, and refuse those of another?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from simulator import StoreError
from simulator.exploration.runs import Runs
from simulator.store.kind import Column, Kind
from simulator.store.store import Store


@dataclass(frozen=True)
class Song:
    key: bytes
    title: str
    tags: dict[str, Any]
    seconds: float | None = None
    plays: int | None = None
    liked: bool | None = None


def fault_of(text: str) -> str | None:
    return None if text == "of 1999" else f"its year is {text!r}"


SONGS = Kind("songs", "songs", Song, lambda song: song.title, "nmsim sing", fault_of)
FIRST = Song(b"1", "Waves", {"live": True, "takes": [1, 2]}, 61.5, 3, False)
SECOND = Song(b"2", "Cores", {})


def test_the_fields_of_a_row_are_its_columns() -> None:
    assert SONGS.columns == (
        Column("key", bytes, True),
        Column("title", str, True),
        Column("tags", dict, True),
        Column("seconds", float, False),
        Column("plays", int, False),
        Column("liked", bool, False),
    )


def test_rows_of_any_kind_come_back_as_they_were_in_their_order(tmp_path: Path) -> None:
    with Store(SONGS, tmp_path / "s") as store:
        store.add([FIRST, SECOND])
    with Store(SONGS, tmp_path / "s", must_exist=True) as store:
        assert store.rows() == [SECOND, FIRST]
        assert store.known([FIRST.key, b"3"]) == {FIRST.key: FIRST}
        assert store.changed == []


def test_a_row_is_amended_as_it_is_now(tmp_path: Path) -> None:
    def played(song: Song, times: int) -> Song:
        return replace(song, plays=(song.plays or 0) + times)

    with Store(SONGS, tmp_path / "s") as store, Store(SONGS, tmp_path / "s") as other:
        store.add([FIRST, SECOND])
        store.amend({FIRST.key: 1, b"3": 1}, played)
        other.amend({FIRST.key: 1}, played)
        assert store.rows() == [SECOND, replace(FIRST, plays=5)]


def test_a_store_remembers_what_was_last_remarked(tmp_path: Path) -> None:
    with Store(SONGS, tmp_path / "s") as store:
        assert store.remark is None
        store.say("of 1999")
        store.say(None)
        assert store.remark == "of 1999"
    with Store(SONGS, tmp_path / "s") as store:
        assert store.remark == "of 1999"
        store.say("of 2000")
    with pytest.raises(StoreError, match="is damaged: its year is 'of 2000'"):
        Store(SONGS, tmp_path / "s")


@pytest.mark.parametrize("must_exist", [False, True])
def test_a_file_of_another_kind_of_row_is_refused_in_one_line(
    must_exist: bool, tmp_path: Path
) -> None:
    Store(SONGS, tmp_path / "songs").close()
    Runs(tmp_path / "runs").close()
    before = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    with pytest.raises(StoreError) as caught:
        Runs(tmp_path / "songs", must_exist=must_exist)
    assert str(caught.value) == (
        f"{tmp_path / 'songs'}: a store of other rows, want runs, got 'songs' "
        "(name another file for --store)"
    )
    with pytest.raises(StoreError, match="a store of other rows, want songs, got 'runs'"):
        Store(SONGS, tmp_path / "runs", must_exist=must_exist)
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == before


def test_who_looks_for_a_store_is_told_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"want a store of songs \(nmsim sing writes one\)"):
        Store(SONGS, tmp_path / "s", must_exist=True)
