"""Is the automatic mapping nearly as fast as the fastest of all that the library offers?"""

from __future__ import annotations

from cases import PRESETS
from regret import LARGEST, row


def test_automatic_mappings_are_nearly_the_fastest() -> None:
    """On four random layers of every preset; `make regret` takes thousands."""
    rows = [row("few", number, PRESETS) for number in range(4 * len(PRESETS))]
    assert max(rows, key=lambda one: one.regret).regret <= LARGEST
    assert sum(one.regret > 1.005 for one in rows) <= len(rows) // 10
