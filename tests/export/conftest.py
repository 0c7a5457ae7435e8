"""One browser for all tests of a process; each test opens pages of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from genreg_np.export import files_of
from genreg_np.model import Model
from tests.export.browser import Browser

Visit = Callable[..., Browser]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def visit(chromium: Browser, tmp_path: Path) -> Iterator[Visit]:
    """Open a model's page; none may complain on the console, nor ask for anything but itself."""
    file = tmp_path / "model.html"

    def call(model: Model, width: int = 1200, height: int = 900, reject: float | None = None, **media: str) -> Browser:
        file.write_bytes(files_of(model, "html", reject=reject)["model.html"])
        chromium.open(file, width, height, **media)
        return chromium

    yield call
    if file.exists():
        assert chromium.complaints() == []
        asked = {one for one in chromium.requests() if not one.startswith("data:")}  # icons of the browser's own fields
        assert asked <= {file.as_uri()}
