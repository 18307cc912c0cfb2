"""Is all that a machine may have more of doubled by `make better`, and is it better then?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from better import SLOWER
from drawn import PRESETS

from simulator import Gemm, Workload, simulate
from simulator.hardware import load_hardware
from simulator.hardware.resources import RESOURCES

OTHERS = (
    r"launch_ns|graph_launch_ns",  # the host's
    r"energy\..*|sustained\..*",  # what limits a clock, where it does
    r"memory\.dram\.bytes",  # room for all, or an error
    r"core\.tensor_cores\.(instructions|issue)\..*",  # shapes; of `nmsim microbench` alone
    r"core\.scratchpad\.(banks|bank_bytes)",  # of the unstructured baseline alone
    r"core\.scratchpad\.efficiency_ratio",  # doubled with its rate
    r"core\.register_file\.(reserved_bytes|buffers)",  # the rest of its bytes; one or two
    r"sparsity\..*",  # what can be skipped
    r"libraries\..*|attention\..*|core\.promotion\.(every_k|rows)",  # what kernels do
)
"""Numbers of a machine of which there is no twice as good."""


def numbers(tree: Any, before: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from numbers(value, f"{before}.{key}" if before else key)
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield before


@pytest.mark.parametrize("preset", PRESETS)
def test_every_number_is_a_resource_or_said_to_be_none(preset: str) -> None:
    known = [key.replace(".", r"\.").replace("*", r"[^.]*") for r in RESOURCES for key, _ in r.keys]
    pattern = re.compile("|".join([*known, *OTHERS]))
    tree = load_hardware(preset).model_dump(mode="json")
    assert [key for key in numbers(tree) if not pattern.fullmatch(key)] == []


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_resource_is_one_of_some_machine(resource: Any) -> None:
    """And doubling it is a machine, on which a product of a few waves takes hardly longer."""
    presets = map(load_hardware, PRESETS)
    scaled = ((preset, resource.scaled(preset, 2)) for preset in presets)
    pair = next((pair for pair in scaled if pair[1] is not None), None)
    if resource.name == "L2 foreign dirty":  # a condition of a loop that is measured
        assert pair is None
        return
    assert pair is not None
    layer = Workload("w", [Gemm("gemm", m=4096, n=4096, k=512)])
    before, after = (simulate(one, layer).total.time_ps for one in pair if one)
    assert after <= before * SLOWER
