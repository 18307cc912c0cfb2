"""How quantisers say which numbers they use: each one's words, read as weights and activations."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from simulator.errors import WorkloadError
from simulator.importers.hf_targets import Names, Targets
from simulator.importers.hf_values import Config
from simulator.sparsity import Pattern
from simulator.units import DTYPE_BITS

DTYPE_OF = {("float", 8): "fp8", ("int", 8): "int8", ("int", 4): "int4"}


@dataclass(frozen=True)
class Numbers:
    """A format: ``int`` or ``float``, and its bits."""

    kind: str
    bits: int

    def __str__(self) -> str:
        return f"{self.bits}-bit {self.kind}"


INT8, FP8, FP4 = Numbers("int", 8), Numbers("float", 8), Numbers("float", 4)
INT2, INT3, INT4 = (Numbers("int", bits) for bits in (2, 3, 4))


@dataclass(frozen=True)
class Scheme:
    """Formats of weights and of activations; None stay as the model's, as do 16 bits and more."""

    weights: Numbers | None
    activations: Numbers | None

    def dtype(self, model: str) -> str:
        """The one format that a layer is computed in: that of its wider operand."""
        if self.weights is None or self.activations is None:
            return model
        bits = max(self.weights.bits, self.activations.bits)
        return DTYPE_OF.get((self.activations.kind, bits), model)

    def note(self, model: str) -> str:
        """What today's layers cannot say of it; empty if nothing."""
        dtype = self.dtype(model)
        both = self.weights, self.activations
        if both == (None, None) or all(
            x is not None and DTYPE_OF.get((x.kind, x.bits)) == dtype for x in both
        ):
            return ""
        weights, activations = (str(numbers or model) for numbers in both)
        return (
            f"{weights} weights and {activations} activations are both counted as {dtype},"
            f" {DTYPE_BITS[dtype]} bits: a layer has one dtype"
        )


@dataclass(frozen=True)
class Rule:
    """A scheme or a pattern, and the modules that it is for; ``where`` says who said so."""

    where: str
    targets: Targets
    scheme: Scheme | None = None
    pattern: Pattern | None = None


Rules = list[Rule] | None
"""What a quantiser says; None if that is not understood."""

MOST_GROUPS = 50

IGNORED = ("ignore", "ignored_layers", "modules_to_not_convert", "llm_int8_skip_modules",
           "exclude_modules", "exclude", "skip_modules", "modules_to_not_quantize",
           "linear_weights_not_to_quantize")  # fmt: skip
"""Keys of modules that are left alone."""


def targets(config: Config, left_alone: Names | None = None) -> Targets:
    """The targets of an object, without what it ignores, or what is ignored for all groups."""
    names = config.names("targets")
    chosen = Names(names, config, "targets") if names else None
    return Targets(chosen, left_alone if left_alone is not None else ignored(config))


def ignored(config: Config) -> Names:
    """Modules that are left alone, whatever the key is called."""
    key = next((key for key in IGNORED if config.values.get(key)), IGNORED[0])
    return Names(config.names(key), config, key)


def rule(config: Config, scheme: Scheme) -> Rule:
    """One scheme for all that an object does not leave alone."""
    return Rule(config.prefix.rstrip("."), targets(config), scheme)


def groups(config: Config) -> Rules:
    """compressed-tensors: ``config_groups`` of targets with formats of their own."""
    listed, found = config.inside("config_groups"), []
    left_alone = ignored(config)
    if listed is not None and len(listed.values) > MOST_GROUPS:
        raise WorkloadError(
            config.where("config_groups"), "too many groups", got=len(listed.values),
            want=f"at most {MOST_GROUPS}",
        )  # fmt: skip
    for name in listed.values if listed is not None else ():
        group = listed.inside(name) if listed is not None else None
        if group is None:
            continue
        scheme = Scheme(*(_described(group, key) for key in ("weights", "input_activations")))
        found.append(Rule(group.prefix.rstrip("."), targets(group, left_alone), scheme))
    return found


def _described(group: Config, key: str) -> Numbers | None:
    """``{"num_bits": 8, "type": "float"}``."""
    described = group.inside(key)
    if described is None:
        return None
    kind = described.text("type") if described.values.get("type") is not None else "int"
    if kind not in ("int", "float"):
        raise described.error("type", "unknown kind of numbers", want="int or float")
    return numbers(kind, described.size("num_bits", 8, largest=64))


def numbers(kind: str, bits: int) -> Numbers | None:
    """A format of fewer than 16 bits."""
    return Numbers(kind, bits) if bits < 16 else None


def _of_weights(config: Config) -> Rules:
    """Weights of few bits, activations as they are: GPTQ, AWQ and their kin."""
    key = next((key for key in ("bits", "w_bit", "nbits", "num_bits") if key in config.values), "")
    weights = numbers("int", config.size(key, largest=64)) if key else INT4
    inputs = numbers("int", config.size("act_bits", 16, largest=64))
    return [rule(config, Scheme(weights, inputs))]


def _bitsandbytes(config: Config) -> Rules:
    """Dettmers et al., arXiv:2208.07339 (8 bits) and arXiv:2305.14314 (4 bits)."""
    if config.flag("load_in_4bit") or config.flag("_load_in_4bit"):
        return [rule(config, Scheme(INT4, None))]
    if config.flag("load_in_8bit") or config.flag("_load_in_8bit"):
        return [rule(config, Scheme(INT8, INT8))]
    return []


def _modelopt(config: Config) -> Rules:
    """``quant_algo``, at the top or under ``quantization``; or groups."""
    inner = config.inside("quantization") or config
    if inner.values.get("quant_algo") is None:
        return groups(inner) or None
    name = inner.text("quant_algo")
    scheme = ALGORITHMS.get(name.upper()) or spelled(name)
    return [rule(inner, scheme)] if scheme is not None else None


ALGORITHMS = {
    "FP8": Scheme(FP8, FP8),
    "FP8_PER_CHANNEL_PER_TOKEN": Scheme(FP8, FP8),
    "FP8_PB_WO": Scheme(FP8, None),
    "INT8_SQ": Scheme(INT8, INT8),
    "NVFP4": Scheme(FP4, FP4),
    "NVFP4_AWQ": Scheme(FP4, FP4),
    "W4A8_AWQ": Scheme(INT4, FP8),
}
"""ModelOpt's names of formats that do not spell them."""

NUMBERS = r"(int|float)(\d{1,2})"
BITS = re.compile(r"w(\d{1,2})a(\d{1,2})")
BOTH = re.compile(rf"{NUMBERS}(?:dynamic|static)activation(?:{NUMBERS})?")
WEIGHTS = re.compile(NUMBERS)


def spelled(text: str) -> Scheme | None:
    """Formats in a name: ``W4A16``, ``int8_dynamic_activation_int4_weight``, ``float8_e4m3fn``."""
    plain = re.sub(r"[_\s-]", "", text.lower()).replace("fp", "float").replace("uint", "int")
    if match := BITS.search(plain):
        bits, input_bits = (int(group) for group in match.groups())
        kind = "float" if "float" in plain else "int"
        is_float = f"float{bits}" in plain or (kind == "float" and bits == input_bits)
        weights = numbers("float" if is_float else "int", bits)
        return Scheme(weights, numbers(kind, input_bits))
    if match := BOTH.search(plain):
        kind, size, other, others = match.groups()
        inputs = numbers(kind, int(size))
        return Scheme(numbers(other, int(others)) if other else inputs, inputs)
    if match := WEIGHTS.search(plain):
        return Scheme(numbers(match[1], int(match[2])), None)
    return None


def _torchao(config: Config) -> Rules:
    """``quant_type``: a name, or an object whose ``default`` has a type."""
    name = config.values.get("quant_type")
    if isinstance(name, dict):
        default = name.get("default", name)
        name = default.get("_type") if isinstance(default, dict) else None
    scheme = spelled(name) if isinstance(name, str) else None
    return [rule(config, scheme)] if scheme is not None else None


def _quanto(config: Config) -> Rules:
    """``weights`` and ``activations``, each a name or null."""
    return _two(config, [config.values.get(key) for key in ("weights", "activations")])


def _quark(config: Config) -> Rules:
    """``global_quant_config`` with the dtypes of ``weight`` and ``input_tensors``."""
    inner = config.inside("global_quant_config")
    described = [inner.inside(key) if inner else None for key in ("weight", "input_tensors")]
    return _two(config, [one.values.get("dtype") if one else None for one in described])


def _two(config: Config, names: list[object]) -> Rules:
    """Weights, and activations if they are named."""
    schemes = [spelled(name) if isinstance(name, str) else None for name in names]
    weights, inputs = (scheme.weights if scheme is not None else None for scheme in schemes)
    return [rule(config, Scheme(weights, inputs))] if weights is not None else None


def _always(weights: Numbers, activations: Numbers | None) -> Callable[[Config], Rules]:
    return lambda config: [rule(config, Scheme(weights, activations))]


METHODS: dict[str, Callable[[Config], Rules]] = {
    "compressed-tensors": groups,
    "bitsandbytes": _bitsandbytes,
    "modelopt": _modelopt,
    "modelopt_fp4": _modelopt,
    "torchao": _torchao,
    "quanto": _quanto,
    "quark": _quark,
    **dict.fromkeys(("fp8", "fbgemm_fp8"), _always(FP8, FP8)),
    **dict.fromkeys(("nvfp4", "fp_quant"), _always(FP4, FP4)),
    **dict.fromkeys(("eetq", "experts_int8", "tpu_int8"), _always(INT8, None)),
    **dict.fromkeys(("aqlm", "vptq"), _always(INT2, None)),
    "spqr": _always(INT3, None),
    "mxfp4": _always(FP4, None),
    "bitnet": _always(INT2, INT8),
    **dict.fromkeys(
        ("gptq", "gptq_marlin", "gptq_marlin_24", "marlin", "awq", "awq_marlin", "auto-round",
         "intel/auto-round", "exl2", "hqq", "higgs", "mlx"),
        _of_weights,
    ),
}  # fmt: skip
"""Quantisers by ``quant_method``, and how each says what it does."""

SIGNS = {"config_groups": "compressed-tensors", "load_in_4bit": "bitsandbytes",
         "load_in_8bit": "bitsandbytes", "quant_algo": "modelopt", "quant_type": "torchao",
         "bits": "mlx", "w_bit": "awq"}  # fmt: skip
"""Keys that tell a quantiser where none is named."""
