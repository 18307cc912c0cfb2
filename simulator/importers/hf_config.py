"""``Hugging Face config.json -> Imported``: the sizes of a transformer, without its framework."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator.errors import SimulatorError, WorkloadError, did_you_mean
from simulator.importers.hf_blocks import Part, Tokens, chained
from simulator.importers.hf_families import Family
from simulator.importers.hf_features import family_of, feature_notes, refuse_missing
from simulator.importers.hf_quantization import Quantization
from simulator.importers.hf_values import MOST_BLOCKS, Config
from simulator.importers.imported import INPUT, Blocks, Imported, Tally
from simulator.importers.json_file import read_json
from simulator.workload.layer import MAX_SIZE, Layer, Matmul, Stream

MAX_FILE_BYTES = 16 * 2**20

LayerLists = dict[tuple[Part, ...], list[int]]


def read_hf_config(path: Path, parameters: Mapping[str, int]) -> Imported:
    """Read the layers that a configuration stands for.

    Parameters
    ----------
    path : Path
    parameters : mapping of str to int
        ``batch``; ``seq``, tokens of a sequence; and, of decoders, ``context``, tokens attended to.

    Raises
    ------
    WorkloadError
        If the kind of model is not known, layers would be missing, or a size is missing or not one.
    """
    config = Config(path, _object(path))
    family = family_of(config)
    refuse_missing(config, family)
    tokens = _tokens(config, family, parameters)
    quantization = Quantization(config, family.prefix)
    tally = Tally(path)
    try:
        depth = config.size(family.depth, largest=MOST_BLOCKS)
        _add(tally, config, family, tokens, quantization)
    except SimulatorError as error:
        if error.where.startswith(str(path)):
            raise
        raise WorkloadError(str(path), str(error)) from None
    if "context" in family.parameters:
        tally.layers = [_cached(layer) for layer in tally.layers]
    sizes = {"batch": tokens.batch, "seq": tokens.seq, "context": tokens.context}
    tally.notes.append(", ".join(f"{name} = {sizes[name]}" for name in family.parameters))
    tally.notes += feature_notes(config, family, depth, tokens)
    tally.notes += quantization.notes()
    name = path.parent.resolve().name if path.stem == "config" else path.stem
    return tally.result(name, "fused")


def _cached(layer: Layer) -> Layer:
    """A layer of a decoder, which keeps the keys and values of its products."""
    return replace(layer, cached=True) if isinstance(layer, Matmul) else layer


def _object(path: Path) -> Mapping[str, Any]:
    values = read_json(path, MAX_FILE_BYTES)
    if not isinstance(values, dict) or "model_type" not in values:
        raise WorkloadError(
            str(path), "not a model's config.json", want="an object with 'model_type'"
        )
    return values


def _tokens(config: Config, family: Family, parameters: Mapping[str, int]) -> Tokens:
    for name in parameters:
        if name not in family.parameters:
            raise WorkloadError(
                f"{config.path} {name}",
                "a model of this kind has no such parameter",
                hint=did_you_mean(name, family.parameters),
            )
    longest = config.size(family.longest, MAX_SIZE) if family.longest else MAX_SIZE
    seq = parameters.get("seq", min(family.seq, longest))
    context = parameters.get("context", seq)
    if max(seq, context) > longest and family.has_learned_positions:
        raise WorkloadError(
            f"{config.path} seq", "longer than the model's positions", got=max(seq, context),
            want=f"at most {longest}",
        )  # fmt: skip
    if context < seq:
        raise WorkloadError(
            f"{config.path} context", "tokens attend to themselves at least", got=context,
            want=f"at least seq = {seq}",
        )  # fmt: skip
    return Tokens(parameters.get("batch", 1), seq, context)


def _add(
    tally: Tally, config: Config, family: Family, tokens: Tokens, quantization: Quantization
) -> None:
    """Add all layers; those of equal blocks are one line."""

    def quantised(parts: list[Part], block: int = 0) -> tuple[Part, ...]:
        return _quantised(chained(parts), quantization, block)

    depth, seen = config.size(family.depth), family.sees(config, tokens)
    equal: LayerLists = {}
    for block in range(depth):
        parts = family.block(config.at(block, depth), seen)
        equal.setdefault(quantised(parts, block), []).append(block)
    last = _add_parts(tally, quantised(family.before(config, tokens)), INPUT)
    for parts_of, numbers in equal.items():
        label = "" if len(equal) == 1 else f"{_label(numbers)}."
        last = _add_parts(tally, parts_of, last, label, Blocks("", tuple(numbers), depth))
    _add_parts(tally, quantised(family.after(config, seen)), last)


def _quantised(parts: Iterable[Part], quantization: Quantization, block: int) -> tuple[Part, ...]:
    """Parts in their formats; who reads one that becomes several reads them all."""
    found: list[Part] = []
    names: dict[str, list[str]] = {INPUT: [INPUT]}
    for part in parts:
        shares = quantization.apply(part, block)
        names[part.layer.name] = [share.layer.name for share in shares]
        inputs = [name for read in part.layer.inputs for name in names[read]]
        found += [share.after(*inputs) for share in shares]
    return tuple(found)


def _add_parts(
    tally: Tally, parts: Iterable[Part], last: str, label: str = "", blocks: Blocks | None = None
) -> str:
    """Add layers that are run one after the other, those of equal blocks once.

    Parameters
    ----------
    last : str
        The layer before them, which they read. Model: of blocks that differ, those that are equal
        follow each other, so that it may stand for one further on.

    Returns
    -------
    str
        The layer that those behind them read.
    """
    names = {INPUT: last}
    for part in parts:
        name = names[part.layer.name] = tally.name(label + part.layer.name)
        repeat = 1 if blocks is None else len(blocks.numbers)
        inputs = tuple(names[read] for read in part.layer.inputs)
        tally.add(replace(part.layer, name=name, repeat=repeat, inputs=inputs))
        if not isinstance(part.layer, Stream):
            tally.imported += repeat - 1  # one is counted
        if part.stored is not None:
            tally.stored[name] = part.stored
        if blocks is not None:
            tally.blocks[name] = replace(blocks, name=part.layer.name)
        last = name
    return last


def _label(numbers: list[int]) -> str:
    """Blocks in a word: ``3``, ``0-2``, or ``0-22/2`` for every second one."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) == 1:
        return str(first)
    step = numbers[1] - first
    if numbers == list(range(first, last + 1, step)):
        return f"{first}-{last}" + (f"/{step}" if step > 1 else "")
    return f"{first}..{last}"
