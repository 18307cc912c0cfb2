"""Is a price table read as it is written, refused in one line, and priced as the area says?"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from simulator import load_hardware
from simulator.decisions.requirement.prices import AREA, DEFAULT, priced
from simulator.decisions.requirement.steps import STEP, steps_of
from simulator.errors import SpecError
from simulator.hardware.area import relative_area

PRESETS = ("nm-flex", "h100-sxm", "nm-edge", "v100-sxm2")


def test_the_table_that_comes_with_it() -> None:
    found = {one.name: one.price for one in priced()}
    assert found["cores"] == AREA
    assert found["DRAM"] == 0.25
    assert "clock" not in found
    assert DEFAULT.is_file()


def test_what_is_free_takes_the_place_of_what_is_priced() -> None:
    found = {one.name: one.price for one in priced(None, ("memory.dram.bytes_per_second", "clock"))}
    assert "DRAM" not in found
    assert found["memory.dram.bytes_per_second"] == found["clock"] == 0
    assert [*found][-2:] == ["memory.dram.bytes_per_second", "clock"]
    (mine,) = (one for one in priced({}, ("core.vector.macs_per_cycle.fp32",)))
    assert mine.resource.keys == (("core.vector.macs_per_cycle.fp32", 1),)
    (less,) = (one for one in priced({}, ("libraries.own.epilogue_ns",)))
    assert less.resource.keys == (("libraries.own.epilogue_ns", -1),)


BAD = {
    "no such resource": ("DRAMM: 0.2\n", ":1:1 DRAMM: no such resource (did you mean 'DRAM'?)"),
    "below nothing": ("DRAM: 0.2\nport: -0.1\n", ":2:1 port: not a price"),
    "not finite": ("DRAM: .inf\n", ":1:1 DRAM: not a price"),
    "no number": ("DRAM: .nan\n", ":1:1 DRAM: not a price"),
    "a word": ("DRAM: volume\n", "want area, or a number from 0 to 1e+06 for a doubling"),
    "a switch": ("DRAM: true\n", ":1:1 DRAM: not a price"),
    "twice": ("DRAM: 0.2\nDRAM: 0.3\n", 'duplicate key "DRAM"'),
    "one thing twice": ("DRAM: 0.2\nDRAM reads: 0.3\n", "are keys of one thing"),
    "empty": ("{}\n", "prices nothing"),
    "no table": ("[DRAM]\n", "not a price table"),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_a_table_that_is_wrong_says_where(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as error:
        priced(file)
    assert str(error.value).startswith(str(file))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("free", "said"),
    [
        ("memory.dram.bytes", "neither a resource nor a key of one"),
        ("scratchpad", "did you mean"),
        ("", "neither a resource nor a key of one"),
    ],
)
def test_what_is_free_must_be_known(free: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        priced(None, (free,))


def test_what_is_free_twice_is_refused() -> None:
    with pytest.raises(SpecError, match="--free: the same resource twice"):
        priced(None, ("clock", "clock"))
    with pytest.raises(SpecError, match="are keys of one thing"):
        priced(None, ("DRAM", "DRAM reads"))


@pytest.mark.parametrize("preset", PRESETS)
def test_prices_are_those_of_the_machine_that_is_written(preset: str) -> None:
    """Every machine made and its area estimated, beside the sum over axes."""
    machine, drawn = load_hardware(preset), random.Random(preset)
    steps = steps_of(machine, priced())
    for _ in range(20):
        point = tuple(drawn.randint(0, a.top) if drawn.random() < 0.6 else 0 for a in steps.axes)
        area = relative_area(load_hardware(machine, steps.settings(point))) / relative_area(machine)
        weights = sum(
            axis.priced.weight * step / 4 for axis, step in zip(steps.axes, point, strict=True)
        )
        assert steps.price(point) == pytest.approx(area - 1 + weights)


def test_steps_are_values_that_a_person_would_write() -> None:
    """Whole counts, sizes of few binary digits, other values in three digits; doublings exact."""
    steps = steps_of(load_hardware("nm-flex"), priced(None, ("alignment",)))
    of = {axis.name: axis.settings for axis in steps.axes}
    assert [*of["cores"][1].values()] == [128]
    assert [one["core.scratchpad.bytes"] for one in of["scratchpad bytes"][1:5]] == [
        196 * 1024, 232 * 1024, 276 * 1024, 328 * 1024,
    ]  # fmt: skip
    assert [one["core.scratchpad.bytes_per_cycle"] for one in of["scratchpad rate"][1:5]] == [
        152, 181, 215, 256,
    ]  # fmt: skip
    assert [one["memory.dram.latency_ns"] for one in of["DRAM latency"][3:5]] == [241, 202.85]
    assert [one["core.alignment_bytes"] for one in of["alignment"][1:]] == [8, 4, 2, 1]
    assert steps.settings(steps.start) == {}


def test_steps_end_where_no_machine_has_more() -> None:
    steps = steps_of(load_hardware("nm-flex", {"core.count": 3000}), priced({"cores": AREA}))
    (cores,) = steps.axes
    assert cores.settings[-1] == {"core.count": 3568}
    assert cores.factors == pytest.approx([1, STEP])


def test_what_a_machine_lacks_is_no_axis() -> None:
    table = {"promotion": 0.05, "DRAM": 0.25}
    assert [a.name for a in steps_of(load_hardware("nm-edge"), priced(table)).axes] == ["DRAM"]
    with pytest.raises(SpecError, match="has none of the resources"):
        steps_of(load_hardware("nm-edge"), priced({"promotion": 0.05}))


@pytest.mark.parametrize("most", [1.0, 0.5, -2.0, float("nan"), float("inf"), 1e9])
def test_how_far_things_grow_is_a_factor(most: float) -> None:
    with pytest.raises(SpecError, match="--most: not a factor"):
        steps_of(load_hardware("nm-edge"), priced(), most)


def test_an_area_that_is_not_counted_is_no_price() -> None:
    with pytest.raises(SpecError, match="DRAM: its price is its area, of which nothing is counted"):
        steps_of(load_hardware("nm-flex"), priced({"DRAM": AREA}))
