"""Do experts become products of the tokens that they are sent, block by block?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import load_model, simulate
from simulator.errors import WorkloadError
from simulator.workload import Gemm
from tests.bare import bare
from tests.unit.test_hf_config import BERT, GPT2, LLAMA, VIT, read
from tests.unit.test_hf_quantization import SMALL
from tests.unit.test_model_weights import hf, random

MIXTRAL = {**LLAMA, "model_type": "mistral", "num_local_experts": 8, "num_experts_per_tok": 2}


def linears(folder: Path, config: Any, **sizes: int) -> dict[str, Gemm]:
    layers = bare(read(folder, config, **sizes).layers)
    return {layer.name: layer for layer in layers if isinstance(layer, Gemm)}


def test_experts_are_products_side_by_side(tmp_path: Path) -> None:
    """Mixtral 8x7B, whose sizes these nearly are: two of eight experts a token."""
    found = linears(tmp_path, MIXTRAL, batch=1, seq=2048)
    assert found["router"] == Gemm("router", m=8, n=2048, k=4096, dtype="bf16", repeat=32)
    into = Gemm("experts.gate.up", 2 * 14336, 512, 4096, batch=8, dtype="bf16", repeat=32)
    assert found["experts.gate.up"] == into
    out = Gemm("experts.down", 4096, 512, 14336, batch=8, dtype="bf16", repeat=32)
    assert found["experts.down"] == out
    assert "gate.up" not in found
    weights = sum(layer.m * layer.k * layer.batch * layer.repeat for layer in found.values())
    attention = 4096 * (2 * 4096 + 2 * 1024)
    assert weights == 32 * (attention + 8 * 4096 + 8 * 3 * 4096 * 14336) + 4096 * 128256


def test_few_tokens_need_few_experts(tmp_path: Path) -> None:
    assert linears(tmp_path, MIXTRAL, seq=1)["experts.down"].batch == 2
    uneven = linears(tmp_path, MIXTRAL, batch=5, seq=1)
    shares = [(uneven[name].batch, uneven[name].n) for name in uneven if "down" in name]
    assert shares == [(2, 2), (6, 1)]


def test_some_blocks_may_be_dense(tmp_path: Path) -> None:
    config = {**SMALL, "model_type": "qwen3", "num_experts": 8, "num_experts_per_tok": 2,
              "moe_intermediate_size": 32, "decoder_sparse_step": 2, "mlp_only_layers": [1],
              "shared_expert_intermediate_size": 48, "norm_topk_prob": True,
              "router_aux_loss_coef": 0.001}  # fmt: skip
    found = linears(tmp_path, config, seq=4)
    assert {name: found[name].m for name in found if "gate" in name or "router" in name} == {
        "0-2.gate": 128, "3.router": 8, "3.experts.gate.up": 64, "3.shared.gate.up": 96,
        "3.shared.gate": 1,
    }  # fmt: skip
    deepseek = {**SMALL, "n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 2,
                "moe_intermediate_size": 32, "first_k_dense_replace": 1}  # fmt: skip
    found = linears(tmp_path, deepseek, seq=4)
    assert found["0.down"].repeat == 1
    assert found["1-3.shared.down"].k == 64
    assert found["1-3.experts.down"].repeat == 3


@pytest.mark.parametrize("count", [{}, {"num_local_experts": 0}, {"num_experts": None},
                                   {"num_local_experts": 1, "num_experts_per_tok": 1}])  # fmt: skip
def test_no_experts_are_no_experts(tmp_path: Path, count: Any) -> None:
    config = {**SMALL, "moe_intermediate_size": None, "output_router_logits": False, **count}
    assert {"gate", "up", "down"} <= linears(tmp_path, config).keys()


@pytest.mark.parametrize("base", [BERT, GPT2, VIT])
def test_kinds_without_experts_refuse_them(tmp_path: Path, base: Any) -> None:
    want = "model_type: layers of experts would be missing, want one of llama, mistral, qwen2"
    with pytest.raises(WorkloadError, match=want):
        read(tmp_path, {**base, "num_experts": 4, "num_experts_per_tok": 1})


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"num_experts_per_tok": None}, "num_experts_per_tok: must be a size"),
        ({"num_experts_per_tok": 9}, "num_experts_per_tok: must be a size, want 1 to 8, got 9"),
        ({"num_local_experts": "8"}, "num_local_experts: must be a size"),
        ({"num_local_experts": 8.0}, "num_local_experts: must be a size"),
        ({"num_local_experts": 2**30}, "num_local_experts: too many experts"),
        ({"num_experts": 4}, "num_experts: another number of experts"),
        ({"num_local_experts": None}, "num_experts_per_tok: speaks of experts"),
        ({"num_local_experts": None, "num_experts_per_tok": None, "moe_every_n_layers": 2},
         "moe_every_n_layers: speaks of experts"),
        ({"mlp_only_layers": 3}, "mlp_only_layers: must be a list of blocks"),
        ({"moe_layer_freq": [1]}, "moe_layer_freq: must be a size, want a list of 32"),
    ],
)  # fmt: skip
def test_experts_that_cannot_be_read_are_one_line(tmp_path: Path, change: Any, what: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        read(tmp_path, {**MIXTRAL, **change})
    assert what in str(caught.value)


def test_routers_are_left_as_they_are_unless_named(tmp_path: Path) -> None:
    config = {**MIXTRAL, "quantization_config": {"quant_method": "fp8"}}
    found = linears(tmp_path, config)
    assert (found["router"].dtype, found["experts.down"].dtype) == ("bf16", "fp8")
    ignore = {"quant_method": "fp8", "ignored_layers": [r"re:.*experts\.\d.w2"]}
    found = linears(tmp_path, {**MIXTRAL, "quantization_config": ignore})
    assert (found["experts.gate.up"].dtype, found["experts.down"].dtype) == ("fp8", "bf16")


def test_experts_have_their_own_weights(tmp_path: Path) -> None:
    config = {**SMALL, "model_type": "mistral", "hidden_size": 8, "intermediate_size": 12,
              "num_hidden_layers": 2, "num_local_experts": 3, "num_experts_per_tok": 2}  # fmt: skip
    home = "model.layers.1.block_sparse_moe"
    tensors = {f"{home}.experts.{e}.{part}.weight": random(*shape) for e in range(3)
               for part, shape in (("w1", (12, 8)), ("w3", (12, 8)), ("w2", (8, 12)))}  # fmt: skip
    workload, weights = load_model(*hf(tmp_path, config, **tensors), seq=3)
    assert set(weights) == {"1.experts.gate.up", "1.experts.down"}
    wanted = [
        tensors[f"{home}.experts.{e}.{part}.weight"] for e in range(3) for part in ("w1", "w3")
    ]
    np.testing.assert_array_equal(weights["1.experts.gate.up"], np.concatenate(wanted))
    assert simulate("nm-flex", workload, "2:4", weights=weights, prune=True).total.time_ps


def test_weights_of_blocks_that_differ_find_their_layers(tmp_path: Path) -> None:
    """Layers run in the order of blocks again once they are taken apart."""
    config = {**SMALL, "hidden_size": 8, "intermediate_size": [12, 16, 12], "num_hidden_layers": 3}
    tensors = {f"model.layers.{block}.mlp.down_proj.weight": random(8, width)
               for block, width in enumerate((12, 16, 12))}  # fmt: skip
    workload, weights = load_model(*hf(tmp_path, config, **tensors), seq=2)
    downs = [layer for layer in workload.layers if layer.name.endswith(".down")]
    assert [layer.name for layer in downs] == ["0.down", "1.down", "2.down"]
    assert workload.layers[-1].name == "head"
    for block in range(3):
        stored = tensors[f"model.layers.{block}.mlp.down_proj.weight"]
        np.testing.assert_array_equal(weights[f"{block}.down"], stored)
