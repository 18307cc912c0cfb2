"""Is the site whole: no warning, nothing from elsewhere, no dead link, no lost page?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from built import Site, is_elsewhere

REPOSITORY = Path(__file__).parents[2]


def test_the_site_is_whole(tmp_path: Path) -> None:
    """In one test, since building takes half of a minute; by what `make docs` runs."""
    made = (REPOSITORY / "Makefile").read_text().partition("-m sphinx ")[2].splitlines()[0]
    assert made == "-W --keep-going -q -j auto -d .site/cache docs .site"
    options = made.replace(".site", str(tmp_path / "site")).split()
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", *options], cwd=REPOSITORY, capture_output=True, text=True,
        check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert (run.stderr, run.returncode) == ("", 0)
    site = Site(tmp_path / "site")
    assert len(site.pages) > 20
    assert site.fetched_elsewhere() == []
    assert site.dead_links() == []
    assert site.outside_contents() == []
    assert "reference/figures/layers" in site.found("in_flight_hits")
    assert "reference/machine" in site.found("partitions")
    assert "reference/machine" in site.found("halves")
    assert "reference/figures/layers" in site.found("barrier")
    anchors = site.pages["reference/machine.html"].ids
    assert {"memory-l2-halves", "core-scratchpad-bytes-per-cycle"} <= anchors
    assert "in_flight_hits" in site.pages["reference/figures/layers.html"].ids
    assert "cmdoption-nmsim-run-set" in site.pages["reference/commands.html"].ids
    assert "simulator.simulate" in site.pages["reference/api.html"].ids


# What is wrong with a site is seen


INDEX = """<div class="sidebar-tree"><div><a href="listed.html">A</a></div></div>
<a href="lost.html#there">B</a> <a href="https://example.org/">for readers</a>
<img src="data:image/png;base64,AAAA"> <img src="picture.png">"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "listed.html").write_text('<h1 id="here">C</h1> <a href="#here">D</a>')
    (tmp_path / "lost.html").write_text('<h1 id="there">E</h1> <a href="index.html">F</a>')
    (tmp_path / "picture.png").write_bytes(b"")
    return Site(tmp_path)


def test_a_page_outside_the_contents_is_seen(site: Site) -> None:
    assert site.outside_contents() == ["lost.html"]
    assert site.dead_links() == site.fetched_elsewhere() == []


@pytest.mark.parametrize("link", ["gone.html", "lost.html#gone", "#gone", "../lost.html"])
def test_a_dead_link_is_seen(site: Site, link: str) -> None:
    (site.folder / "listed.html").write_text(f'<a href="{link}">G</a>')
    assert site.dead_links() == [f"listed.html: {link}"]


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://example.org/a.js"></script>',
        '<link rel="stylesheet" href="//example.org/a.css">',
        '<img src="http://example.org/a.png">',
        '<p style="background: url(https://example.org/a.png)">H</p>',
        "<style>@import 'https://example.org/a.css';</style>",
    ],
)
def test_what_is_fetched_from_elsewhere_is_seen(site: Site, text: str) -> None:
    (site.folder / "listed.html").write_text(text)
    assert len(site.fetched_elsewhere()) == 1


def test_a_font_of_another_host_is_seen_in_a_style(site: Site) -> None:
    (site.folder / "a.css").write_text('@font-face { src: url("https://example.org/a.woff2"); }')
    assert site.fetched_elsewhere() == ["a.css: https://example.org/a.woff2"]


def test_addresses_of_this_host_and_data_are_not_elsewhere() -> None:
    assert not any(map(is_elsewhere, ["a.js?v=1", "../a.css", "data:image/svg+xml,<svg/>", "#a"]))
    assert all(map(is_elsewhere, ["https://a.org/a.js", "//a.org/a.js", "mailto:a@a.org"]))
