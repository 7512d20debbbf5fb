"""Commands that install the optional dependencies of this package."""

import importlib.metadata
import json
import pathlib
import urllib.parse
import urllib.request

__all__ = ["install_command"]

_CHECKOUT = pathlib.Path(__file__).parents[2]


def install_command(extra: str) -> str:
    """Returns the command that installs this package with an extra.

    It names the checkout or file that the package was installed from, since
    an index may not have the package.

    Example:

    >>> "[plot]" in install_command("plot")
    True
    """
    if (_CHECKOUT / "pyproject.toml").is_file():
        return f'python -m pip install -e "{_CHECKOUT}[{extra}]"'
    source = _installed_from()
    if source is None:
        return f'python -m pip install "keras-infnet[{extra}]"'
    if source.is_dir():
        return f'python -m pip install "{source}[{extra}]"'
    return f'python -m pip install "keras-infnet[{extra}] @ {source.as_uri()}"'


def _installed_from() -> pathlib.Path | None:
    """Folder or wheel that pip was given, if it is still there."""
    try:
        package = importlib.metadata.distribution("keras-infnet")
    except importlib.metadata.PackageNotFoundError:
        return None
    url = json.loads(package.read_text("direct_url.json") or "{}").get("url")
    parts = urllib.parse.urlsplit(url or "")
    if parts.scheme != "file":
        return None
    path = pathlib.Path(urllib.request.url2pathname(parts.path))
    return path if path.exists() else None
