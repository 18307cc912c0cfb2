"""Do patterns parse, cost, contain each other and find their host as they should?"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from simulator.errors import ConfigError
from simulator.sparsity import (
    DENSE,
    LARGEST_GROUP,
    AnyPattern,
    Capability,
    MetadataCode,
    Pattern,
    Unstructured,
    VectorPattern,
    parse_pattern,
)

ENUMERABLE_WEIGHTS = 15
"""Longest lcm period whose masks are enumerated: 2**15 of them."""


def patterns(*texts: str) -> tuple[Pattern, ...]:
    return tuple(Pattern.parse(text) for text in texts)


@pytest.mark.parametrize(
    ("text", "keep", "group"),
    [
        ("2:4", 2, 4),
        ("1:8", 1, 8),
        (" 2 : 4 ", 2, 4),
        ("4:4", 4, 4),
        ("1:1", 1, 1),
        ("dense", 1, 1),
        (" Dense ", 1, 1),
        ("02:04", 2, 4),
        (f"1:{LARGEST_GROUP}", 1, LARGEST_GROUP),
    ],
)
def test_parse_reads_keep_and_group(text: str, keep: int, group: int) -> None:
    assert Pattern.parse(text) == Pattern(keep, group)


def test_parse_takes_a_pattern_as_it_is_and_reads_back_what_it_prints() -> None:
    pattern = Pattern(3, 8)
    assert Pattern.parse(pattern) is pattern
    assert str(pattern) == "3:8"
    assert Pattern.parse(str(pattern)) == pattern


@pytest.mark.parametrize(
    "text",
    ["", ":", "2", "2:", ":4", "a:b", "2:4:8", "-2:4", "2:-4", "2.0:4", "2/4", "2 4", "٢:٤",
     "2:4x", "123456:123456", "1:100000", "2：4"],
)  # fmt: skip
def test_parse_refuses_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ConfigError, match="not a pattern") as caught:
        Pattern.parse(text)
    assert "'keep:group', such as '2:4'" in str(caught.value)


@pytest.mark.parametrize("value", [None, 2.4, ["2:4"], ("2", "4"), {"keep": 2}, b"2:4"])
def test_parse_refuses_other_types(value: object) -> None:
    with pytest.raises(ConfigError, match="not a pattern"):
        Pattern.parse(value)


@pytest.mark.parametrize("value", [True, False])
def test_parse_refuses_booleans(value: bool) -> None:
    with pytest.raises(ConfigError, match=f"got {value}"):
        Pattern.parse(value)


@pytest.mark.parametrize(("number", "text"), [(124, "2:4"), (68, "1:8"), (264, "4:24")])
def test_a_yaml_1_1_integer_names_the_pattern_that_was_meant(number: int, text: str) -> None:
    with pytest.raises(ConfigError, match=rf"YAML 1\.1 .*write '{text}'") as caught:
        Pattern.parse(number, "configs/x.yaml:3:1 sparsity.patterns")
    assert str(caught.value).startswith("configs/x.yaml:3:1 sparsity.patterns: not a pattern")
    assert f"got {number}" in str(caught.value)


@pytest.mark.parametrize("number", [5, 60, 0, -3])
def test_an_integer_that_is_no_pattern_is_to_be_quoted(number: int) -> None:
    with pytest.raises(ConfigError, match="write it in quotes"):
        Pattern.parse(number)


@pytest.mark.parametrize(
    ("text", "meant"), [("5:4", "4:5"), ("0:4", "1:4"), ("8:1", "1:8"), ("2:0", None)]
)
def test_keep_lies_between_one_and_group(text: str, meant: str | None) -> None:
    with pytest.raises(ConfigError, match="1 <= keep <= group") as caught:
        Pattern.parse(text)
    assert caught.value.got == text
    if meant is not None:
        assert f"did you mean '{meant}'?" in str(caught.value)


@pytest.mark.parametrize("group", [LARGEST_GROUP + 1, 99999])
def test_a_huge_group_is_refused(group: int) -> None:
    with pytest.raises(ConfigError, match=f"group too large, want <= {LARGEST_GROUP}"):
        Pattern.parse(f"1:{group}")


@pytest.mark.parametrize(
    ("text", "index", "enumerative"),
    [
        ("2:4", 4, 3),  # two 2-bit indices, NVIDIA A100 whitepaper p. 32; C(4, 2) = 6
        ("1:8", 3, 3),
        ("2:8", 6, 5),  # C(8, 2) = 28
        ("1:2", 1, 1),
        ("4:8", 12, 7),  # C(8, 4) = 70
        ("3:5", 9, 4),  # ceil(log2 5) = 3; C(5, 3) = 10
        ("1:16", 4, 4),
        ("1:1", 0, 0),
        ("4:4", 0, 0),
        ("8:8", 0, 0),
    ],
)
def test_metadata_bits_of_a_group(text: str, index: int, enumerative: int) -> None:
    pattern = Pattern.parse(text)
    assert pattern.metadata_bits() == index
    assert pattern.metadata_bits("index") == index
    assert pattern.metadata_bits("enumerative") == enumerative


def test_metadata_can_tell_every_mask_from_every_other() -> None:
    """No code may have fewer words than there are masks, and a shorter one would not do."""
    for group in range(2, 10):
        for keep in range(1, group):
            pattern = Pattern(keep, group)
            masks = sum(1 for _ in itertools.combinations(range(group), keep))
            assert 2 ** pattern.metadata_bits("index") >= masks
            bits = pattern.metadata_bits("enumerative")
            assert 2**bits >= masks > 2 ** (bits - 1)


@pytest.mark.parametrize(
    ("text", "weights", "groups", "slots", "useful"),
    [
        ("2:4", 8, 2, 4, 4),
        ("2:4", 9, 3, 6, 5),  # the last group has one weight, and two slots all the same
        ("2:4", 11, 3, 6, 6),
        ("2:4", 1, 1, 2, 1),
        ("1:8", 7, 1, 1, 1),
        ("3:8", 10, 2, 6, 5),
        ("1:1", 5, 5, 5, 5),
        ("4:4", 5, 2, 8, 5),
        ("2:4", 0, 0, 0, 0),
    ],
)
def test_slots_of_whole_and_partial_groups(
    text: str, weights: int, groups: int, slots: int, useful: int
) -> None:
    pattern = Pattern.parse(text)
    assert pattern.groups(weights) == groups
    assert pattern.slots(weights) == slots
    assert pattern.useful_slots(weights) == useful


def test_density_and_expansion_are_exact() -> None:
    assert Pattern(1, 3).density == Fraction(1, 3)
    assert Pattern(2, 4).expansion == 2
    assert Pattern(3, 8).expansion == Fraction(8, 3)
    assert [p.is_dense for p in patterns("1:1", "4:4", "3:4")] == [True, True, False]


def masks(length: int) -> np.ndarray:
    """Every mask of ``length`` weights, one a row."""
    numbers = np.arange(2**length)[:, None]
    return (numbers >> np.arange(length)) & 1


def allowed(every: np.ndarray, pattern: Pattern) -> np.ndarray:
    """Which masks keep at most ``keep`` in each group; the period is whole groups."""
    groups = every.reshape(len(every), -1, pattern.group)
    return (groups.sum(axis=2) <= pattern.keep).all(axis=1)


def test_fits_agrees_with_all_masks_of_one_period() -> None:
    """A brute-force oracle: a pattern fits a host if none of its masks breaks the host's rule."""
    by_length = {length: masks(length) for length in range(1, ENUMERABLE_WEIGHTS + 1)}
    every = [Pattern(keep, group) for group in range(1, 9) for keep in range(1, group + 1)]
    compared = fitting = 0
    for asked, host in itertools.product(every, every):
        period = math.lcm(asked.group, host.group)
        if period > ENUMERABLE_WEIGHTS:
            continue
        rows = by_length[period]
        expected = bool(allowed(rows, host)[allowed(rows, asked)].all())
        assert asked.fits(host) == expected, f"{asked} in {host}"
        compared += 1
        fitting += expected
    assert compared > 600
    assert 100 < fitting < compared - 100


@pytest.mark.parametrize(
    ("asked", "host", "fits"),
    [
        ("1:8", "2:4", True),
        ("1:4", "2:4", True),
        ("1:2", "2:4", True),
        ("4:8", "2:4", False),  # all four may fall into one half
        ("2:8", "2:4", True),
        ("3:8", "2:4", False),
        ("1:3", "2:4", True),  # a window of 4 touches two groups of 3
        ("2:3", "3:4", False),  # weights 4..7: two of either group
        ("1:3", "3:4", True),
        ("2:5", "2:4", False),  # weights 4..7: one of the first group, two of the second
        ("1:1", "2:4", False),
        ("2:4", "1:1", True),
        ("2:4", "2:4", True),
        ("2:4", "4:8", True),
        ("2:4", "1:2", False),
    ],
)
def test_fits_of_known_pairs(asked: str, host: str, fits: bool) -> None:
    assert Pattern.parse(asked).fits(Pattern.parse(host)) is fits


@pytest.mark.parametrize(
    ("asked", "listed", "executed"),
    [
        ("1:8", ["2:4"], "2:4"),
        ("2:4", ["2:4"], "2:4"),
        ("4:8", ["2:4"], "1:1"),
        ("4:4", ["2:4"], "1:1"),
        ("1:1", ["2:4"], "1:1"),
        ("1:8", [], "1:1"),
        ("1:8", ["2:4", "1:4"], "1:4"),  # the sparsest that contains it
        ("1:8", ["1:4", "2:4"], "1:4"),
        ("1:8", ["4:4", "2:4"], "2:4"),
        ("1:8", ["4:4"], "1:1"),
        ("1:4", ["2:4", "1:2"], "1:2"),  # equal density, 4 bits per 4 weights against 2
        ("1:8", ["4:16", "1:4"], "1:4"),  # 16 bits per 16 weights against 2 per 4
        ("2:16", ["2:4", "2:8"], "2:8"),
        ("3:16", ["2:4", "2:8"], "1:1"),  # all three may fall into one group
        ("3:16", ["2:8", "3:4"], "3:4"),
    ],
)
def test_a_listed_pattern_executes_what_it_contains(
    asked: str, listed: list[str], executed: str
) -> None:
    capability = Capability(patterns(*listed))
    assert str(capability.execute_as(Pattern.parse(asked))) == executed


@pytest.mark.parametrize(
    ("code", "executed"),
    [
        ("index", "4:8"),  # 12 bits per 8 weights, 1.5 a weight, against 20 per 10, 2.0
        ("enumerative", "5:10"),  # 7 per 8, 0.875 a weight, against 8 per 10, 0.8
    ],
)
def test_equal_densities_go_to_fewer_metadata_bits_a_weight(
    code: MetadataCode, executed: str
) -> None:
    for listed in (("4:8", "5:10"), ("5:10", "4:8")):
        capability = Capability(patterns(*listed))
        assert str(capability.execute_as(Pattern(1, 20), code)) == executed


def test_equal_metadata_goes_to_the_smaller_group() -> None:
    """3:5 and 6:10 both take 0.8 bits a weight: ceil(log2 10) / 5 and ceil(log2 210) / 10."""
    for listed in (("3:5", "6:10"), ("6:10", "3:5")):
        capability = Capability(patterns(*listed))
        assert str(capability.execute_as(Pattern(1, 10), "enumerative")) == "3:5"


def test_any_pattern_up_to_the_largest_group_runs_as_it_is() -> None:
    capability = Capability((), largest_group=16)
    for text in ("2:4", "1:8", "5:7", "1:16", "15:16"):
        assert str(capability.execute_as(Pattern.parse(text))) == text
    assert capability.execute_as(Pattern(16, 16)) == DENSE


@pytest.mark.parametrize(
    ("asked", "largest", "executed"),
    [
        ("1:16", 8, "1:8"),
        ("2:16", 8, "2:8"),
        ("1:32", 4, "1:4"),
        ("4:16", 8, "4:8"),
        ("8:16", 8, "1:1"),  # all eight may fall into one group of 8
        ("1:9", 8, "2:8"),  # a group of 8 may see two, and is sparser than 1:3
        ("1:9", 3, "1:3"),
        ("1:17", 16, "2:16"),
        ("16:32", 16, "1:1"),
    ],
)
def test_a_larger_group_runs_as_the_sparsest_that_contains_it(
    asked: str, largest: int, executed: str
) -> None:
    capability = Capability((), largest_group=largest)
    assert str(capability.execute_as(Pattern.parse(asked))) == executed


def test_the_host_chosen_is_never_denser_than_another_that_would_do() -> None:
    """Against a search over every pattern up to the largest group."""
    largest = 6
    capability = Capability((), largest_group=largest)
    hosts = [Pattern(k, g) for g in range(2, largest + 1) for k in range(1, g)]
    for group in range(largest + 1, 13):
        for keep in range(1, group):
            asked = Pattern(keep, group)
            executed = capability.execute_as(asked)
            containing = [host for host in hosts if asked.fits(host)]
            assert executed.density == min((h.density for h in containing), default=Fraction(1))
            assert executed.is_dense or executed in containing


@pytest.mark.parametrize("largest", [4, 8, 16])
def test_hosts_hold_half_the_group_and_twice_the_keep(largest: int) -> None:
    """Or one as dense with no more metadata; of groups of powers of two what these run as, too.

    All contain what is asked.
    """
    capability = Capability((), largest_group=largest)
    for group, keep in ((g, k) for g in range(2, 25) for k in range(1, g)):
        asked = Pattern(keep, group)
        hosts = capability.hosts(asked)
        assert all(asked.fits(host) and capability.executes(host) for host in hosts)
        densities = {host.density for host in hosts}
        near = [Pattern(keep, group // 2)] if group % 2 == 0 and keep < group // 2 else []
        near += [Pattern(2 * keep, group)] if 2 * keep < group else []
        for host in filter(capability.executes, near):
            assert host.density in densities
            if group & (group - 1) == 0:
                assert {one.density for one in capability.hosts(host)} <= densities


def test_of_a_pattern_of_odd_groups_powers_of_two_are_hosts() -> None:
    """Thirteen channels fill no group of 13 if they are twelve, but one of eight."""
    names = {str(host) for host in Capability(largest_group=16).hosts(Pattern(1, 13))}
    assert {"1:13", "2:8", "2:4", "3:4", "12:13"} <= names


@pytest.mark.parametrize(
    ("weights", "hosts"),
    [
        (64, ["128:2:20", "64:2:20", "32:2:20"]),
        (19, ["128:2:10", "64:2:10", "32:2:10"]),
        (7, ["128:2:5", "64:2:5", "32:2:5"]),
        (3, ["128:2:20", "64:2:20", "32:2:20"]),
    ],
)
def test_equal_parts_of_rows_may_choose_alike(weights: int, hosts: list[str]) -> None:
    found = VectorPattern(128, 2, 20).hosts([128, 96, 64, 32], weights)
    assert [str(host) for host in found] == hosts


@pytest.mark.parametrize(
    ("text", "pattern", "printed"),
    [
        ("2:4", Pattern(2, 4), "2:4"),
        ("dense", DENSE, "1:1"),
        ("unstructured:0.5", Unstructured(Fraction(1, 2)), "unstructured:0.5"),
        ("unstructured:.125", Unstructured(Fraction(1, 8)), "unstructured:0.125"),
        ("unstructured:1.0", Unstructured(Fraction(1)), "unstructured:1"),
        ("unstructured:0.00001", Unstructured(Fraction(1, 10**5)), "unstructured:0.00001"),
        ("unstructured:1e-10", Unstructured(Fraction(1, 10**10)), "unstructured:1e-10"),
        (
            "unstructured:0.123456789",
            Unstructured(Fraction(123456789, 10**9)),
            "unstructured:0.123456789",
        ),
    ],
)
def test_what_a_pattern_prints_is_read_back(text: str, pattern: AnyPattern, printed: str) -> None:
    assert parse_pattern(text) == pattern
    assert str(pattern) == printed
    assert parse_pattern(printed) == pattern


def test_a_density_counted_on_weights_is_rounded() -> None:
    assert str(Unstructured(Fraction(1, 3))) == "unstructured:0.333333"


REFUSED = (
    "unstructured unstructured: unstructured:0 unstructured:1.5 unstructured:-1 unstructured:x"
)


@pytest.mark.parametrize("text", REFUSED.split())
def test_a_density_lies_between_none_and_all(text: str) -> None:
    with pytest.raises(ConfigError, match="density"):
        parse_pattern(text)


@pytest.mark.parametrize("density", [0.5, Fraction(0), Fraction(3, 2), 1])
def test_a_density_is_an_exact_share(density: Fraction) -> None:
    with pytest.raises(ConfigError, match="not a density"):
        Unstructured(density)


def test_the_largest_group_is_read() -> None:
    assert Pattern.parse("1:4096") == Pattern(1, 4096)


def test_of_larger_groups_the_sparsest_host_alone_is_named_besides_powers_of_two() -> None:
    """Pairs of a group of 8 lie in one group, so that 1:2 holds them; 2:3 is denser."""
    assert Capability(largest_group=3).hosts(Pattern(1, 8)) == [Pattern(1, 2)]
