"""What pruning is asked to do, layer by layer, and in which steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from simulator.errors import WeightsError, did_you_mean
from simulator.names import expression
from simulator.quality.memory import megabytes
from simulator.quality.model import PrunableLayer, PrunableModel
from simulator.sparsity import DENSE, Pattern, Prunable, parse_prunable
from simulator.weights.methods import DAMPING


@dataclass(frozen=True)
class PruneSpec:
    """What is asked for.

    Attributes
    ----------
    patterns : str, Pattern, Unstructured, or mapping of str to any of these
        For all layers, or by layer name; what a mapping does not name stays dense.
    method : str
        One of `simulator.weights.methods.METHODS`.
    layers, dense : str, optional
        Regular expressions over names of layers and of their tensors: those to prune (default:
        all), and those of them that stay dense (default: none).
    layers_at_once : int
        Layers that are pruned on the same inputs; 0: all of them, on those of the dense model.
    damping : float
        Of the mean of the diagonal of a Gram matrix.
    """

    patterns: Prunable | str | Mapping[str, Prunable | str]
    method: str = "magnitude"
    layers: str | None = None
    dense: str | None = None
    layers_at_once: int = 1
    damping: float = DAMPING

    def __post_init__(self) -> None:
        if not isinstance(self.layers_at_once, int) or self.layers_at_once < 0:
            raise WeightsError(
                "--layers-at-once", "not a number of layers", want="1 or more, or all",
                got=self.layers_at_once,
            )  # fmt: skip


AS_ASKED = "stays dense, as asked"


@dataclass(frozen=True)
class Asked:
    """A layer and what is to become of it.

    Attributes
    ----------
    pattern : Pattern or Unstructured
        Dense where it stays so.
    note : str
        Why it stays dense although a pattern was asked for; else empty.
    """

    layer: PrunableLayer
    pattern: Prunable
    note: str = ""


def asked_of(model: PrunableModel, spec: PruneSpec) -> tuple[Asked, ...]:
    """Every layer that can be pruned, with its pattern.

    Raises
    ------
    SimulatorError
        If an expression or a name finds nothing, layers that share weights are asked for different
        patterns, or no layer is left to prune.
    """
    chosen = _found(model.layers, "--layers", spec.layers) if spec.layers else set(_names(model))
    dense = _found(model.layers, "--dense", spec.dense) if spec.dense else set()
    patterns = _patterns(model, spec.patterns)
    asked: dict[str, Asked] = {}
    for layer in model.layers:
        one = Asked(layer, patterns[layer.name] if layer.name in chosen else DENSE)
        if layer.name in chosen & dense:
            one = Asked(layer, DENSE, AS_ASKED)
        elif isinstance(one.pattern, Pattern) and layer.inputs < one.pattern.group:
            one = Asked(layer, DENSE, f"stays dense: {layer.inputs} inputs are less than a group")
        if layer.twin and one.pattern != asked[layer.twin].pattern:
            raise WeightsError(
                layer.name, f"has the weights of {layer.twin}, and not its pattern",
                want=str(asked[layer.twin].pattern), got=str(one.pattern),
            )  # fmt: skip
        asked[layer.name] = one
    if chosen <= dense:
        raise WeightsError("--dense", "leaves no layer to prune", got=spec.dense)
    wanted = sorted(name for name in chosen - dense if not patterns[name].is_dense)
    if wanted and all(asked[name].pattern.is_dense for name in wanted):
        most = max(asked[name].layer.inputs for name in wanted)
        raise WeightsError(
            f"pattern {patterns[wanted[0]]}", "larger than the inputs of any layer",
            want=f"a group of at most {most}", got=str(patterns[wanted[0]]),
        )  # fmt: skip
    return tuple(asked.values())


def steps_of(asked: Iterable[Asked], spec: PruneSpec) -> list[list[Asked]]:
    """Layers to prune, those together that are pruned on the same inputs; twins not counted."""
    todo = [one for one in asked if not one.pattern.is_dense and not one.layer.twin]
    size = spec.layers_at_once or len(todo) or 1
    return [todo[start : start + size] for start in range(0, len(todo), size)]


def gram_memory(model: PrunableModel, spec: PruneSpec) -> str:
    """What calibrating takes, before it starts: ``Gram matrices: 95.5 MB in all, ...``."""
    sizes = [gram_bytes(step) for step in steps_of(asked_of(model, spec), spec)]
    in_all, most = megabytes(sum(sizes)), megabytes(max(sizes, default=0))
    return f"Gram matrices: {in_all} in all, at most {most} at a time"


def gram_bytes(step: Iterable[Asked]) -> int:
    """What the Gram matrices of some layers take."""
    return sum(one.layer.gram_bytes for one in step)


def _names(model: PrunableModel) -> list[str]:
    return [layer.name for layer in model.layers]


def _found(layers: Iterable[PrunableLayer], option: str, text: str) -> set[str]:
    """Names of the layers that an expression finds, by their name or their tensor's."""
    wanted = expression(text, option, WeightsError)
    found = {one.name for one in layers if wanted.search(one.name) or wanted.search(one.tensor)}
    if not found:
        first = next(iter(layers)).name
        raise WeightsError(option, "finds no layer", got=text, hint=f"such as {first}")
    return found


def _patterns(
    model: PrunableModel, given: Prunable | str | Mapping[str, Prunable | str]
) -> dict[str, Prunable]:
    names = _names(model)
    if not isinstance(given, Mapping):
        return dict.fromkeys(names, parse_prunable(given, "--pattern"))
    for name in given:
        if name not in names:
            raise WeightsError(
                "patterns", "no such layer", got=name, hint=did_you_mean(name, names)
            )
    return {name: parse_prunable(given.get(name, DENSE), f"patterns {name}") for name in names}
