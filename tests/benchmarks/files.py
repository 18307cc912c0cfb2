"""Large files for `make bench`: a profiler's trace, weights, and many layers."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from simulator import Gemm, Workload
from simulator.weights.files import SafetensorsFile, Tensor

SIZES = ((64, 768, 768), (64, 768, 3072), (64, 3072, 768))


def profiler_trace(path: Path, events: int) -> None:
    """A linear layer in five events: two operators inside it, one that follows, and its kernel."""
    rng = random.Random(0)
    with path.open("w") as file:
        file.write('{"traceEvents": [\n')
        for number in range(events // 5):
            m, k, n = rng.choice(SIZES)
            calls = (
                ("aten::linear", [[m, k], [n, k], [n]], 0, 50),
                ("aten::t", [[n, k]], 1, 5),
                ("aten::addmm", [[n], [m, k], [k, n]], 7, 40),
                ("aten::add", [[m, n], [m, n]], 52, 5),
            )
            for name, dims, after, length in calls:
                args = {"Input Dims": dims, "Input type": ["float"] * len(dims),
                        "Concrete Inputs": [""] * len(dims), "External id": number}  # fmt: skip
                event = {"ph": "X", "cat": "cpu_op", "name": name, "pid": 1, "tid": 1,
                         "ts": 100 * number + after, "dur": length, "args": args}  # fmt: skip
                file.write(json.dumps(event) + ",\n")
            kernel = {"ph": "X", "cat": "kernel", "name": "sgemm", "pid": 0, "tid": 7,
                      "ts": 100 * number + 60, "dur": 30, "args": {"stream": 7}}  # fmt: skip
            file.write(json.dumps(kernel) + (",\n" if number + 1 < events // 5 else "\n"))
        file.write("]}\n")


def weights(path: Path, tensors: int, tensor_bytes: int) -> None:
    """Matrices in fp16, bf16 and fp32 by turns."""
    kinds = {"fp16": np.float16, "bf16": np.uint16, "fp32": np.float32}
    outlines = []
    for number in range(tensors):
        dtype = list(kinds)[number % 3]
        kind = np.dtype(kinds[dtype])
        shape = tensor_bytes // kind.itemsize // 4096, 4096
        data = np.broadcast_to(np.zeros((), kind), shape)
        outlines.append(Tensor(f"layer{number}.weight", dtype, data))
    rng = np.random.default_rng(0)
    values = rng.standard_normal(tensor_bytes // 4, dtype=np.float32)
    with SafetensorsFile(path, outlines) as file:
        for one in outlines:
            numbers = np.resize(values, one.data.size)
            if one.dtype == "bf16":
                file.put(one.name, [(numbers.view(np.uint32) >> 16).astype(np.uint16)])
            else:
                file.put(one.name, [numbers])


def distinct_layers(count: int) -> Workload:
    """Products no two of which are alike."""
    sides = [(m, n, k) for m in range(100) for n in range(100) for k in range(10)][:count]
    layers = [
        Gemm(f"layer{number}", m=64 + 8 * m, n=64 + 8 * n, k=128 + 64 * k)
        for number, (k, m, n) in enumerate((k, m, n) for m, n, k in sides)
    ]
    return Workload("distinct", layers)
