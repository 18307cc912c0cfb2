"""A trained network for the rest of the program: its layer trace, and an ONNX model.

Layers are named as the modules of torch; so are the tensors of the ONNX model, by which importers
name its layers.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from simulator.errors import TrainingError
from simulator.quality.measured import LayerCost
from simulator.training.masks import layers_of
from simulator.workload import Conv, Gemm, Workload
from simulator.workload.trace_writer import write_trace

NOTES = (
    "for one sample",
    "linear layers and convolutions alone: whatever else the network does is left out",
)
"""Of every trace."""


def trace_of(
    model: nn.Module, shape: tuple[int, ...], layers: Mapping[str, LayerCost], title: str
) -> str:
    """The native layer trace of a network for one sample, by a forward pass.

    Parameters
    ----------
    model : Module
        Nothing lies over its weights any more.
    shape : tuple of int
        Of an input.
    layers : mapping of str to LayerCost
        With the pattern that each layer holds.

    Returns
    -------
    str
        CSV. A layer that runs several times on inputs of one shape is one line with ``repeat``.

    Raises
    ------
    TrainingError
        If no layer runs.
    """
    found: list[Gemm | Conv] = []

    def note(name: str, module: nn.Linear | nn.Conv2d, inputs: tuple[Tensor, ...]) -> None:
        pattern = layers[name].pattern
        layer = _layer(name, module, inputs[0], None if pattern == "1:1" else pattern)
        same = next((i for i, one in enumerate(found) if replace(one, repeat=1) == layer), None)
        if same is None:
            found.append(layer)
        else:
            found[same] = replace(layer, repeat=found[same].repeat + 1)

    hooks = [
        module.register_forward_pre_hook(
            lambda module, inputs, name=name: note(name, module, inputs)
        )
        for name, module in layers_of(model)
    ]
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    if not found:
        raise TrainingError("network", "runs no linear layer and no convolution")
    return write_trace(Workload(title, found, NOTES))


def _layer(
    name: str, module: nn.Linear | nn.Conv2d, inputs: Tensor, pattern: str | None
) -> Gemm | Conv:
    if isinstance(module, nn.Linear):
        tokens = inputs.numel() // module.in_features
        return Gemm(name, module.out_features, tokens, module.in_features, pattern=pattern)
    batch, _, high, wide = inputs.shape
    return Conv(
        name, module.in_channels, module.out_channels, high, wide, batch=batch,
        kernel=_pair(module.kernel_size), stride=_pair(module.stride), padding=_pads(module),
        dilation=_pair(module.dilation), groups=module.groups, pattern=pattern,
    )  # fmt: skip


def _pair(sizes: tuple[int, ...]) -> tuple[int, int]:
    high, wide = sizes
    return high, wide


def _pads(module: nn.Conv2d) -> tuple[int, ...]:
    """Top, left, bottom, right; torch's ``same`` pads the end more."""
    if module.padding == "valid":
        return (0, 0, 0, 0)
    if module.padding == "same":
        both = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        return (*(size // 2 for size in both), *(size - size // 2 for size in both))
    return tuple(int(size) for size in module.padding)


def onnx_of(model: nn.Module, shape: tuple[int, ...]) -> bytes:
    """A network as an ONNX model; samples are its free dimension, ``batch``.

    Raises
    ------
    TrainingError
        If torch's exporter cannot read the network.
    """
    inputs = torch.zeros(2, *shape)
    with _quiet():
        try:
            program: Any = torch.onnx.export(
                model.eval(), (inputs,), dynamo=True, input_names=["input"],
                output_names=["scores"], dynamic_shapes=({0: torch.export.Dim("batch")},),
            )  # fmt: skip
        except Exception as error:  # of a user's network, whatever torch thinks of it
            raise TrainingError("export", f"torch cannot export the network: {error}") from None
    content: bytes = program.model_proto.SerializeToString()
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporter prints, warns and logs of its own affairs, which nobody can act on."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
