"""What `notebooks/03_where_time_goes` shows, and what its prose says of it."""

from __future__ import annotations

from types import SimpleNamespace

from kept import rerun

from simulator import load_hardware


def test_the_account_adds_up_and_says_what_the_prose_says() -> None:
    found = rerun("03_where_time_goes")
    every_picosecond_is_accounted_for(found)
    sparsity_shrinks_useful_macs_alone(found)
    kinds_of_layers_are_bound_as_told(found)
    activations_leave_the_scratchpad_whole(found)
    stacks_and_a_warm_l2_matter(found)
    the_answer_holds(found)


def every_picosecond_is_accounted_for(found: SimpleNamespace) -> None:
    for (_, machine), comparison in found.runs.items():
        cores = load_hardware(machine).core.count
        for report in comparison.reports:
            for layer in report.layers:
                assert sum(layer.core_time_ps.values()) == cores * layer.time_ps
            for kind, time_ps in report.total.core_time_ps.items():
                assert time_ps == sum(x.core_time_ps[kind] * x.repeat for x in report.layers)
            assert sum(report.total.core_time_ps.values()) == cores * report.total.time_ps


def sparsity_shrinks_useful_macs_alone(found: SimpleNamespace) -> None:
    on_a100, on_flex = (found.shares.xs(name, level="machine") for name in found.MACHINES)
    useful = on_flex.mac_useful.unstack()
    assert useful.loc["gpt3", "1:1"] > 80
    assert (useful["1:1"] > useful["2:4"]).all()
    assert (useful["2:4"] > useful["1:8"]).all()
    stall = on_flex.scratchpad_stall.unstack()
    assert (stall["1:1"] < stall["2:4"]).all()
    assert (stall["2:4"] < stall["1:8"]).all()
    assert stall.loc["gpt3", "1:8"] > 50
    prologue = on_flex.prologue.unstack()
    assert (prologue["1:1"] < prologue["1:8"]).all()
    assert on_flex.loc["resnet50", "1:8"].drop("speedup").idxmax() == "prologue"

    speedup = on_flex.speedup.unstack()
    assert 2.2 < speedup.loc["gpt3", "1:8"] < 2.3
    assert 1.68 < speedup.loc["bert-base", "1:8"] < 1.76
    assert 1.25 < speedup.loc["resnet50", "1:8"] < 1.3
    assert (on_a100.speedup.unstack()["1:8"] == on_a100.speedup.unstack()["2:4"]).all()
    expected = {"gpt3": (88, 27), "bert-base": (70, 18), "resnet50": (49, 16)}
    for network, (when_dense, under_eighth) in expected.items():
        assert round(useful.loc[network, "1:1"]) == when_dense
        assert round(useful.loc[network, "1:8"]) == under_eighth


def kinds_of_layers_are_bound_as_told(found: SimpleNamespace) -> None:
    for network in found.NETWORKS:
        dense, *sparse = found.runs[network, "nm-flex"].reports
        for report in (dense, *sparse):
            for one, other in zip(dense.layers, report.layers, strict=True):
                if one.kind == "attention":
                    assert other.work_bound == {"gpt3": "mac", "bert-base": "latency"}[network]
                    assert 0.99 < other.time_ps / one.time_ps < 1.01
                elif one.kind not in ("gemm", "conv"):
                    assert other.work_bound in ("dram", "l2", "vector")
                    assert 0.8 < other.time_ps / one.time_ps < 1.2
        if network != "resnet50":
            assert {x.work_bound for x in dense.layers if x.kind == "gemm"} == {"mac"}
            for report in sparse:
                assert {x.work_bound for x in report.layers if x.kind == "gemm"} == {"scratchpad"}

    by_name = {layer.name: layer for layer in found.resnet.layers}
    assert by_name["conv1"].work_bound == "l2"
    _, half, eighth = found.runs["resnet50", "nm-flex"].reports
    assert half.total.work_bound_ratio["dram"] > 0.5
    assert 0.55 < eighth.total.work_bound_ratio["dram"] < 0.65


def activations_leave_the_scratchpad_whole(found: SimpleNamespace) -> None:
    dense, half, eighth = (
        {operand: ways["read"] for operand, ways in traffic.items()}
        for traffic in (
            report.total.traffic_bytes["scratchpad"]
            for report in found.runs["gpt3", "nm-flex"].reports
        )
    )
    assert 0.49 < half["weights"] / dense["weights"] < 0.51
    assert 0.12 < eighth["weights"] / dense["weights"] < 0.13
    for read in (half, eighth):
        assert 0.99 < read["activations"] / dense["activations"] < 1.01
    assert 0.85 < eighth["activations"] / sum(eighth.values()) < 0.92


def stacks_and_a_warm_l2_matter(found: SimpleNamespace) -> None:
    one = found.stacks.xs(1, level="batch")
    assert one["kernels"].to_dict() == {"eager": 204, "compiled": 120, "fused": 84}
    assert one["GMAC"].max() - one["GMAC"].min() < 1e-9
    assert 0.55 < one.loc["fused", "time, µs"] / one.loc["eager", "time, µs"] < 0.65
    many = found.stacks.xs(32, level="batch")
    assert 2 < many.loc["eager", "DRAM written, MB"] / many.loc["fused", "DRAM written, MB"] < 3

    read, floor = (found.starts[what].unstack() for what in ("DRAM read, MB", "compulsory, MB"))
    assert (read["carried"] < 1.1 * floor["carried"]).all()
    assert read.loc["resnet50", "cold"] > 1.5 * read.loc["resnet50", "carried"]
    assert read.loc["resnet50", "repeated"] == read.loc["resnet50", "carried"]
    assert read.loc["mobilenetv2", "repeated"] < 1


def the_answer_holds(found: SimpleNamespace) -> None:
    by_batch = found.by_batch
    start, gain = by_batch["kernel start, %"].unstack(), by_batch["2:4 speed-up"].unstack()
    assert start[1].between(56, 65).all()
    assert by_batch["bound by launch, %"].unstack()[1].min() > 95
    assert gain[1].between(1, 1.01).all()
    assert start[64].between(5, 10).all()
    assert (start.diff(axis=1).iloc[:, 1:] < 0).all(axis=None)
    assert (gain[64] > gain[1] + 0.1).all()
    assert 1.13 < gain.loc["resnet50", 64] < 1.19
    assert 1.38 < gain.loc["bert-base", 64] < 1.43
