"""One headless browser for all tests; without one the run ends with a line that says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest

WITHOUT_GPU: Final = ["--disable-gpu", "--disable-software-rasterizer"]
"""Drawing needs none, and to imitate one takes longer than most tests."""

BROWSER: Final = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""


def pytest_sessionstart() -> None:
    for module in ("playwright", "axe_playwright_python"):
        if find_spec(module) is None:
            pytest.exit(f"{module} is missing: pip install 'nmsim[browser]'", returncode=2)
    if not Path(BROWSER).is_file():
        pytest.exit("chromium is missing: apt-get install chromium, or name it in CHROMIUM", 2)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=WITHOUT_GPU)
        yield started
        started.close()


@pytest.fixture(scope="session")
def barriers() -> Callable[[Any], list[str]]:
    """What of a page keeps some readers out: contrast, names, roles, order."""
    from axe_playwright_python.sync_playwright import Axe

    def found(page: Any) -> list[str]:
        violations = Axe().run(page).response["violations"]
        return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in violations]

    return found


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page from disk; it may neither complain nor ask for anything but itself."""
    complaints: list[str] = []
    contexts = []

    def open_page(path: Path, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: asked.append(request.url))
        asked: list[str] = []
        page.goto(path.as_uri())
        complaints.extend(url for url in asked if url != path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
