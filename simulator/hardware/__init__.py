"""The machine: its YAML, its presets, its exact units."""

from simulator.hardware.core import Instruction
from simulator.hardware.library import Library, Tile
from simulator.hardware.load import hardware_schema, load_hardware
from simulator.hardware.machine import Hardware

__all__ = ["Hardware", "Instruction", "Library", "Tile", "hardware_schema", "load_hardware"]
