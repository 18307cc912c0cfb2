"""Wrong edits of shared code, and the test that each must fail: `make edits`.

An edit replaces text of one file or two in a copy of the project; its test runs there and must
fail. Two engines agree on whatever they share, and so do the quality of a network and its time, so
that only oracles of its own can notice these.
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
VECTORS = "tests/differential/test_chosen_columns.py"
ACCOUNT = "simulator/report/account.py"
LAYER = "simulator/report/layer.py"
MOVED = "simulator/report/moved.py"
PROGRAM = "simulator/schedule/program.py"
ACCUMULATION = "tests/unit/test_accumulation.py"
MASKS = "tests/unit/test_masking.py"
PROFILES = "tests/unit/test_library_profiles.py"
METHODS = "tests/unit/test_weights_methods.py"
PASSES = "tests/unit/test_passes.py"
STREAMING = "tests/unit/test_streaming.py"
LANES = "tests/unit/test_lanes.py"
TRAINED_MASKS = "tests/training/test_masks.py"

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
        (("simulator/schedule/masking.py", "math.ceil(work.rows_operand_bits * share)",
          "work.rows_operand_bits"),),
    ),
    Edit(
        "metadata of masked stages is not scaled",
        f"{MASKS}::test_what_masked_stages_move_equals_the_enumerated",
        (("simulator/schedule/masking.py", "math.ceil(work.metadata_operand_bits * share)",
          "work.metadata_operand_bits"),),
    ),
    Edit(
        "accumulators of masked stages are not scaled",
        f"{MASKS}::test_what_masked_stages_move_equals_the_enumerated",
        (("simulator/schedule/masking.py", "math.ceil(work.accumulator_bits * share)",
          "work.accumulator_bits"),),
    ),
    Edit(
        "deeper stages under masks are not offered",
        "tests/unit/test_simulate.py::test_few_non_zeros_are_worked_on_in_deeper_stages",
        (("simulator/run/choice.py", "for factor in (1, 2, 4):", "for factor in (1,):"),),
    ),
    Edit(
        "loads through registers do not wait for each other, in either engine",
        NAIVE,
        (("simulator/engine/fast.py", "    if not k[K_ASYNC_COPIES]:  # the registers",
          "    if False:  # the registers"),
         ("simulator/engine/reference.py", "buffers if self.program.async_copies else 1",
          "buffers")),
    ),
    Edit(
        "a slice of outputs more than there are is waited for",
        NAIVE,
        (("simulator/schedule/timing.py",
          "(8 * library.epilogue_slice_bytes)) - 1",
          "(8 * library.epilogue_slice_bytes))"),),
    ),
    Edit(
        "the kernel that adds up partial sums starts for nothing",
        NAIVE,
        (("simulator/report/layer.py", " + program.restart_ps", ""),),
    ),
    Edit(
        "a stage on its way through registers takes none of them",
        "tests/unit/test_mapping.py::test_registers_hold_accumulators_slots_and_group_buffers",
        (("simulator/schedule/mapping.py", "return held if core.async_copies else held",
          "return held if True else held"),),
    ),
    Edit(
        "short sparse instructions follow each other like dense ones",
        "tests/validation/test_validation.py"
        "::test_short_sparse_instructions_wait_for_their_metadata",
        (("simulator/hardware/microbench.py", "max(passes, issue.sparse_interval_cycles)",
          "passes"),),
    ),
    Edit(
        "every pass over a chunk writes it",
        f"{PASSES}::test_what_still_lies_in_l2_is_not_read_from_dram_again",
        (("simulator/schedule/blocks.py",
          "np.full((grid.rows, grid.columns - 1), NO_SHARE, dtype=np.uint8)",
          "np.column_stack([shares] * (grid.columns - 1) or [shares[:, None][:, :0]])"),),
    ),
    Edit(
        "passes over rows wait for all rows",
        f"{PASSES}::test_what_still_lies_in_l2_is_not_read_from_dram_again",
        (("simulator/schedule/program.py",
          "None if layer.row is None else 2 * hardware.core.count * layer.row", "None"),),
    ),
    Edit(
        "streams of other passes share one simulation",
        f"{PASSES}::test_passes_over_dram_take_their_time",
        (("simulator/run/simulate.py", "layer.dtype, layer.passes, layer.row", "layer.dtype"),),
    ),
    Edit(
        "a streaming kernel starts like any other",
        f"{PASSES}::test_a_streaming_kernel_has_a_start_of_its_own",
        (("simulator/report/layer.py", "streaming = problem is None or", "streaming = False and"),),
    ),
    Edit(
        "a stream's rows wait for no sum",
        f"{STREAMING}::test_a_chunk_takes_what_its_elements_take",
        (("simulator/schedule/streaming.py", "waits = sums * share *", "waits = 0 * share *"),),
    ),
    Edit(
        "special functions follow lanes instead of working beside them",
        f"{STREAMING}::test_a_chunk_takes_what_its_elements_take",
        (("simulator/hardware/core.py", "max(macs / self.rate(), specials",
          "sum((macs / self.rate(), specials"),
         ("simulator/hardware/core.py", "/ exact(self.specials_per_cycle))",
          "/ exact(self.specials_per_cycle)))")),
    ),
    Edit(
        "streams of other operators share one simulation",
        f"{STREAMING}::test_operators_of_other_kinds_are_other_simulations",
        (("simulator/run/simulate.py", "layer.writes, layer.op,", "layer.writes,"),),
    ),
    Edit(
        "patches load no rows above and below",
        f"{LANES}::test_a_patch_loads_what_lies_below_its_windows",
        (("simulator/workload/window.py", "- 1) + self.reach)", "- 1) + self.stride)"),),
    ),
    Edit(
        "channels of a depthwise layer share their operands",
        f"{LANES}::test_stages_cost_what_lanes_and_loads_take",
        (("simulator/schedule/timing.py",
          "if problem.own_columns:", "if problem.gathers and problem.own_columns:"),),
    ),
    Edit(
        "operand stalls are booked as the scratchpad's",
        NAIVE,
        (("simulator/schedule/timing.py", "return self.stall_ps * self.stalled_by_operand",
          "return 0"),),
    ),
    Edit(
        "the link between L2 halves does not queue, in either engine",
        NAIVE,
        (("simulator/engine/fast.py", "link = max(shared[LINK_FREE], now) + costs[kind, LINK_PS]",
          "link = now + costs[kind, LINK_PS]"),
         ("simulator/engine/memory.py",
          "transfers.append(self.link.serve(int(self.program.link_ps[kind])))",
          "transfers.append(self.env.timeout(int(self.program.link_ps[kind])))")),
    ),
    Edit(
        "outputs that are added to are read as wide as inputs",
        f"{ACCUMULATION}::test_bytes_are_those_of_outputs_read",
        (("simulator/schedule/blocks.py", "bits = problem.output_bits if operand == OUTPUTS",
          "bits = problem.bits if operand == OUTPUTS"),),
    ),
    Edit(
        "engines do not hear that outputs are added to",
        NAIVE,
        ((PROGRAM, "accumulates=problem.accumulates", "accumulates=False"),),
    ),
    Edit(
        "warm outputs that are added to are used first",
        f"{ACCUMULATION}::test_a_warm_l2_holds_outputs_that_are_added_to_and_writes_over_them",
        (("simulator/schedule/warm.py",
          "uses.append(((last * grid.stages + grid.stages - 1) * 3 + 2,",
          "uses.append(((last * grid.stages) * 3 - 1,"),),
    ),
    Edit(
        "whatever the cores of a cluster share is sent to each of them, in both engines",
        NAIVE,
        (("simulator/engine/fast.py", "if sent[TURN] == c[TAKEN]:", "if sent[TURN] < 0:"),
         ("simulator/engine/memory.py", "if sent and turn == asked.turn:",
          "if sent and turn < 0:")),
    ),
    Edit(
        "cores of a cluster work on different splits",
        NAIVE,
        (("simulator/schedule/partition.py", "band.transpose(0, 3, 1, 5, 2, 4)",
          "band.transpose(0, 3, 1, 2, 4, 5)"),),
    ),
    Edit(
        "estimates take what clusters share in full",
        "tests/closed_form/test_estimates.py",
        (("simulator/schedule/offers.py", "work.columns_bytes / offers.cluster_m",
          "work.columns_bytes"),),
    ),
    Edit(
        "samples are not cut in whole clusters",
        "tests/unit/test_multicast.py::test_a_sample_has_clusters_where_the_whole_has",
        (("simulator/run/sampling_plan.py", "(fewest_columns * n, size * n, whole.cluster.n)",
          "(fewest_columns * n, size * n, 1)"),),
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
        ((MOVED, '"read", "rows_read_bytes"', '"read", "metadata_read_bytes"'),
         (MOVED, '("scratchpad", "metadata", "read", "metadata_read_bytes")',
          '("scratchpad", "metadata", "read", "rows_read_bytes")')),
    ),
    Edit(
        "DRAM capacity is never refused",
        "tests/unit/test_program.py::test_what_exceeds_main_memory_is_refused_to_the_byte",
        (("simulator/schedule/limits.py", "    if need > room:",
          "    if need < 0:"),),
    ),
    Edit(
        "warm blocks enter in reverse order",
        "tests/unit/test_program.py::test_a_warm_l2_holds_what_was_used_last",
        (("simulator/schedule/warm.py",
          "return ids[np.sort(np.unique(ids, return_index=True)[1])]",
          "return ids[np.sort(np.unique(ids, return_index=True)[1])][::-1]"),),
    ),
    Edit(
        "bank ways ignore the dtype",
        "tests/unit/test_gathered.py::test_fetches_that_banks_serve_at_a_time_follow_the_dtype",
        (("simulator/workload/gathered.py", "step * DTYPE_BITS[dtype], 8 * pad.bank_bytes",
          "step * 16, 8 * pad.bank_bytes"),),
    ),
    Edit(
        "gathered activations pass L2 as the block that holds them",
        f"{VECTORS}::test_reports_equal_the_brute_force_machine",
        (("simulator/schedule/blocks.py", "[stored, stored, read, stored, passed, passed]",
          "[stored, stored, read, stored, stored, passed]"),),
    ),
    Edit(
        "every row stores the indices of the columns that it shares",
        f"{VECTORS}::test_stage_costs_equal_the_enumerated_ones",
        (("simulator/sparsity/vectors.py",
          "return -(-rows // self.rows) * self.columns(weights) * bits",
          "return rows * self.columns(weights) * bits"),),
    ),
    Edit(
        "blocks of rows all choose the same columns",
        f"{VECTORS}::test_reports_equal_the_brute_force_machine",
        (("simulator/sparsity/vectors.py", "        if rows <= self.rows:", "        if rows:"),),
    ),
    Edit(
        "the barrier is left out of the account",
        NAIVE,
        ((ACCOUNT, 'barrier, operand = sums["barrier_ps"],', "barrier, operand = 0,"),),
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
    Edit(
        "Wanda ranks by the square of the inputs' norms",
        f"{METHODS}::test_inputs_that_are_not_correlated_make_it_easy",
        (("simulator/weights/methods.py", "np.abs(rows) * np.sqrt(energy / energy.max())",
          "np.abs(rows) * (energy / energy.max())"),),
    ),
    Edit(
        "SparseGPT makes up for nothing within a block",
        f"{METHODS}::test_sparsegpt_is_what_inverses_anew_give",
        (("simulator/weights/sparsegpt.py",
          "columns[at + 1 :] -= factor[at, at + 1 :, None] * errors[at]", "pass"),),
    ),
    Edit(
        "SparseGPT makes up for nothing beyond a block",
        f"{METHODS}::test_sparsegpt_is_what_inverses_anew_give",
        (("simulator/weights/sparsegpt.py",
          "columns[end:] -= factor[start:end, end:].T @ errors", "pass"),),
    ),
    Edit(
        "reconstruction errors are not squared",
        f"{METHODS}::test_reconstruction_error_is_that_of_the_outputs",
        (("simulator/weights/methods.py", "return lost / total if total",
          "return math.sqrt(lost / total) if total"),),
    ),
    Edit(
        "a convolution's inputs are written out with channels slowest",
        "tests/quality/test_inputs.py::test_convolutions",
        (("simulator/quality/inputs.py", "(0, *axes, *range(2 + flat, 2 + 2 * flat), 1)",
          "(0, *axes, 1, *range(2 + flat, 2 + 2 * flat))"),),
    ),
    Edit(
        "Gram matrices hold the last batch alone",
        "tests/quality/test_pruning.py::test_layer_by_layer_on_what_was_pruned_before",
        (("simulator/quality/inputs.py", "gram[section] += samples.T @ samples",
          "gram[section] = samples.T @ samples"),),
    ),
    Edit(
        "of equal magnitudes numpy's masks keep the later",
        "tests/unit/test_weights_masks.py::test_masks_equal_those_of_an_oracle_ties_included",
        (("simulator/weights/masks.py",
          'best = np.argsort(keys, axis=2, kind="stable")[:, :, : pattern.keep]',
          "best = pattern.group - 1 - np.argsort(\n"
          '            keys[:, :, ::-1], axis=2, kind="stable"\n        )[:, :, : pattern.keep]'),),
    ),
    Edit(
        "of equal magnitudes torch's masks keep the later",
        f"{TRAINED_MASKS}::test_masks_are_those_of_numpy",
        (("simulator/training/masks.py",
          "groups.argsort(dim=2, stable=True)[:, :, : pattern.keep]",
          "pattern.group - 1 - groups.flip(2).argsort(dim=2, stable=True)[:, :, : pattern.keep]"),),
    ),
    Edit(
        "targeted dropout lets some through at the end",
        f"{TRAINED_MASKS}::test_targeted_dropout_drops_all_but_the_largest_ever_more_often",
        (("simulator/training/masks.py", "self.dropped = self.recipe.ramp.pruned(progress)",
          "self.dropped = 0.9 * self.recipe.ramp.pruned(progress)"),),
    ),
    Edit(
        "what iterative pruning took may come back",
        f"{TRAINED_MASKS}::test_a_shrinking_mask_takes_the_smallest_of_what_is_left",
        (("simulator/training/masks.py", "magnitude_mask(weight, now, among=self.kept)",
          "magnitude_mask(weight, now)"),),
    ),
    Edit(
        "keep is rounded up where the nearest is asked for",
        "tests/training/test_ramps.py::test_how_keep_is_rounded",
        (("simulator/training/ramps.py", "lambda keep: math.floor(keep + 0.5)",
          "lambda keep: math.ceil(keep)"),),
    ),
    Edit(
        "intervals take the error for known, however few seeds tell it",
        "tests/training/test_run_table.py::test_an_interval_is_scipy_s",
        (("simulator/training/paired.py",
          "T_QUANTILES[min(self.seeds - 1, len(T_QUANTILES)) - 1] * self.error",
          "1.96 * self.error"),),
    ),
    Edit(
        "differences to dense are not paired by seed",
        "tests/tradeoff/test_groups.py::test_differences_of_shared_seeds_are_paired",
        (("simulator/tradeoff/groups.py", "    if len(paired) > 1:\n", "    if not paired:\n"),),
    ),
    Edit(
        "figures tie within one standard error of their difference",
        "tests/tradeoff/test_groups.py::test_differences_without_shared_seeds_are_not",
        (("simulator/tradeoff/groups.py", "WITHIN_ERRORS = 2.0", "WITHIN_ERRORS = 1.0"),),
    ),
    Edit(
        "layers that no row prunes run as the trace says, not dense",
        "tests/tradeoff/test_join.py::test_layers_run_as_their_rows_say_and_others_dense",
        (("simulator/workload/patterned.py", "patterns.get(layer.name, str(DENSE))",
          "patterns.get(layer.name, str(layer.pattern or DENSE))"),),
    ),
    Edit(
        "absent rows of a turn add no sums",
        "tests/unit/test_hopper.py::test_sums_are_added_after_their_macs",
        (("simulator/schedule/timing.py", "return turns * promotion.rows * executed_n",
          "return shape.m * executed_n * ceil_div(shape.k, promotion.every_k)"),),
    ),
    Edit(
        "outputs pass the scratchpad once",
        "tests/unit/test_hopper.py::test_staged_outputs_pass_the_scratchpad_twice",
        (("simulator/schedule/program.py", "hold_ps + 2 * times.scratchpad",
          "hold_ps + times.scratchpad"),),
    ),
    Edit(
        "what others left dirty is evicted for ever",
        "tests/unit/test_hopper.py::test_no_more_is_evicted_than_there_was",
        (("simulator/schedule/blocks.py", "min(Fraction(1), Fraction(l2.bytes, max(1, moved)))",
          "1"),),
    ),
    Edit(
        "worth it without the measurement's error",
        "tests/tradeoff/test_front.py::test_what_is_worth_it",
        (("simulator/tradeoff/verdict.py", "margin = WITHIN_ERRORS * point.cost.error",
          "margin = 0.0"),),
    ),
    Edit(
        "padding that a library demands is not executed",
        f"{PROFILES}::test_the_padded_problem_is_what_runs",
        (("simulator/run/simulate.py", "work.laid_out(terms.laid_out)", "work"),),
    ),
    Edit(
        "pixels of few channels lie in no whole vectors",
        "tests/unit/test_few_channels.py::test_pixels_may_lie_in_whole_vectors",
        (("simulator/workload/laid_out.py",
          "return _resized(taken, taken.m, taken.n, whole, whole), taken",
          "return (taken,)"),),
    ),
    Edit(
        "channels that groups pad are taken for whole vectors",
        "tests/unit/test_few_channels.py::"
        "test_channels_that_groups_pad_are_stored_in_whole_vectors_where_they_are_said_to_be",
        (("simulator/workload/laid_out.py", "taken.real_run % vector", "taken.run % vector"),),
    ),
    Edit(
        "a library's demand of channels is met by zeros that are not stored",
        f"{PROFILES}::test_a_demand_is_of_channels_as_they_are_stored",
        (("simulator/workload/laid_out.py",
          'library.padded("k", stored, bits) > stored', 'library.padded("k", run, bits) > run'),),
    ),
    Edit(
        "a machine that holds one kernel of a width is offered no other",
        "tests/unit/test_fused_attention.py::test_more_room_takes_no_tile_away",
        (("simulator/schedule/attention_ranking.py", "if refusal is None:", "if found:"),),
    ),
    Edit(
        "of a convolution's input only what is stored passes L2",
        "tests/unit/test_few_channels.py::"
        "test_inputs_pass_l2_as_they_enter_scratchpads_and_dram_once",
        (("simulator/schedule/blocks.py", "[ceil_div(held, parts)] * 4",
          "[ceil_div(total_bytes, parts)] * 4"),),
    ),
    Edit(
        "padding that a library demands counts as useful",
        f"{PROFILES}::test_the_padded_problem_is_what_runs",
        (("simulator/workload/lowering.py", "return self.unpadded or self", "return self"),),
    ),
    Edit(
        "fallback tiles are offered always",
        f"{PROFILES}::test_fallback_tiles_are_offered_where_no_other_gives_every_core_one",
        (("simulator/schedule/ranking.py", "            yield self.regular\n",
          "            yield self.tiles\n"),),
    ),
    Edit(
        "a library's own barrier is ignored",
        f"{PROFILES}::test_what_a_library_owns_counts_as_the_machines_would",
        (("simulator/hardware/machine.py", '("barrier_cycles", "whole_tiles", "promotion")',
          '("whole_tiles", "promotion")'),),
    ),
    Edit(
        "whole tiles at the edges move what they pad",
        f"{PROFILES}::test_whole_tiles_take_as_long_at_the_edges_and_move_no_more",
        (("simulator/schedule/timing.py", "        rows_bytes=work.rows_bytes,\n", ""),),
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
