"""``quantization_config -> dtypes and patterns of layers``, and notes of what they cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from simulator.errors import SimulatorError
from simulator.importers.hf_blocks import Part
from simulator.importers.hf_schemes import METHODS, SIGNS, Rule, targets
from simulator.importers.hf_targets import Module
from simulator.importers.hf_values import Config
from simulator.sparsity import Pattern
from simulator.workload.layer import Conv, Gemm

KEYS = ("quantization_config", "compression_config", "quantization")
"""The key of today, and those of older and other tools."""

CACHES = ("kv_cache_scheme", "kv_cache_quant_algo", "kv_cache_quantization")
SINGLE = ("dynamic", "extra_config", "layer_quant_config", "layer_type_quant_config",
          "quantized_layers", "modules_in_block_to_quantize")  # fmt: skip
"""Keys that give single modules a format of their own, or none."""

FORMATS = ("format", "checkpoint_format", "quant_method", "quant_type")
SPARSE_FORMATS = re.compile(r"marlin.?24|sparse.?24|semi_?sparse", re.IGNORECASE)
"""Formats whose weights are 2:4 whatever else they are."""

NEARLY_DENSE = 0.01
"""A share of zeros that any tensor may have."""

Format = tuple[str, Pattern | None]


class Quantization:
    """What a configuration says of the formats of its weights.

    Parameters
    ----------
    config : Config
    prefix : str
        What stands before the names of modules: ``model.``.

    Raises
    ------
    WorkloadError
        If what it says is of no form that its quantiser writes.
    """

    def __init__(self, config: Config, prefix: str) -> None:
        self.prefix, self.dtype = prefix, config.dtype
        self.rules: list[Rule] = []
        self.left_out: list[str] = []
        self._used: set[int] = set()
        self._heads: dict[str, None] = {}
        key = next((key for key in KEYS if config.values.get(key)), None)
        inner = config.inside(key) if key else None
        if inner is not None:
            self._read(inner)
            self._read_sparsity(inner)
        self._read_sparsity(config)

    def apply(self, part: Part, block: int) -> list[Part]:
        """The part as it is quantised: in several where its modules differ."""
        layer = part.layer
        if not isinstance(layer, Gemm | Conv) or not self.rules:
            return [part]
        kind = "Linear" if isinstance(layer, Gemm) else "Conv2d"
        alike: dict[Format, list[tuple[str, int]]] = {}
        for name, rows in part.modules:
            module = Module(self._full(name, part, block), kind, part.is_usual)
            alike.setdefault(self._format(module), []).append((name, rows))
        if len(alike) == 1:
            ((dtype, pattern),) = alike
            return [replace(part, layer=replace(layer, dtype=dtype, pattern=pattern))]
        assert isinstance(layer, Gemm)
        return [_share(part, layer, modules, *form) for form, modules in alike.items()]

    def notes(self) -> Iterator[str]:
        """What the layers cannot say of it, once it was applied to all."""
        yield from self.left_out
        for number, rule in enumerate(self.rules):
            if number not in self._used:
                yield f"{rule.where}: its targets are none of the layers here"
            elif rule.scheme is not None and (note := rule.scheme.note(self.dtype)):
                yield f"{rule.where}: {note}"
        if self._heads:
            names = ", ".join(self._heads)
            yield f"{names} left as {self.dtype}, as quantisers do unless told otherwise"

    def _full(self, name: str, part: Part, block: int) -> str:
        """A module's name in the library. Model: experts of a layer are quantised alike."""
        prefix = self.prefix if "{}" in name or name.startswith("embeddings") else ""
        return prefix + name.format(block, expert=part.experts.start)

    def _format(self, module: Module) -> Format:
        """The dtype of the rule that means the module most closely, and the pattern of any."""
        dtype, pattern, closest = self.dtype, None, 0
        for number, rule in enumerate(self.rules):
            rank = rule.targets.rank(module)
            if rank:
                self._used.add(number)
            if rank and rule.pattern is not None:
                pattern = rule.pattern
            if rule.scheme is None:
                continue
            if rank > closest:
                dtype, closest = rule.scheme.dtype(self.dtype), rank
            is_by_habit = rule.targets.chosen is None and not module.is_usual
            if (
                is_by_habit
                and rule.scheme.dtype(self.dtype) != self.dtype
                and not rule.targets.ignored.has(module)
            ):
                self._heads[module.name.rpartition(".")[2]] = None
        return dtype, pattern

    def _read(self, config: Config) -> None:
        """Formats of numbers, and of what is 2:4 by its format's name."""
        where, values = config.prefix.rstrip("."), config.values
        signs = (name for sign, name in SIGNS.items() if values.get(sign) is not None)
        is_named = values.get("quant_method") is not None
        method = config.text("quant_method").lower() if is_named else next(signs, "")
        rules = METHODS[method](config) if method in METHODS else None
        if rules is None and (is_named or values.keys() - {"sparsity_config"}):
            who = method or "a quantiser without a name"
            self.left_out.append(
                f"{where}: what {who} does is not known here: weights are counted as {self.dtype}"
            )
        self.rules += rules or []
        for key in CACHES:
            if values.get(key):
                self.left_out.append(
                    f"{config.prefix}{key}: keys and values are counted as {self.dtype}"
                )
        for key in SINGLE:
            if values.get(key):
                self.left_out.append(
                    f"{config.prefix}{key}: formats of single modules are not read"
                )
        is_sparse = any(SPARSE_FORMATS.search(str(values.get(key))) for key in FORMATS)
        if is_sparse and not values.get("sparsity_config"):
            self.rules.append(Rule(where, targets(config), pattern=Pattern(2, 4)))

    def _read_sparsity(self, config: Config) -> None:
        """``sparsity_config`` of compressed-tensors."""
        inner = config.inside("sparsity_config")
        if inner is None:
            return
        where, structure = inner.prefix.rstrip("."), inner.values.get("sparsity_structure")
        if structure in (None, "unstructured", "0:0"):
            self.left_out += _unstructured(where, inner)
            return
        text = inner.text("sparsity_structure")
        if not re.fullmatch(r"\d+:\d+", text, re.ASCII):
            self.left_out.append(f"{where}: {text!r} is no keep:group: layers are counted dense")
            return
        try:
            pattern = Pattern.parse(text)
        except SimulatorError as error:
            raise inner.error("sparsity_structure", error.what, want=error.want) from None
        if not pattern.is_dense:
            self.rules.append(Rule(where, targets(inner), pattern=pattern))


def _unstructured(where: str, config: Config) -> Iterator[str]:
    """Zeros of no pattern, if there are as many as to matter."""
    share = config.values.get("global_sparsity")
    is_share = isinstance(share, int | float) and 0 <= share <= 1
    if not share or (is_share and share <= NEARLY_DENSE):
        return
    amount = f"{share:.0%} zeros" if is_share else "zeros"
    yield f"{where}: {amount} that follow no pattern are counted as weights"


def _share(
    part: Part, layer: Gemm, modules: list[tuple[str, int]], dtype: str, pattern: Pattern | None
) -> Part:
    """What some modules are of a fused product."""
    name = "+".join(module.rpartition(".")[2] for module, _ in modules)
    rows = sum(rows for _, rows in modules)
    share = replace(layer, name=f"{layer.name}.{name}", m=rows, dtype=dtype, pattern=pattern)
    return replace(part, layer=share, modules=tuple(modules))
