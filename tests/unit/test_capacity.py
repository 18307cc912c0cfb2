"""Does main memory have to hold weights and KV cache of all layers at once?"""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator import Conv, Gemm, Matmul, Stream, Workload, compare, load_workload, simulate
from simulator.errors import MappingError, WorkloadError
from simulator.hardware import Hardware, load_hardware
from simulator.importers import import_workload
from simulator.quantities import size
from simulator.workload.trace_writer import write_trace


def machine(dram_bytes: int) -> Hardware:
    return load_hardware("nm-edge", {"memory.dram.bytes": dram_bytes, "memory.l2.start": "cold"})


FC = Gemm("fc", m=64, n=4, k=128, repeat=3)  # 16 KiB of fp16 weights each
NET = Workload("net", [FC])


@pytest.mark.parametrize(
    ("layer", "pattern", "weight_bytes"),
    [
        (Gemm("g", m=64, n=4, k=128), "1:1", 64 * 128 * 2),
        (Gemm("g", m=64, n=4, k=128, dtype="int8"), "1:1", 64 * 128),
        (Gemm("g", m=64, n=4, k=128, batch=5, repeat=3), "1:1", 15 * 64 * 128 * 2),
        # Half of the weights, and 2 bits of index for each.
        (Gemm("g", m=64, n=4, k=128), "2:4", 64 * 64 * 2 + 64 * 64 // 4),
        # One of eight, and 3 bits.
        (Gemm("g", m=64, n=4, k=128), "1:8", 64 * 16 * 2 + 64 * 16 * 3 // 8),
        (Conv("c", 16, 32, 8, 8, kernel=3, padding=1, batch=9), "1:1", 32 * 16 * 9 * 2),
        (Conv("d", 32, 32, 8, 8, kernel=3, padding=1, groups=32), "1:1", 32 * 9 * 2),
        (Matmul("m", m=64, n=4, k=128), "2:4", 0),
        (Stream("s", reads=100, writes=100), "2:4", 0),
    ],
)
def test_weights_are_held_as_they_are_stored(
    layer: Gemm | Conv | Matmul | Stream, pattern: str, weight_bytes: int
) -> None:
    held = simulate("nm-edge", Workload("w", [layer]), pattern).total.held
    assert (held.weight_bytes, held.cache_bytes) == (weight_bytes, 0)


def test_keys_and_values_are_held_where_they_are_cached() -> None:
    layers = [
        Matmul("scores", m=512, n=1, k=64, batch=6, repeat=2, cached=True),
        Matmul("attend", m=64, n=1, k=512, batch=6, repeat=2, cached=True),
        Matmul("other", m=64, n=1, k=512, batch=6, repeat=2),
    ]
    held = simulate("nm-edge", Workload("w", layers), "2:4").total.held
    assert (held.weight_bytes, held.cache_bytes) == (0, 2 * 2 * 6 * 512 * 64 * 2)


def test_what_just_fits_runs_and_a_byte_less_is_refused() -> None:
    need = 3 * 64 * 128 * 2
    report = simulate(machine(need), NET)
    assert (report.total.blocks, report.total.held.weight_bytes) == (1, need)
    assert report.notes == ()
    with pytest.raises(MappingError) as error:
        simulate(machine(need - 1), NET)
    text = str(error.value)
    assert text.startswith("net on nm-edge: too large for the memory: needs ")
    for part in (f"weights {size(need)}", f"memory.dram.bytes = {need - 1}", "--allow-overflow"):
        assert part in text


def test_blocks_that_are_not_simulated_may_be_elsewhere_and_are_noted() -> None:
    """One of seven blocks fits; where all seven would not, that is said."""
    need = 3 * 64 * 128 * 2
    net = Workload("net", [FC], blocks=7)
    assert simulate(machine(7 * need), net).notes == ()
    report = simulate(machine(7 * need - 1), net)
    assert (report.total.blocks, report.total.held.weight_bytes) == (7, need)
    (note,) = report.notes
    assert note.startswith(f"one of 7 blocks, which together need {size(7 * need)} of memory; ")


def test_sparse_weights_may_fit_where_dense_ones_do_not() -> None:
    room = machine(3 * 64 * 128 * 2 * 3 // 5)
    simulate(room, NET, "2:4")
    with pytest.raises(MappingError, match="too large for the memory"):
        simulate(room, NET, "1:1")
    with pytest.raises(MappingError, match="too large for the memory"):
        compare(room, NET, ["1:1", "2:4"])


FASTER_AS_1_2 = Gemm("g", m=2048, n=3072, k=512, dtype="int8", repeat=100)
SLOTS = 100 * 2048 * 512


def test_what_is_held_is_what_is_executed() -> None:
    """Every second weight and a bit for each, not one in sixteen and four."""
    report = simulate("nm-flex", Workload("w", [FASTER_AS_1_2]), "1:16")
    assert report.layers[0].executed_as == "1:2"
    assert report.total.held.weight_bytes == SLOTS // 2 + SLOTS // 2 // 8


def test_a_denser_pattern_is_no_choice_where_memory_does_not_hold_it() -> None:
    small = load_hardware("nm-flex", {"memory.dram.bytes": 30_000_000, "memory.l2.start": "cold"})
    report = simulate(small, Workload("w", [FASTER_AS_1_2]), "1:16")
    assert report.layers[0].executed_as == "1:8"
    assert report.layers[0].note == "1:16 runs as 1:8, which is faster"
    assert report.total.held.weight_bytes == SLOTS // 8 + SLOTS // 8 * 3 // 8
    tiny = load_hardware("nm-flex", {"memory.dram.bytes": 12_000_000, "memory.l2.start": "cold"})
    report = simulate(tiny, Workload("w", [FASTER_AS_1_2]), "1:16")
    assert (report.layers[0].executed_as, report.layers[0].note) == ("1:16", "")
    assert report.total.held.weight_bytes == SLOTS // 16 + SLOTS // 16 // 2
    free = simulate(small, Workload("w", [FASTER_AS_1_2]), "1:16", allow_overflow=True)
    assert free.layers[0].executed_as == "1:2"
    assert free.notes[-1].startswith("does not fit: needs 59.0 MB of memory")


def test_an_overflow_that_is_allowed_changes_no_figure_and_is_noted() -> None:
    small, large = machine(1000), machine(2**30)
    report = simulate(small, NET, "2:4", allow_overflow=True)
    whole = simulate(large, NET, "2:4")
    assert report.layers == whole.layers
    assert report.total == whole.total
    assert whole.notes == ()
    (note,) = report.notes
    assert "does not fit: needs " in note
    assert "nm-edge has 1.00 kB" in note
    noted = compare(small, NET, ["1:1", "2:4"], allow_overflow=True)
    assert [report.notes != () for report in noted.reports] == [True, True]


def test_activations_alone_are_a_layer_s_affair() -> None:
    layers = [Stream(f"s{i}", reads=2000, writes=2000) for i in range(9)]
    assert simulate(machine(10_000), Workload("w", layers)).total.held.all_bytes == 0


@pytest.mark.parametrize(
    ("name", "weights", "cache", "blocks"),
    [
        ("llama-7b", 4 * 4096**2 + 3 * 4096 * 11008, 2 * 2048 * 4096, 32),
        ("gpt3-175b-decode", 12 * 12288**2, 32 * 2 * 2048 * 12288, 96),
        ("gpt2-xl", 48 * 12 * 1600**2 + 50257 * 1600, 48 * 2 * 1024 * 1600, 1),
        ("bert-base", 12 * 12 * 768**2, 0, 1),
    ],
)
def test_presets_hold_what_their_papers_say(
    name: str, weights: int, cache: int, blocks: int
) -> None:
    total = simulate("a100-sxm4-80gb", name, accuracy="sampled").total
    assert total.blocks == blocks
    assert total.held.weight_bytes == 2 * weights
    assert total.held.cache_bytes == 2 * cache


# As data of a trace


def trace(folder: Path, text: str, **parameters: int) -> Workload:
    path = folder / "trace.csv"
    path.write_text(text)
    return load_workload(path, **parameters)


ROWS = "name,kind,m,n,k,cached\na,matmul,8,8,8,1\nb,matmul,8,8,8,\nfc,linear,8,8,8,\n"


def test_a_trace_says_what_is_cached_and_how_many_blocks_there_are(tmp_path: Path) -> None:
    workload = trace(tmp_path, f"# parameter: depth = 6\n# blocks: 2*depth\n{ROWS}", depth=4)
    assert workload.blocks == 8
    assert [getattr(layer, "cached", None) for layer in workload.layers] == [True, False, None]
    again = trace(tmp_path, write_trace(workload))
    assert again.blocks == 8
    assert [getattr(layer, "cached", None) for layer in again.layers] == [True, False, None]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"# blocks: 0\n{ROWS}", "trace.csv:1: out of range"),
        (f"# blocks: many\n{ROWS}", "trace.csv:1: unknown parameter 'many'"),
        (f"# blocks:\n{ROWS}", "trace.csv:1: not a number"),
        (f"# blocks: 2\n# blocks: 3\n{ROWS}", "trace.csv:2: blocks are said twice"),
        (ROWS.replace(",1\n", ",2\n"), "cached: must be 0 or 1"),
        (ROWS.replace("fc,linear,8,8,8,", "fc,linear,8,8,8,1"), "a linear has no 'cached'"),
    ],
)
def test_a_trace_that_says_it_wrong(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(WorkloadError) as error:
        trace(tmp_path, text)
    assert says in str(error.value)


def test_blocks_in_a_comment_are_words(tmp_path: Path) -> None:
    assert trace(tmp_path, f"# blocks of 4 are equal\n{ROWS}").blocks == 1


@pytest.mark.parametrize("blocks", [0, -1, 1.5, True, "2"])
def test_blocks_are_a_count(blocks: object) -> None:
    with pytest.raises(WorkloadError, match="net blocks: not a count"):
        Workload("net", [FC], blocks=blocks)  # type: ignore[arg-type]


def test_a_decoder_s_configuration_caches_keys_and_values(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    sizes = '"n_embd": 64, "n_head": 4, "n_layer": 3, "n_positions": 64, "vocab_size": 100'
    path.write_text(f'{{"model_type": "gpt2", {sizes}}}')
    workload = import_workload(path, {"seq": 1, "context": 32}).workload
    held = simulate("nm-edge", workload).total.held
    assert held.cache_bytes == 3 * 2 * 32 * 64 * 2
