"""What layers are ranked and laid out for, whatever memory is like."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.hardware import Hardware, Library


@dataclass(frozen=True)
class Bench:
    """A core and a library, on which layers are laid out; equal where all of both is.

    ``content`` is everything that a layout may depend on. Of ``hardware`` and ``library`` nothing
    else may be read here.
    """

    content: tuple[object, ...]
    hardware: Hardware = field(compare=False, repr=False)
    library: Library = field(compare=False, repr=False)

    @classmethod
    def of(cls, hardware: Hardware, library: Library) -> Bench:
        """That of a machine as its library finds it."""
        core = hardware.core.model_dump_json(exclude={"count"})
        rest = hardware.sparsity.model_dump_json(), library.model_dump_json()
        return cls((core, *rest, hardware.clock_hz), hardware, library)
