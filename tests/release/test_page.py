from pathlib import Path

import pytest
from jinja2 import UndefinedError

from release import page


@pytest.fixture
def template(tmp_path: Path) -> Path:
    file = tmp_path / "page.html.j2"
    file.write_text("<p>{{ said | loud }}</p>")
    return file


def test_what_is_given_is_escaped(template: Path) -> None:
    assert page.rendered(template, {"loud": str.upper}, said="<b>") == "<p>&lt;B&gt;</p>"


def test_a_figure_that_is_missing_is_no_blank(template: Path) -> None:
    with pytest.raises(UndefinedError, match="said"):
        page.rendered(template, {"loud": lambda text: f"{text}"})
