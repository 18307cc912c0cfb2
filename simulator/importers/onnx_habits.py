"""What exporters call the dimensions of inputs, where those stand, and how large they usually are.

``HABITS`` is the table; a name in any style (``batch_size``, ``BatchSize``, ``N``) finds its row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

UNNAMED = frozenset({"", "?", "*", "-1", "none", "null", "unk", "unknown", "dynamic"})
"""Names, in lower case, that exporters give to every dimension alike, so that they mean none."""

AUTOMATIC = re.compile(r"(unk_*|d|s|dim_?|axis_?|.*_dynamic_axes_|.*_dim_)\d+")
"""Names that exporters number; they say nothing but where the dimension stands."""

CHANNELS = frozenset({"c", "ch", "channel", "channels", "numchannels", "inchannels"})
COLOURS, MOST_COLOURS = 3, 4
"""Of a picture; a dimension that is fixed at so few is its channels."""


@dataclass(frozen=True)
class Habit:
    """A kind of dimension.

    Attributes
    ----------
    names : frozenset of str
        In lower case, letters and digits alone.
    usual : int
        A size to propose.
    axis : int
        Where it stands, of pictures with channels first.
    channels_last : int
        Where it stands, of pictures with channels last.
    ranks : frozenset of int
        Inputs of so many dimensions have one.
    word : str
        A longer name with this word in it means it, too, unless another matches whole.
    """

    names: frozenset[str]
    usual: int
    axis: int
    channels_last: int
    ranks: frozenset[int]
    word: str = ""


_PICTURES = frozenset({4})

HABITS: dict[str, Habit] = {
    "batch": Habit(
        frozenset({"batch", "batchsize", "batchdim", "bs", "bsz", "b", "n", "numbatch"}),
        usual=8, axis=0, channels_last=0, ranks=frozenset(range(1, 9)), word="batch",
    ),
    "seq": Habit(
        frozenset({"seq", "seqlen", "seqlength", "sequence", "sequencelen", "sequencelength"})
        | {"length", "len", "s", "t", "l", "time", "timesteps", "tokens", "numtokens"},
        usual=128, axis=1, channels_last=1, ranks=frozenset({2, 3}),
    ),
    "height": Habit(
        frozenset({"height", "h", "imageheight", "imgheight", "inputheight", "imgh", "rows"}),
        usual=224, axis=2, channels_last=1, ranks=_PICTURES, word="height",
    ),
    "width": Habit(
        frozenset({"width", "w", "imagewidth", "imgwidth", "inputwidth", "imgw", "cols"}),
        usual=224, axis=3, channels_last=2, ranks=_PICTURES, word="width",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """A dimension of an input, as far as habits go.

    Attributes
    ----------
    label : str
        Its name; empty if it has none.
    size : int or None
        None where the model does not fix it.
    """

    label: str
    size: int | None


@dataclass(frozen=True)
class Layout:
    """The dimensions of one input in order, and whether its channels are last."""

    axes: tuple[Axis, ...]
    turned: bool = False  # the model itself puts channels first before anything else
    channels_last: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels_last", self._is_channels_last())

    def _is_channels_last(self) -> bool:
        if len(self.axes) != 4:
            return False
        labels = [plain(axis.label) for axis in self.axes]
        for height_at, channels_at, answer in ((1, 3, True), (2, 1, False)):
            named = labels[height_at] in HABITS["height"].names or labels[channels_at] in CHANNELS
            if named:
                return answer
        few = [axis.size is not None and axis.size <= MOST_COLOURS for axis in self.axes]
        return few[3] and not few[1] if few[1] or few[3] else self.turned

    def place(self, habit: Habit) -> int | None:
        """Where a kind of dimension stands; None if the input has none."""
        if len(self.axes) not in habit.ranks:
            return None
        return habit.channels_last if self.channels_last else habit.axis

    def usual(self, axis: int, name: str) -> int:
        """A size to propose for a dimension: by its name, or by its place if it has none."""
        if plain(name) in CHANNELS:
            return COLOURS
        for whole in (True, False):
            for habit in HABITS.values():
                if means(name, habit, whole=whole):
                    return habit.usual
        is_placed = not name or AUTOMATIC.fullmatch(name) is not None
        if not is_placed or len(self.axes) != 4:
            return HABITS["batch" if is_placed and axis == 0 else "seq"].usual
        kinds = ("batch", "height", "width")
        places = {self.place(HABITS[kind]): HABITS[kind].usual for kind in kinds}
        return places.get(axis, COLOURS)


def habit_of(parameter: str) -> Habit | None:
    """The kind of dimension that a parameter's name asks for, if it is a usual one."""
    name = plain(parameter)
    return next((h for key, h in HABITS.items() if name == key or name in h.names), None)


def is_usual(label: str) -> bool:
    """Is the whole of a name a usual one, such as ``batch-size``?"""
    return any(plain(label) in habit.names for habit in HABITS.values())


def means(label: str, habit: Habit, *, whole: bool) -> bool:
    """Is a dimension called so, or has it the habit's word in its name?"""
    if whole:
        return plain(label) in habit.names
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", label)
    return bool(habit.word) and habit.word in (word.lower() for word in words)


def plain(name: str) -> str:
    """In lower case, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
