"""Run the notebooks and keep what they show, in their files: `make notebooks`.

A notebook is plain Python here, run cell by cell in this process: no kernel has to start, and its
test asks about its variables. What a cell prints, and its last value, become the cell's outputs.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import difflib
import io
import linecache
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from operator import eq
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pandas as pd
from IPython.core.formatters import DisplayFormatter
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nbformat import NotebookNode
from PIL import Image
from PIL.PngImagePlugin import PngInfo

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
DOTS_PER_INCH = 100  # what is 8 inches wide fills the column of a page
DECIMAL = re.compile(r"(\d+\.(\d+))")
COLOURS = 128  # of the palette: a third of the bytes, and no difference to the eye
TABLES = ("display.precision", 6, "display.max_columns", 20)  # as in a notebook, not a terminal


def code(notebook: NotebookNode) -> list[NotebookNode]:
    """Its cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def figures_of(picture: Figure) -> str:
    """What a picture says, to three digits: a line a part, with its words, bars and limits."""
    said = []
    for axes in picture.findobj(Axes):
        words = [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
        words += [text.get_text() for text in axes.texts]
        boxes = (bar.get_path().get_extents(bar.get_patch_transform()) for bar in axes.patches)
        bars = " ".join(f"{box.width:.3g}x{box.height:.3g}" for box in boxes)
        limits = " ".join(f"{end:.3g}" for end in axes.dataLim.extents)
        said.append(" | ".join([*filter(None, [*words, bars]), limits]))
    return "\n".join(said)


def drawn(picture: Figure) -> bytes:
    """A small PNG, the same bytes each time, that carries what the picture says."""
    buffer, small = io.BytesIO(), io.BytesIO()
    picture.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    carried = PngInfo()
    carried.add_itxt("Description", figures_of(picture))
    palette = Image.open(buffer).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    palette.save(small, "PNG", optimize=True, pnginfo=carried)
    return small.getvalue()


def run_cell(source: str, where: str, names: dict[str, Any]) -> tuple[str, Any]:
    """What a cell prints, and the value of its last line."""
    linecache.cache[where] = (len(source), None, source.splitlines(True), where)  # for tracebacks
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(body, []), where, "exec"), names)
        shown = last and eval(compile(ast.Expression(last.value), where, "eval"), names)
    return printed.getvalue(), shown


def outputs(printed: str, shown: Any, count: int) -> list[NotebookNode]:
    """A cell's outputs, as Jupyter keeps them."""
    kept = []
    if printed:
        kept.append(nbformat.v4.new_output("stream", name="stdout", text=printed))
    if shown is not None:
        data, _ = DisplayFormatter().format(shown)
        data.pop("text/latex", None)
        if isinstance(shown, Figure):
            data = {"image/png": base64.b64encode(drawn(shown)).decode(), "text/plain": "picture"}
        kept.append(nbformat.v4.new_output("execute_result", data, execution_count=count))
    return kept


@contextlib.contextmanager
def as_in_a_notebook() -> Iterator[None]:
    """In the notebooks' folder; a warning is an error, and pandas' options are set back."""
    path = list(sys.path)
    with contextlib.chdir(FOLDER), pd.option_context(*TABLES), warnings.catch_warnings():
        warnings.simplefilter("error")
        sys.path.insert(0, str(FOLDER))
        yield
    sys.path[:] = path


def run(path: Path) -> tuple[NotebookNode, dict[str, Any]]:
    """The notebook with what it shows now, and the variables that it leaves."""
    notebook = nbformat.read(path, as_version=4)
    names: dict[str, Any] = {"__name__": path.stem}
    with as_in_a_notebook():
        for count, cell in enumerate(code(notebook), 1):
            where = f"{path.name}, cell {count}"
            cell.outputs = outputs(*run_cell(cell.source, where, names), count)
            cell.execution_count = count
    return notebook, names


def pictures(cell: NotebookNode) -> list[bytes]:
    """The PNGs that a cell shows."""
    kept = (output.get("data", {}).get("image/png") for output in cell.outputs)
    return [base64.b64decode(png) for png in kept if png]


def carried(png: bytes) -> str:
    """What is written in a PNG about its figures."""
    return Image.open(io.BytesIO(png)).info.get("Description", "")


def said(cell: NotebookNode) -> str:
    """What a cell shows in words and figures; of a picture what it carries."""
    texts = []
    for output in cell.outputs:
        texts.append(output.get("text", ""))
        data = sorted(output.get("data", {}).items())
        texts += [text for kind, text in data if kind != "image/png"]
    return "\n".join([*texts, *map(carried, pictures(cell))])


def is_near(old: str, new: str) -> bool:
    """The same words, and decimals that differ by one in the last digit at most."""
    pairs = zip(DECIMAL.findall(old), DECIMAL.findall(new), strict=False)
    return DECIMAL.sub("", old) == DECIMAL.sub("", new) and all(
        abs(float(one) - float(other)) <= 1.01 * 10.0 ** -min(len(end), len(other_end))
        for (one, end), (other, other_end) in pairs
    )


def stale(
    name: str, kept: NotebookNode, ran: NotebookNode, same: Callable[[str, str], bool] = eq
) -> Iterator[str]:
    """A line or more for each cell that shows something else than what is kept."""
    for count, (old, new) in enumerate(zip(code(kept), code(ran), strict=True), 1):
        if not same(said(old), said(new)):
            changes = difflib.unified_diff(
                said(old).splitlines(), said(new).splitlines(), "kept", "now", n=0, lineterm=""
            )
            yield "\n".join([f"{name}, cell {count} (`make notebooks` writes it anew):", *changes])


def rerun(name: str, same: Callable[[str, str], bool] = eq) -> SimpleNamespace:
    """Run a notebook, ask that it shows what is kept, and hand out its variables.

    With ``same=is_near`` where sums of floats, added up in another order, may move a last digit.
    """
    path = FOLDER / f"{name}.ipynb"
    ran, names = run(path)
    changed = "\n".join(stale(path.name, nbformat.read(path, as_version=4), ran, same))
    assert not changed, changed
    return SimpleNamespace(**names)


def main(only: list[str]) -> None:
    for path in NOTEBOOKS:
        if not only or any(path.name.startswith(name) for name in only):
            ran, _ = run(path)
            nbformat.write(ran, path)
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
