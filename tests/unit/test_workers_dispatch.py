"""Is every item worked on once, whatever it is, and by workers of this nmsim alone?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from simulator import SpecError
from simulator.store.kind import Kind
from simulator.store.store import Store
from simulator.workers.dispatch import Batch, Dispatch
from simulator.workers.executors import Serial
from simulator.workers.pool import Pool


@dataclass(frozen=True)
class Number:
    value: int
    name: str = "a number"

    @property
    def key(self) -> bytes:
        return self.value.to_bytes(4, "big")


@dataclass(frozen=True)
class Square:
    key: bytes
    square: int
    names: str


SQUARES = Kind("squares", "squares", Square, lambda row: row.square, "nothing", lambda _: None)


def squares(numbers: Sequence[Number]) -> list[Square]:
    return [Square(number.key, number.value**2, number.name) for number in numbers]


def also_named(row: Square, number: Number) -> Square:
    return row if number.name in row.names else replace(row, names=f"{row.names}, {number.name}")


@pytest.mark.parametrize("executor", [Serial(), ThreadPoolExecutor(3)])
def test_items_are_worked_on_once_and_known_ones_not_at_all(executor: Executor) -> None:
    settled: list[int] = []
    worked: list[Number] = []

    def work(numbers: Sequence[Number]) -> list[Square]:
        worked.extend(numbers)
        return squares(numbers)

    with Store(SQUARES) as store:
        store.add(squares([Number(7)]))
        items = [*map(Number, range(300)), Number(5)]
        dispatch = Dispatch(work, store, Pool(executor, 3), settled=settled.append)
        dispatch.run(items)
        assert [row.square for row in store.rows()] == [value**2 for value in range(300)]
    executor.shutdown()
    assert sorted(number.value for number in worked) == [v for v in range(300) if v != 7]
    assert (dispatch.tally.computed, dispatch.tally.known) == (299, 1)
    assert sum(settled) == len(items)


def test_a_known_row_keeps_what_an_item_adds() -> None:
    with Store(SQUARES) as store:
        store.add(squares([Number(2), Number(3)]))
        items = [Number(2, "a prime"), Number(3)]
        Dispatch(squares, store, Pool(Serial(), 1), also_named).run(items)
        assert [row.names for row in store.rows()] == ["a number, a prime", "a number"]


class Older(Serial):
    """Workers of another nmsim."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        batch: Batch[Square] = super().submit(fn, *args, **kwargs).result()
        future: Future[Any] = Future()
        future.set_result(replace(batch, version="0.0.9"))
        return future


def test_workers_of_another_version_are_refused() -> None:
    with Store(SQUARES) as store:
        with pytest.raises(SpecError, match=r"workers: run another nmsim, want .*, got '0\.0\.9'"):
            Dispatch(squares, store, Pool(Older(), 1)).run([Number(1)])
        assert store.rows() == []
