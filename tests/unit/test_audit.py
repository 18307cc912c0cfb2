"""Does an impossible account refuse to exist, and say which figure of which layer is wrong?"""

from __future__ import annotations

from typing import Any

import pytest

from simulator import Gemm, Workload, simulate
from simulator.errors import AccountError
from simulator.report.audit import audit

SOUND: dict[str, Any] = {
    "counts": {"slots_used": 3, "idle": 0},
    "sums": {"core_time_ps": ((1, 2), 3)},
    "ratios": {"mac_utilization": 0.5, "busy_ratio": {"dram": 1.0}},
}


def test_sound_accounts_pass() -> None:
    audit("layer a", **SOUND)


@pytest.mark.parametrize(
    ("part", "figure", "value", "message"),
    [
        ("counts", "slots_padded", -1, "slots_padded is negative, want at least 0, got -1"),
        ("sums", "core_time_ps", ((1, 2), 4), "core_time_ps do not add up, want 4, got 3"),
        (
            "ratios",
            "busy_ratio",
            {"dram": 1.0, "operand": 1.52},
            "busy_ratio.operand is no share, want 0 to 1, got 1.52",
        ),
        (
            "ratios",
            "mac_utilization",
            float("nan"),
            "mac_utilization is no share, want 0 to 1, got nan",
        ),
    ],
)
def test_a_breach_names_layer_and_figure(
    part: str, figure: str, value: object, message: str
) -> None:
    wrong = {**SOUND, part: {**SOUND[part], figure: value}}
    with pytest.raises(AccountError, match="layer a: its account is impossible: ") as error:
        audit("layer a", **wrong)
    assert message in str(error.value)


def test_every_report_is_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.report.layer._slots_used", lambda *_: 10**9)
    with pytest.raises(AccountError, match=r"layer fc: .* slots_padded"):
        simulate("nm-flex", Workload("one", [Gemm("fc", m=64, n=64, k=64)]))
