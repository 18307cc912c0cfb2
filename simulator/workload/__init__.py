"""Layers, the traces they come from, and the GEMMs they become."""

from simulator.workload.attention import Attention
from simulator.workload.layer import Conv, Gemm, Layer, Matmul, Stream, Workload

__all__ = ["Attention", "Conv", "Gemm", "Layer", "Matmul", "Stream", "Workload"]
