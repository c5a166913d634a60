"""HTML pages of reports: one file that needs nothing from outside, where a figure that is missing is an error."""

from collections.abc import Callable
from pathlib import Path


def rendered(template: Path, filters: dict[str, Callable[..., object]] | None = None, **given: object) -> str:
    """The template's text with everything that is given to it escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # which most commands do without

    pages = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(filters or {})
    return pages.get_template(template.name).render(**given)
