"""The values of a Hugging Face configuration, each checked where it is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.errors import WorkloadError
from simulator.workload.layer import MAX_SIZE

DTYPES = {
    "float32": "fp16", "float": "fp16", "float64": "fp16", "float16": "fp16", "half": "fp16",
    "bfloat16": "bf16", "float8_e4m3fn": "fp8", "float8_e4m3fnuz": "fp8", "float8_e5m2": "fp8",
    "float8_e5m2fnuz": "fp8", "int8": "int8", "auto": "fp16",
}  # fmt: skip
"""PyTorch's names, and the format that layers are computed in; float32 as the presets are."""

MOST_BLOCKS = 1024
"""More than anyone has built; each block is looked at by itself."""

LONGEST_KEY = 64

WIDER = {"float32": "fp32", "float": "fp32", "float64": "fp64"}
"""Those that are read narrower than they are."""


class Config:
    """An object of a configuration, at the top or inside it.

    Parameters
    ----------
    prefix : str
        What stands before a key in errors: ``quantization_config.``.
    block, depth : int, optional
        A size that is a list then holds one of each of ``depth`` blocks, and is that of ``block``.
    """

    def __init__(
        self,
        path: Path,
        values: Mapping[str, Any],
        prefix: str = "",
        block: int = 0,
        depth: int | None = None,
    ) -> None:
        self.path, self.values, self.prefix = path, values, prefix
        self.block, self.depth = block, depth

    def at(self, block: int, depth: int) -> Config:
        """The configuration as one of its blocks sees it."""
        return Config(self.path, self.values, self.prefix, block, depth)

    def keys_in_use(self) -> list[str]:
        """Keys whose value is not null, false, zero or empty."""
        return [key for key, value in self.values.items() if value and len(key) <= LONGEST_KEY]

    def where(self, key: str) -> str:
        return f"{self.path} {self.prefix}{key}"

    def error(
        self, key: str, what: str, want: str | None = None, hint: str | None = None
    ) -> WorkloadError:
        """An error that says where the key is and what it holds."""
        got = self.values.get(key)
        return WorkloadError(self.where(key), what, got=got, want=want, hint=hint)

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str):
            raise self.error(key, "must be a name")
        return value

    def size(self, key: str, default: int | None = None, largest: int = MAX_SIZE) -> int:
        """A count of one or more; ``default`` where it is missing or null."""
        value = self._of_block(key)
        if value is None and default is not None:
            return default
        if not _is_whole(value) or not 1 <= value <= largest:
            raise self.error(key, "must be a size", want=f"1 to {largest}")
        return int(value)

    def count(self, key: str) -> int:
        """A count that may be zero, as it is where it is missing, null or false."""
        value = self._of_block(key)
        return self.size(key) if value is not None and value is not False and value != 0 else 0

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, "must be true or false")
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """A list of names, in lists or not; none where it is missing or null."""
        found: list[str] = []
        open_items = [self.values.get(key)]
        while open_items:
            item = open_items.pop()
            if isinstance(item, list):
                open_items += reversed(item)
            elif isinstance(item, str):
                found.append(item)
            elif item is not None:
                raise self.error(key, "must be a list of names")
        return tuple(found)

    def inside(self, key: str) -> Config | None:
        """An object within; None where it is missing, null or empty."""
        value = self.values.get(key)
        if value is None or value == {}:
            return None
        if not isinstance(value, dict):
            raise self.error(key, "must be an object")
        return Config(self.path, value, f"{self.prefix}{key}.")

    def share(self, whole: str, parts: str, default: int | None = None) -> int:
        """``whole / parts``, which must be whole, such as channels of a head."""
        total, count = self.size(whole), self.size(parts, default)
        if total % count:
            raise WorkloadError(
                self.where(parts), f"must divide {whole}", got=count, want=f"of {total}"
            )
        return total // count

    @property
    def dtype_name(self) -> str:
        """As PyTorch calls it; where two keys say it, the newer one's."""
        for key in ("dtype", "torch_dtype"):
            if self.values.get(key) is not None:
                name = self.text(key).removeprefix("torch.")
                if name not in DTYPES:
                    raise self.error(key, "unknown dtype", want=" or ".join(DTYPES))
                return name
        return "auto"

    @property
    def dtype(self) -> str:
        """The format that layers are computed in."""
        return DTYPES[self.dtype_name]

    def _of_block(self, key: str) -> Any:
        value = self.values.get(key)
        if not isinstance(value, list) or self.depth is None:
            return value
        if len(value) != self.depth:
            raise self.error(key, "must be a size", want=f"a list of {self.depth}, one a block")
        return value[self.block]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
