"""Wrong edits of code that both engines share, and the test that each must fail: `make edits`.

An edit replaces text of one file or two in a copy of the project; its test runs there and must
fail. Two engines agree on whatever they share, so that only oracles of its own can notice these.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("simulator", "tests", "configs", "workloads", "pyproject.toml")
LONGEST_S = 300


@dataclass(frozen=True)
class Edit:
    """``changes`` are (file, right, wrong); the right text occurs once in its file."""

    name: str
    test: str
    changes: tuple[tuple[str, str, str], ...]


NAIVE = "tests/differential/test_naive_machine.py"
ACCOUNT = "simulator/report/account.py"
LAYER = "simulator/report/layer.py"
MASKS = "tests/unit/test_masking.py"

EDITS = (
    Edit(
        "masked layers of equal shape share one simulation",
        "tests/unit/test_simulate.py::test_masked_layers_of_equal_shape_do_not_share",
        (("simulator/run/simulate.py", "(problems, layer.name) if is_masked else problems",
          "problems"),),
    ),
    Edit(
        "slots of masked stages are not scaled",
        f"{MASKS}::test_what_masked_stages_move_equals_the_enumerated",
        (("simulator/schedule/timing.py", "math.ceil(work.rows_operand_bits * share)",
          "work.rows_operand_bits"),),
    ),
    Edit(
        "metadata of masked stages is not scaled",
        f"{MASKS}::test_what_masked_stages_move_equals_the_enumerated",
        (("simulator/schedule/timing.py", "math.ceil(work.metadata_operand_bits * share)",
          "work.metadata_operand_bits"),),
    ),
    Edit(
        "accumulators of masked stages are not scaled",
        f"{MASKS}::test_what_masked_stages_move_equals_the_enumerated",
        (("simulator/schedule/timing.py", "math.ceil(work.accumulator_bits * share)",
          "work.accumulator_bits"),),
    ),
    Edit(
        "deeper stages under masks are not offered",
        "tests/unit/test_simulate.py::test_few_non_zeros_are_worked_on_in_deeper_stages",
        (("simulator/run/choice.py", "for factor in (1, 2, 4):", "for factor in (1,):"),),
    ),
    Edit(
        "operand stalls are booked as the scratchpad's",
        NAIVE,
        ((ACCOUNT, "operand += count * cost.stall_ps * cost.stalled_by_operand",
          "operand += 0"),),
    ),
    Edit(
        "the link between L2 halves does not queue, in either engine",
        NAIVE,
        (("simulator/engine/fast.py", "link = max(shared[LINK_FREE], now) + costs[kind, LINK_PS]",
          "link = now + costs[kind, LINK_PS]"),
         ("simulator/engine/reference.py",
          "path.append(self.link.serve(int(self.program.link_ps[kind])))",
          "path.append(self.env.timeout(int(self.program.link_ps[kind])))")),
    ),
    Edit(
        "busy ratio of L2 without the link",
        NAIVE,
        ((LAYER, "            queue(program.link_ps, result.far),\n",
          "            0,\n"),),
    ),
    Edit(
        "imbalance counts idle cores",
        NAIVE,
        ((LAYER, "result.worked_ps[result.worked_ps > 0]", "result.worked_ps"),),
    ),
    Edit(
        "register fill of metadata is dropped",
        NAIVE,
        (("simulator/schedule/timing.py", "metadata_fill_bytes=metadata_read if fills_rows else 0",
          "metadata_fill_bytes=0"),),
    ),
    Edit(
        "bytes read of W and of metadata are exchanged",
        NAIVE,
        ((LAYER, '("scratchpad", rows, "read", work.rows_read_bytes)',
          '("scratchpad", rows, "read", work.metadata_read_bytes)'),
         (LAYER, '("scratchpad", "metadata", "read", work.metadata_read_bytes)',
          '("scratchpad", "metadata", "read", work.rows_read_bytes)')),
    ),
    Edit(
        "DRAM capacity is never refused",
        "tests/unit/test_program.py::test_what_exceeds_main_memory_is_refused_to_the_byte",
        (("simulator/schedule/program.py", "    if need > room:",
          "    if need < 0:"),),
    ),
    Edit(
        "warm blocks enter in reverse order",
        "tests/unit/test_program.py::test_a_warm_l2_holds_what_was_used_last",
        (("simulator/schedule/program.py", 'warm_blocks=ids[np.argsort(order, kind="stable")]',
          'warm_blocks=ids[np.argsort(order, kind="stable")][::-1]'),),
    ),
    Edit(
        "bank ways ignore the dtype",
        "tests/unit/test_gathered.py::test_fetches_that_banks_serve_at_a_time_follow_the_dtype",
        (("simulator/workload/gathered.py", "step * DTYPE_BITS[dtype], 8 * pad.bank_bytes",
          "step * 16, 8 * pad.bank_bytes"),),
    ),
    Edit(
        "the barrier is left out of the account",
        NAIVE,
        ((ACCOUNT, "barrier += count * cost.barrier_ps", "barrier += 0"),),
    ),
    Edit(
        "epilogue and reduction are exchanged",
        NAIVE,
        (("simulator/engine/result.py", "    epilogue: int = 0\n    reduction: int = 0\n",
          "    reduction: int = 0\n    epilogue: int = 0\n"),),
    ),
    Edit(
        "a store's digest forgets engine/",
        "tests/unit/test_store_digest.py::test_an_edit_of_the_model_changes_the_digest",
        (("simulator/exploration/plan.py", '"engine", ', ""),),
    ),
    Edit(
        "sampling's phase ratios are off",
        "tests/unit/test_sampling.py::test_misses_follow_where_in_a_band_each_wave_falls",
        (("simulator/run/sampling.py", "zip((ROWS, COLUMNS), self._phase_ratios(), strict=True)",
          "((ROWS, 1.0), (COLUMNS, 1.0))"),),
    ),
    Edit(
        "a sample holds one wave of tiles, not four",
        "tests/unit/test_sampling_plan.py::test_every_part_fills_all_cores_four_times_and_l2_twice",
        (("simulator/run/sampling_plan.py", "FEWEST_WAVES = 4", "FEWEST_WAVES = 1"),),
    ),
)  # fmt: skip


def apply(edit: Edit, root: Path) -> None:
    """Make the edit in a copy of the project."""
    for name, right, wrong in edit.changes:
        path = root / name
        text = path.read_text()
        assert text.count(right) == 1, f"{edit.name}: {name} does not hold once: {right}"
        path.write_text(text.replace(right, wrong))


def passes(edit: Edit | None, *tests: str) -> bool:
    """Whether tests pass in a copy of the project, with or without an edit."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, root / name)
        if edit is not None:
            apply(edit, root)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        done = subprocess.run(
            command, cwd=root, capture_output=True, timeout=LONGEST_S, check=False
        )
    assert done.returncode in (0, 1), done.stdout.decode() + done.stderr.decode()
    return done.returncode == 0


def main() -> int:
    assert passes(None, *sorted({edit.test for edit in EDITS})), "the tests fail without an edit"
    missed = 0
    for edit in EDITS:
        caught = not passes(edit, edit.test)
        missed += not caught
        print(f"{'caught' if caught else 'MISSED':8}{edit.name}: {edit.test}", flush=True)
    print(f"{len(EDITS) - missed} of {len(EDITS)} caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
