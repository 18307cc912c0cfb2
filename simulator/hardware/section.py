"""What all sections of a machine's YAML are, and the kinds of values that their keys take."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=2**40, strict=True)]
Size = Annotated[int, Field(ge=1, le=65536, strict=True)]
Positive = Annotated[float, Field(ge=1e-12, le=1e18, strict=True, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, le=1e12, strict=True, allow_inf_nan=False)]
Ratio = Annotated[float, Field(ge=1e-6, le=1, strict=True, allow_inf_nan=False)]
Switch = Annotated[bool, Field(strict=True)]


class Section(BaseModel):
    """A part of the YAML: immutable, and no key that is not listed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
