"""Mixtures of experts: which blocks have them, and the products that they are.

Model: a router spreads tokens evenly over experts; an expert that no token needs is not read.
Sources: Jiang et al., arXiv:2401.04088, section 2 (Mixtral); Dai et al., arXiv:2401.06066,
section 3 (experts that see every token).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simulator.importers.hf_blocks import Builder, Part
from simulator.importers.hf_values import MOST_BLOCKS, Config
from simulator.workload.layer import Gemm

MOST_EXPERTS = 2**16

DOWN = "experts.down"
"""What the products that end the experts are called."""

COUNTS = ("num_local_experts", "num_experts", "n_routed_experts", "num_routed_experts",
          "moe_num_experts", "n_experts")  # fmt: skip
CHOSEN = ("num_experts_per_tok", "num_experts_per_token", "num_selected_experts", "moe_top_k",
          "moe_topk", "moe_k", "experts_per_token", "n_activated_experts")  # fmt: skip
SHARED = ("n_shared_experts", "num_shared_experts")
PLACES = ("mlp_only_layers", "moe_layers", "first_k_dense_replace", "moe_layer_freq",
          "decoder_sparse_step", "interleave_moe_layer_step")  # fmt: skip
WIDTHS = ("moe_intermediate_size", "shared_expert_intermediate_size", "intermediate_size_mlp")
UNDERSTOOD = frozenset({*COUNTS, *CHOSEN, *SHARED, *PLACES, *WIDTHS})

ABOUT_EXPERTS = re.compile(r"(.*_)?(moe|experts?)(_.*)?")
HARMLESS = re.compile(
    r"(aux|loss|jitter|noise|logits|norm|scal|capacity|dropout|drop_|impl|backend|act|eps|coef"
    r"|seed|parallel|dtype|bias|softmax|group|method|score|kernel|ep_size|tp_size|precision)"
)
"""Keys of mixtures that change no product: how they are trained, routed or run."""


@dataclass(frozen=True)
class Naming:
    """How a model names its experts' projections: gate, up, down, and the router."""

    home: str
    gate: str
    up: str
    down: str


MIXTRAL = Naming("block_sparse_moe", "w1", "w3", "w2")
OTHERS = Naming("mlp", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Experts:
    """The experts of one block.

    Attributes
    ----------
    count, chosen : int
        In all, and of each token.
    inner : int
        Features inside an expert.
    shared : int
        Features inside the expert that every token sees; 0 if there is none.
    has_shared_gate : bool
        Whether that one is weighted by a product of its own.
    """

    count: int
    chosen: int
    inner: int
    shared: int
    has_shared_gate: bool
    naming: Naming


def expert_count(config: Config) -> int:
    """Experts that a configuration names; 0 where it has none, or one, which is a plain MLP.

    Raises
    ------
    WorkloadError
        If two keys disagree, or there are too many.
    """
    counts = {key: config.count(key) for key in COUNTS}
    named = {key: count for key, count in counts.items() if count}
    if len(set(named.values())) > 1:
        first, second = list(named)[:2]
        raise config.error(second, "another number of experts", want=f"{first} = {named[first]}")
    count = max(named.values(), default=0)
    if count > MOST_EXPERTS:
        raise config.error(next(iter(named)), "too many experts", want=f"at most {MOST_EXPERTS}")
    return count if count > 1 else 0


def refuse_unknown_experts(config: Config) -> None:
    """Refuse a configuration that speaks of experts in a way that is not understood.

    Raises
    ------
    WorkloadError
        With the first key that does.
    """
    if any(config.count(key) for key in COUNTS):
        return
    spoken_of = [*not_understood(config), *(key for key in CHOSEN if config.count(key) > 1)]
    if spoken_of:
        raise config.error(
            spoken_of[0], "speaks of experts, whose layers would be missing",
            want=f"their number in {COUNTS[0]}",
        )  # fmt: skip


def not_understood(config: Config) -> list[str]:
    """Keys that seem to say something of experts, and are not read."""
    return [
        key
        for key in config.keys_in_use()
        if ABOUT_EXPERTS.fullmatch(key) and key not in UNDERSTOOD and not HARMLESS.search(key)
    ]


def experts_of(config: Config) -> Experts | None:
    """The experts of the block that the configuration is seen from; None where it has none."""
    count = expert_count(config)
    if not count or not _has_experts(config):
        return None
    key = next((key for key in CHOSEN if config.values.get(key) is not None), CHOSEN[0])
    inner = config.size("moe_intermediate_size", 0) or config.size("intermediate_size")
    one_size = config.count("shared_expert_intermediate_size")
    many = max(config.count(key) for key in SHARED)
    is_mixtral = config.count("num_local_experts") > 0
    return Experts(
        count=count,
        chosen=config.size(key, largest=count),
        inner=inner,
        shared=one_size or many * inner,
        has_shared_gate=bool(one_size),
        naming=MIXTRAL if is_mixtral else OTHERS,
    )


def dense_width(config: Config) -> int:
    """Features inside the MLP of a block without experts."""
    return config.size("intermediate_size_mlp", 0) or config.size("intermediate_size")


def expert_layers(block: Builder, hidden: int, experts: Experts, before: str) -> list[Part]:
    """Router, experts of each token, and the sum of what they say of the layer ``before``."""
    home = f"layers.{{}}.{experts.naming.home}"
    count, chosen = experts.count, experts.chosen
    products = _products(block, hidden, experts, f"{home}.experts.{{expert}}", before)
    downs = [part.layer.name for part in products if part.layer.name.startswith(DOWN)]
    summed = block.stream("experts.sum", "add", chosen * hidden, hidden)
    return [
        block.linear("router", hidden, {f"{home}.gate": count}, is_usual=False),
        block.stream("router.softmax", "softmax", count, count),
        *products,
        summed.after(*downs, "router.softmax"),
        *(_shared_layers(block, hidden, experts, home, before) if experts.shared else []),
    ]


def _products(block: Builder, hidden: int, experts: Experts, home: str, before: str) -> list[Part]:
    """Products of experts that take equally many tokens are one batch; there are up to two."""
    names, inner = experts.naming, experts.inner
    inwards = ((f"{home}.{names.gate}", inner), (f"{home}.{names.up}", inner))
    outwards = ((f"{home}.{names.down}", hidden),)
    shares = _shares(block.tokens.rows * experts.chosen, experts.count)

    def products(
        name: str, modules: tuple[tuple[str, int], ...], k: int, *inputs: str
    ) -> list[Part]:
        parts = []
        for number, (which, tokens) in enumerate(shares):
            layer = Gemm(
                name + ".fewer" * number, m=sum(rows for _, rows in modules), n=tokens, k=k,
                batch=len(which), dtype=block.dtype,
            )  # fmt: skip
            parts.append(Part(layer, modules, experts=which).after(*inputs))
        return parts

    moved = experts.chosen * inner
    into = products("experts.gate.up", inwards, hidden, before, "router.softmax")
    gated = block.stream("experts.silu.mul", "silu", 2 * moved, moved)
    return [
        *into,
        gated.after(*(part.layer.name for part in into)),
        *products(DOWN, outwards, inner, "experts.silu.mul"),
    ]


def _shares(pairs: int, count: int) -> list[tuple[range, int]]:
    """Experts and tokens of each, for ``pairs`` of a token and an expert, spread evenly."""
    used = min(count, pairs)
    tokens, more = divmod(pairs, used)
    shares = [(range(more), tokens + 1), (range(more, used), tokens)]
    return [(which, share) for which, share in shares if len(which)]


def _shared_layers(
    block: Builder, hidden: int, experts: Experts, home: str, before: str
) -> list[Part]:
    """The expert that every token sees."""
    inner = experts.shared
    name = f"{home}.shared_expert" if experts.has_shared_gate else f"{home}.shared_experts"
    into = {f"{name}.gate_proj": inner, f"{name}.up_proj": inner}
    gate = block.linear("shared.gate", hidden, {f"{name}_gate": 1}, is_usual=False)
    gates = [gate.after(before)] if experts.has_shared_gate else []
    summed = ("experts.sum", "shared.down", *(part.layer.name for part in gates))
    return [
        block.linear("shared.gate.up", hidden, into).after(before),
        block.stream("shared.silu.mul", "silu", 2 * inner, inner),
        block.linear("shared.down", inner, {f"{name}.down_proj": hidden}),
        *gates,
        block.add("shared.add", hidden, *summed),
    ]


def _has_experts(config: Config) -> bool:
    """Whether the block has experts; by the keys of those who leave some blocks dense."""
    block, listed = config.block, config.values.get("moe_layers")
    if listed and block not in _numbers(config, "moe_layers"):
        return False
    if block in _numbers(config, "mlp_only_layers"):
        return False
    if block < config.count("first_k_dense_replace"):
        return False
    if isinstance(config.values.get("moe_layer_freq"), list):  # 1 or 0, one a block
        return config.count("moe_layer_freq") > 0
    if block % config.size("moe_layer_freq", 1):
        return False
    steps = (config.size(key, 1) for key in ("decoder_sparse_step", "interleave_moe_layer_step"))
    return not any((block + 1) % step for step in steps)


def _numbers(config: Config, key: str) -> list[int]:
    """A list of numbers of blocks."""
    numbers = config.values.get(key) or []
    is_list = isinstance(numbers, list) and len(numbers) <= MOST_BLOCKS
    if not is_list or not all(type(number) is int for number in numbers):
        raise config.error(key, "must be a list of blocks")
    return list(numbers)
