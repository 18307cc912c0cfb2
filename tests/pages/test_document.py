"""Is a page one file, whatever the names in it, that asks nobody for anything?"""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files

import pytest
from opened import NASTY, Opened

from simulator.colours import OPERAND_COLOURS
from simulator.pages import document
from simulator.pages.document import as_json
from simulator.traffic import LEVELS, OPERANDS

SKELETON = ["html", "head", "meta", "meta", "meta", "meta", "title", "style", "body", "noscript"]
SKELETON += ["script", "script"]


@pytest.mark.parametrize("name", NASTY)
def test_any_text_is_text(name: str) -> None:
    page = Opened(document(name, {"title": name, name: [name]}, ["elements.js"]))
    assert [tag for tag, _ in page.elements] == SKELETON
    assert page.data["title"] == name
    assert page.data[name] == [name]
    (title,) = page.texts["title"]
    # What is no character cannot be one in the title either; the data keep it.
    assert title == name.replace("\ud800", "\ufffd")


@pytest.mark.parametrize("name", NASTY)
def test_a_page_is_utf_8(name: str) -> None:
    assert document(name, {"name": name}, []).encode().decode().startswith("<!DOCTYPE html>")


def test_json_in_a_page_cannot_end_its_element() -> None:
    text = as_json({"<": "</script>", "&": "-->"})
    assert not set(text) & set("<>&")
    assert text.isascii()


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_figures_that_are_none_are_refused(figure: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        document("", {"time": figure}, [])


def test_nothing_runs_or_loads_but_what_is_in_the_page() -> None:
    page = Opened(document("t", {}, ["elements.js", "drawings.js"]))
    attributes = [attribute for _, of in page.elements for attribute in of]
    assert not {"src", "href"} & set(attributes)
    (policy,) = (of["content"] for _, of in page.elements if "http-equiv" in of)
    rules = dict(rule.split(" ", 1) for rule in str(policy).split("; "))
    assert rules.pop("default-src") == "'none'"
    for rule, text in (
        ("style-src", page.texts["style"][0]),
        ("script-src", page.texts["script"][1]),
    ):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(rule) == f"'sha256-{digest}'"
    assert not rules


def test_scripts_and_style_write_text_alone_and_name_no_other_host() -> None:
    package = files("simulator.pages")
    texts = {x.name: x.read_text(encoding="utf-8") for x in package.iterdir() if x.is_file()}
    assert {"report.css", "elements.js", "network.js"} <= texts.keys()
    for name, text in texts.items():
        if name.endswith((".js", ".css")):
            urls = re.findall(r"\w+://[^\"']*", text)
            assert set(urls) <= {"http://www.w3.org/2000/svg"}, name
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", text
            )


def test_every_name_of_a_palette_has_a_colour_on_both_grounds() -> None:
    (style,) = Opened(document("", {}, [])).texts["style"]
    for variable in ("core-idle", "core-mac_useful", "operand-weights", "bound-l2"):
        assert len(re.findall(rf"--{variable}:#[0-9a-f]{{6}};", style)) == 4  # print is light, too


def test_data_name_what_has_colours_and_levels_in_the_order_of_figures() -> None:
    names = Opened(document("", {}, [])).data["names"]
    assert list(names["operand"]) == list(OPERAND_COLOURS) == list(OPERANDS)
    assert list(names["level"]) == list(LEVELS)
    assert names["core"]["mac_useful"] == "MAC useful"
