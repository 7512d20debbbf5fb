"""Rendering of the templates of the package."""

import functools
from typing import Any

__all__ = ["render"]


def render(name: str, **values: Any) -> str:
    """Renders a template of `keras_infnet/templates`.

    Values are escaped in templates whose name ends in `.html`. A missing
    value raises.
    """
    return _environment().get_template(name).render(**values)


@functools.cache
def _environment() -> Any:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("keras_infnet"),
        autoescape=jinja2.select_autoescape(),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
