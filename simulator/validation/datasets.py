"""The data sets, by name: what was measured, and what the model answers.

Constants of a machine stand in its YAML, conditions of a measurement beside its data set: those
that were fitted in `fitted`, those that its authors state in `gemms`.
"""

from __future__ import annotations

from simulator.validation import gemms, gpt3, primitives
from simulator.validation.fitted import A100, RTX3090
from simulator.validation.measurement import DataSet

_ALL = (
    DataSet(
        "llmcompass",
        "A100 fp16 GEMM, wall clock",
        "llmcompass",
        "µs",
        gemms.llmcompass,
        bound=0.04,
        note=f"the host's {gemms.LLMCOMPASS_LAUNCH_US:g} µs are its authors' figure",
    ),
    DataSet(
        "gpt3-gemm",
        "A100 products of a GPT-3 layer that decodes",
        gpt3.TABLE,
        "µs",
        gpt3.gpt3_gemm,
        bound=0.08,
        note=f"the host's {gemms.LLMCOMPASS_LAUNCH_US:g} µs a launch are its authors' figure",
    ),
    DataSet(
        "magicube-fp16",
        "A100 small fp16 GEMM, cuBLAS",
        "magicube_fp16",
        "µs",
        lambda: gemms.magicube("fp16", "magicube_fp16"),
        bound=0.09,
    ),
    DataSet(
        "magicube-fp16-more",
        "more rows of magicube-fp16",
        "magicube_fp16_more",
        "µs",
        lambda: gemms.magicube("fp16", "magicube_fp16_more"),
    ),
    DataSet(
        "magicube-int8",
        "A100 small int8 GEMM, cuBLAS",
        "magicube_int8",
        "µs",
        lambda: gemms.magicube("int8", "magicube_int8"),
    ),
    DataSet(
        "magicube-int8-more",
        "more rows of magicube-int8",
        "magicube_int8_more",
        "µs",
        lambda: gemms.magicube("int8", "magicube_int8_more"),
    ),
    DataSet(
        "mma",
        "A100 mma, dense: MACs a cycle",
        "mma",
        "MACs",
        lambda: primitives.mma("1:1"),
        bound=0.03,
        note="instructions in flight are inferred from each row's own latency and throughput",
    ),
    DataSet(
        "mma-latency",
        "A100 mma, dense: cycles",
        "mma",
        "cycles",
        lambda: primitives.mma("1:1", latencies=True),
        bound=0.03,
    ),
    DataSet(
        "mma-sp",
        "A100 mma.sp, 2:4: MACs a cycle",
        "mma",
        "MACs",
        lambda: primitives.mma("2:4"),
        note="instructions in flight are those of the dense instruction of as many slots",
    ),
    DataSet(
        "mma-sp-latency",
        "A100 mma.sp, 2:4: cycles",
        "mma",
        "cycles",
        lambda: primitives.mma("2:4", latencies=True),
    ),
    DataSet(
        "sparse24",
        "A100 2:4 speed-up",
        "sparse24",
        "ratio",
        lambda: gemms.speedups(A100, "sparse24"),
    ),
    DataSet(
        "sparse24-dense",
        "A100 dense time, same rows",
        "sparse24",
        "µs",
        lambda: gemms.times(A100, "sparse24", "dense"),
    ),
    DataSet(
        "sparse24-sparse",
        "A100 2:4 time, same rows",
        "sparse24",
        "µs",
        lambda: gemms.times(A100, "sparse24", "sparse"),
    ),
    DataSet(
        "rtx3090-dense",
        "RTX 3090 fp16 GEMM, cuBLAS",
        "rtx3090",
        "µs",
        lambda: gemms.times(RTX3090, "rtx3090", "dense"),
        bound=0.09,
        note="the card's clock, its base clock, was read off these rows and rtx3090-cusparselt's",
    ),
    DataSet(
        "rtx3090-cusparselt",
        "RTX 3090 2:4 time, cuSPARSELt",
        "rtx3090",
        "µs",
        lambda: gemms.times(RTX3090, "rtx3090", "sparse"),
        bound=0.04,
        note="published speed-ups over cuBLAS, times its published times",
    ),
    DataSet(
        "rtx3090-cusparselt-speedup",
        "RTX 3090 2:4 speed-up, same rows",
        "rtx3090",
        "ratio",
        lambda: gemms.speedups(RTX3090, "rtx3090"),
        bound=0.08,
    ),
    DataSet(
        "venom-dense",
        "other runs of 1024x4096, cuBLAS",
        "venom",
        "µs",
        lambda: gemms.times(RTX3090, "venom", "dense"),
        bound=0.09,
        note="fits saw the same products in rtx3090-dense",
    ),
    DataSet(
        "venom",
        "other runs of 1024x4096, 2:4 speed-up",
        "venom",
        "ratio",
        lambda: gemms.speedups(RTX3090, "venom"),
        bound=0.10,
        note="spatha's tiles are those that the source names as best",
    ),
    DataSet(
        "sparseloop",
        "Sparseloop's tensor cores",
        "sparseloop",
        "cycles",
        primitives.sparseloop,
        bound=0.02,
        note="model to model; equal cycles at several densities are published, and counted, apart",
    ),
    DataSet(
        "memory",
        "L2 and DRAM plateaus",
        "memory",
        "GB/s",
        lambda: primitives.memory("bandwidth_gb_s"),
        bound=0.05,
        note="four cards; two curves of one L2 disagree, and presets follow the faster",
    ),
    DataSet(
        "memory-latency",
        "L2 and DRAM latencies",
        "memory",
        "cycles",
        lambda: primitives.memory("latency_cycles"),
        bound=0.05,
        note="four cards",
    ),
)

DATASETS: dict[str, DataSet] = {dataset.name: dataset for dataset in _ALL}
