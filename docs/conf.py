"""Sphinx's settings: the pages in this folder, those that `generate` writes, and the notebooks."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pygments.lexer import RegexLexer, bygroups
from pygments.token import Generic
from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import generate  # noqa: E402  # from this folder, which is on the path only now

from simulator import __version__  # noqa: E402  # likewise: imports at the top stay at the top

project = "nmsim"
author = "the nmsim authors"
release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["generate"]
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist", "attrs_inline", "attrs_block"]
myst_heading_anchors = 3

nb_execution_mode = "off"  # notebooks carry their outputs, which the tests run anew and compare

default_role = "py:obj"  # of docstrings, whose backticks name what there is
autodoc_typehints = "none"  # docstrings say types, with shapes
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_line_continuation_character = "\\"

html_theme = "furo"
html_title = "nmsim"
html_static_path = ["static"]
html_css_files = ["site.css", "reference.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_show_search_summary = False  # would fetch pages, which browsers refuse from disk


class SessionLexer(RegexLexer):
    """A session of pages: commands stand out from what they print, which may begin with ``#``."""

    flags = re.MULTILINE
    tokens = {  # noqa: RUF012  # as pygments has it
        "root": [
            (r"^(\$ )((?:.*\\\n)*.*\n?)", bygroups(Generic.Prompt, Generic.Strong)),
            (r".*\n", Generic.Output),
            (r".+", Generic.Output),
        ]
    }


def setup(app: Sphinx) -> None:
    """Write what is generated before Sphinx looks for pages; name what the search is to find."""
    app.add_crossref_type("key", "key", objname="key of a YAML file")
    app.add_crossref_type("field", "field", objname="figure")
    app.add_lexer("console", SessionLexer)
    app.connect("config-inited", lambda *_: generate.write(DOCS))
