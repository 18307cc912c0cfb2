"""Do pictures say what they show: axes with units, legends, as many marks as figures, and files?"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, FigureBase
from matplotlib.patches import Rectangle

from simulator import Gemm, Report, Stream, Workload, compare, simulate, sweep
from simulator.colours import BOUND_COLOURS, CORE_TIME_COLOURS, OPERAND_COLOURS, on_dark
from simulator.errors import OutputError
from simulator.names import words
from simulator.pictures import Picture, heat_map, new_picture, pareto, percent, save, speedup
from simulator.pictures.style import BOUNDS, axis_label
from simulator.quantities import SIZE, TIME, axis_unit
from simulator.report.account import CORE_TIME
from simulator.report.comparison import Comparison
from simulator.report.drawn import PLOTTED_LAYERS

LAYERS = Workload(
    "net",
    [
        *(Gemm(f"fc{i}", m=64 * i, n=64, k=128, repeat=i) for i in range(1, 5)),
        Stream("add", reads=9000, writes=4500, op="add"),
    ],
)


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate("nm-edge", LAYERS, "2:4")


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare("nm-edge", LAYERS, ["1:1", "2:4", "1:16"])


def axes_of(picture: FigureBase) -> list[Axes]:
    """All axes, those of parts of a page included."""
    return [
        *picture.axes,
        *(a for part in picture.subfigs for a in axes_of(part) if a not in picture.axes),
    ]


def legend_of(picture: FigureBase) -> list[str]:
    found = [text.get_text() for legend in picture.legends for text in legend.get_texts()]
    return found + [text for part in picture.subfigs for text in legend_of(part)]


def bars_of(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


# What a run shows


def test_roofline(report: Report) -> None:
    picture = report.plot_roofline()
    (axes,) = picture.axes
    assert axes.get_title(loc="left") == "Roofline: net on nm-edge, 2:4"
    assert axes.get_xlabel() == "useful MACs per byte of DRAM traffic, MAC/byte"
    assert axes.get_ylabel() == "useful MACs, GMAC/s"
    assert len(axes.collections) == 4  # a point a layer that multiplies
    texts = [text.get_text() for text in axes.texts]
    assert "fp16 peak, 512 GMAC/s" in texts  # 4 cores, 128 MACs a ns
    assert "DRAM, 22 GB/s" in texts  # 25.6 GB/s, 85 %
    share = report.layers[-1].time_ps / report.total.time_ps
    assert f"not shown, without MACs or DRAM traffic: {share:.0%} of the time" in texts
    legend = legend_of(picture)
    assert legend[0] == "bound by"
    assert {"1", "2", "3", "4"} <= set(texts)
    assert {entry.split(",")[0].split()[-1] for entry in legend[-4:]} == {
        "fc1", "fc2", "fc3", "fc4",
    }  # fmt: skip


def test_no_point_is_above_the_roof(report: Report) -> None:
    (axes,) = report.plot_roofline().axes
    roof = report.roof
    for points in axes.collections:
        ((x, y),) = np.asarray(points.get_offsets())
        assert y * 1e9 <= min(roof.macs_per_second["fp16"], x * roof.dram_bytes_per_second)


def test_core_time_by_layer(report: Report) -> None:
    picture = report.plot_core_time()
    (axes,) = picture.axes
    assert axes.get_xlabel() == "time of an average core, µs"
    assert axes.get_ylabel() == "layer"
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert sorted(labels) == ["add", "fc1", "fc2 ×2", "fc3 ×3", "fc4 ×4"]
    ends: dict[int, float] = {}
    for bar in bars_of(axes):
        row = round(bar.get_y() + bar.get_height() / 2)
        ends[row] = ends.get(row, 0.0) + bar.get_width()
    longest = max(x.time_ns * x.repeat for x in report.layers) / 1e3
    assert ends[0] == pytest.approx(longest)
    assert sum(ends.values()) == pytest.approx(report.total.time_ns / 1e3)
    shown = [kind for kind, time in report.core_time_ns().items() if time]
    assert [entry.split(",")[0] for entry in legend_of(picture)] == [words(k) for k in shown]


def test_small_layers_share_a_bar() -> None:
    layers = [Gemm(f"g{i}", 16 * i, 16, 32) for i in range(1, 31)]
    report = simulate("nm-edge", Workload("many", layers))
    (axes,) = report.plot_core_time().axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(labels) == PLOTTED_LAYERS + 1
    assert labels[-1] == f"{30 - PLOTTED_LAYERS} other layers"


def test_traffic_has_a_panel_a_level(report: Report) -> None:
    picture = report.plot_traffic()
    levels = ["DRAM", "L2", "scratchpad", "register file"]
    assert [axes.get_title(loc="left") for axes in picture.axes] == levels
    for axes, operands in zip(picture.axes, report.total.traffic_bytes.values(), strict=True):
        unit = axes.get_xlabel().removeprefix("traffic, ")
        scale = {"kB": 1e3, "MB": 1e6}[unit]
        drawn = sum(bar.get_width() for bar in bars_of(axes)) * scale
        assert drawn == pytest.approx(sum(sum(ways.values()) for ways in operands.values()))
    legend = legend_of(picture)
    assert legend[-1] == "written"
    assert "activations" in legend


def test_a_page_of_a_run_has_all_three(report: Report) -> None:
    page = report.plot()
    assert len(axes_of(page)) == 1 + 1 + 4
    assert page.get_suptitle() == "net on nm-edge, 2:4"


# What a comparison shows


def test_speedups_beside_what_density_would_give(comparison: Comparison) -> None:
    picture = comparison.plot_speedup()
    (axes,) = picture.axes
    assert axes.get_ylabel() == "speed-up over 1:1, ratio"
    assert axes.get_xlabel() == "pattern, keep:group"
    heights = [bar.get_height() for bar in bars_of(axes)]
    assert heights == pytest.approx([comparison.speedup(r) for r in comparison.reports])
    (marks,) = axes.collections
    assert [path.vertices[0][1] for path in marks.get_paths()] == [1, 2, 16]
    # nm-edge has groups up to 8, and says what it does with a larger one.
    labels = [label.get_text() for label in axes.get_xticklabels()]
    executed = ", ".join(p for p in comparison.executed(comparison.reports[2]) if p != "1:1")
    assert labels == ["1:1", "2:4", f"1:16\nas {executed}"]
    assert len(legend_of(picture)) == 2


def test_core_time_by_pattern(comparison: Comparison) -> None:
    (axes,) = comparison.plot_core_time().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1:1", "2:4", "1:16"]
    assert [text.get_text() for text in axes.texts] == [
        f"{comparison.speedup(r):.2f}x" for r in comparison.reports
    ]


def test_traffic_by_pattern(comparison: Comparison) -> None:
    picture = comparison.plot_traffic()
    labels = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert labels == ["1:1", "2:4", "1:16"]
    assert legend_of(picture)[-2:] == ["read", "written"]


def test_a_page_of_a_comparison(comparison: Comparison) -> None:
    page = comparison.plot()
    assert len(axes_of(page)) == 2
    assert page.get_suptitle() == "net on nm-edge"


# Sweeps


def test_pareto_joins_what_is_not_beaten() -> None:
    frame = pd.DataFrame(
        {"time_us": [4.0, 1.0, 2.0, 2.0, 3.0, 1.0], "area_mm2": [1.0, 9.0, 4.0, 4.0, 5.0, 9.5]},
        index=list("abcdef"),
    )
    picture = new_picture(8, 4)
    axes = pareto(picture, frame, title="t")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time, µs", "area, mm²")
    every, front = axes.collections
    assert len(np.asarray(every.get_offsets())) == 6
    # c and d are equal; f is as fast as b, and larger; e is beaten by c.
    assert np.asarray(front.get_offsets()).tolist() == [[1, 9], [2, 4], [4, 1]]
    assert legend_of(picture) == ["beaten by another", "front", "1  b", "2  c", "3  a"]


def spread(points: int) -> pd.DataFrame:
    """Points of which a dozen and more are on the front, with long names."""
    random = np.random.default_rng(3)
    x = np.linspace(0.3, 10, points)
    names = [f"a machine with a long name, the {number}." for number in range(points)]
    columns = {"time_us": x, "area_mm2": 10 / x + random.random(points) / 9}
    return pd.DataFrame(columns, index=names)


def test_pareto_and_heat_map_make_a_picture_of_their_own(tmp_path: Path) -> None:
    frame = spread(20)
    for drawn in (pareto(frame), pareto(None, frame), pareto(frame=frame, title="t")):
        assert isinstance(drawn.figure, Picture)
        assert len(np.asarray(drawn.collections[0].get_offsets())) == 20
    cells = pd.DataFrame([[1.0, 2.0]])
    assert isinstance(heat_map(cells).figure, Picture)
    figure = pareto(frame).figure
    assert isinstance(figure, Picture)
    save(figure, tmp_path / "own.png")
    for draw in (pareto, heat_map):
        with pytest.raises(OutputError, match="nothing to draw"):
            draw(new_picture(4, 4))


def test_pareto_of_a_sweep_names_points_after_what_varies() -> None:
    spec = {
        "hardware": "nm-edge",
        "workloads": "gemm:64x48x96",
        "patterns": ["1:1", "2:4"],
        "parameters": {"core.count": [1, 2, 4], "core.scratchpad.bytes": [100, 65536]},
    }
    axes = pareto(sweep(spec).to_frame())
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time, ns", "energy, pJ")
    assert len(np.asarray(axes.collections[0].get_offsets())) == 6  # half of them fail
    figure = axes.figure
    assert isinstance(figure, Picture)
    assert legend_of(figure)[2:] == ["1  2:4, count=4", "2  2:4, count=2", "3  2:4, count=1"]


@pytest.mark.parametrize("size", [(8, 4.6), (10, 9), (4, 4), (3, 2.5), (2.5, 6), (9, 2)])
@pytest.mark.parametrize("make", [new_picture, lambda *size: Figure(figsize=size)])
def test_a_legend_lies_beside_the_points_or_below(
    size: tuple[float, float], make: Callable[..., Figure]
) -> None:
    picture = make(*size)
    axes = pareto(picture, spread(40), title="t")
    picture.draw_without_rendering()
    (legend,) = picture.legends
    box = legend.get_window_extent()
    assert not box.overlaps(axes.bbox)
    for points in axes.collections:
        at = points.get_offset_transform().transform(np.asarray(points.get_offsets()))
        assert not box.count_contains(at)
    numbers = [text.get_window_extent() for text in axes.texts]
    assert not box.count_overlaps(numbers)
    assert len(numbers) == len(legend.get_texts()) - 2
    assert picture.bbox.x0 <= box.x0
    assert box.x1 <= picture.bbox.x1 + 1
    assert picture.bbox.y0 - 1 <= box.y0
    assert axes.bbox.height > 0.15 * picture.bbox.height


def test_pareto_can_maximise() -> None:
    frame = pd.DataFrame({"speedup_ratio": [1.0, 2.0, 3.0], "area_mm2": [1.0, 3.0, 2.0]})
    axes = pareto(new_picture(8, 4), frame, title="t", maximise=(True, False))
    assert sorted(np.asarray(axes.collections[1].get_offsets()).tolist()) == [[1, 1], [3, 2]]


def test_pareto_agrees_with_comparing_all_pairs() -> None:
    rng = np.random.default_rng(7)
    for _ in range(50):
        costs = rng.integers(0, 6, (12, 2)).astype(float)
        frame = pd.DataFrame(costs, columns=["a", "b"])
        front = np.asarray(pareto(new_picture(4, 4), frame, title="").collections[1].get_offsets())
        unbeaten = {
            (x, y) for x, y in costs
            if not any((u <= x and v <= y) and (u, v) != (x, y) for u, v in costs)
        }  # fmt: skip
        assert {(x, y) for x, y in front} == unbeaten


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1.0]}),
        pd.DataFrame({"a": [1.0], "b": [np.nan]}),
        pd.DataFrame({"a": ["x"], "b": [1.0]}),
        pd.DataFrame({"a": [], "b": []}),
    ],
)
def test_pareto_refuses_what_is_not_two_columns_of_numbers(frame: pd.DataFrame) -> None:
    with pytest.raises(OutputError, match="pareto"):
        pareto(new_picture(4, 4), frame, title="")


def test_heat_map_says_every_figure_and_what_is_missing() -> None:
    frame = pd.DataFrame(
        [[1.0, 2.5], [np.nan, 4.0]],
        index=pd.Index([64, 128], name="core.scratchpad.bytes_per_cycle"),
        columns=pd.Index([2, 4], name="core.count"),
    )
    picture = new_picture(6, 4)
    axes = heat_map(picture, frame, title="t", value="time_us")
    assert axes.get_xlabel() == "core count"
    assert axes.get_ylabel() == "scratchpad, bytes/cycle"
    assert [text.get_text() for text in axes.texts] == ["1.00", "2.50", "none", "4.00"]
    assert picture.axes[1].get_ylabel() == "time, µs"
    with pytest.raises(OutputError, match="nothing to draw"):
        heat_map(new_picture(6, 4), frame * np.nan, title="t", value="x")


# Style


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_files_are_written_and_the_same_each_time(
    comparison: Comparison, tmp_path: Path, suffix: str
) -> None:
    files = [tmp_path / f"{name}.{suffix}" for name in "ab"]
    for file in files:
        save(comparison.plot(), file)
    first, second = (file.read_bytes() for file in files)
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix])
    assert first == second
    if suffix == "svg":
        assert "speed-up over 1:1" in first.decode()  # text stays text


def test_a_picture_shows_itself_in_a_notebook(report: Report) -> None:
    assert report.plot_traffic()._repr_png_().startswith(b"\x89PNG")


def test_the_callers_style_neither_changes_nor_matters(report: Report, tmp_path: Path) -> None:
    import matplotlib as mpl

    save(report.plot(), tmp_path / "plain.png")
    with mpl.rc_context({"font.size": 30, "axes.grid": True, "savefig.bbox": "tight"}):
        before = dict(mpl.rcParams)
        save(report.plot(), tmp_path / "odd.png")
        assert dict(mpl.rcParams) == before
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "odd.png").read_bytes()


def test_nothing_overlaps_or_is_cut_off(report: Report, comparison: Comparison) -> None:
    """Legends keep off axes, and every title and label is inside the picture."""
    for picture in (report.plot(), comparison.plot(), report.plot_roofline()):
        picture.draw_without_rendering()
        whole = picture.bbox
        every = axes_of(picture)
        boxes = [axes.bbox for axes in every]
        for one, other in itertools.combinations(boxes, 2):
            assert not one.overlaps(other)
        for part in [picture, *picture.subfigs]:
            for legend in part.legends:
                box = legend.get_window_extent()
                assert whole.containsx(box.x0)
                assert whole.containsx(box.x1 - 1)
                assert not any(axes.overlaps(box) for axes in boxes)
        for axes in every:
            labels = axes.get_yticklabels()
            ticks = [t for t in labels if axes.bbox.containsy(t.get_window_extent().y0)]
            for text in (axes._left_title, axes.xaxis.label, axes.yaxis.label, *ticks):
                box = text.get_window_extent()
                if text.get_text():
                    assert whole.containsx(box.x0)
                    assert whole.containsx(box.x1)
                    assert whole.containsy(box.y0)
                    assert whole.containsy(box.y1)


def test_every_kind_has_a_colour(report: Report) -> None:
    assert list(CORE_TIME_COLOURS) == list(CORE_TIME)
    operands = {name for level in report.total.traffic_bytes.values() for name in level}
    assert operands == set(OPERAND_COLOURS)
    assert {*report.layers[0].busy_ratio, "latency"} == set(BOUNDS)


# Rows of RGB as seen without cones for red, or green (Viénot, Brettel and Mollon, 1999).
PROTANOPE = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
DEUTERANOPE = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])


@pytest.mark.parametrize("seen", [np.eye(3), PROTANOPE, DEUTERANOPE])
@pytest.mark.parametrize("ground", [dict, on_dark])
@pytest.mark.parametrize("colours", [CORE_TIME_COLOURS, OPERAND_COLOURS, BOUND_COLOURS])
def test_colours_stay_apart_for_the_colour_blind(
    seen: np.ndarray, ground: Callable[..., dict[str, str]], colours: dict[str, str]
) -> None:
    colours = ground(colours)
    linear = np.array([to_rgb(colour) for colour in colours.values()]) ** 2.2
    shown = np.clip(linear @ seen.T, 0, 1) ** (1 / 2.2)
    for one, other in itertools.combinations(range(len(colours)), 2):
        names = list(colours)
        distance = np.linalg.norm(shown[one] - shown[other])
        assert distance > 0.12, (names[one], names[other], distance)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("time_us", "time, µs"),
        ("core.count", "core count"),
        ("core.scratchpad.bytes_per_cycle", "scratchpad, bytes/cycle"),
        ("core.register_file.operand_bytes_per_cycle", "operand, bytes/cycle"),
        ("memory.dram.bytes_per_second", "DRAM, bytes/s"),
        ("memory.l2.bytes", "L2, bytes"),
        ("area_mm2", "area, mm²"),
        ("speedup_ratio", "speedup, ratio"),
        ("sparsity.largest_group", "sparsity largest group"),
        ("cycles", "cycles"),
    ],
)
def test_axis_labels_take_units_from_names(name: str, label: str) -> None:
    assert axis_label(name) == label


def test_units_suit_sizes() -> None:
    assert axis_unit(2500, TIME).name == "µs"
    assert axis_unit(1500, TIME).name == "ns"
    assert axis_unit(3e9, SIZE).name == "GB"
    assert axis_unit(0, SIZE).name == "B"
    assert [percent(x) for x in (0, 0.001, 0.25)] == ["0%", "<1%", "25%"]


def test_a_pattern_that_reaches_its_bound_is_labelled_inside_its_bar() -> None:
    axes = speedup(new_picture(6, 4), ["1:1", "2:4"], [1.0, 1.5], [1, 2], title="", over="1:1")
    inside, above = axes.texts
    assert (inside.get_va(), above.get_va()) == ("top", "bottom")


def test_a_picture_needs_no_display() -> None:
    assert type(new_picture(2, 2).canvas).__name__ == "FigureCanvasAgg"
    assert issubclass(Picture, FigureBase)
