"""A comparison as one HTML page."""

from keras_infnet.experiments.comparison.page.page import (
    format_page,
    write_page,
)

__all__ = ["format_page", "write_page"]
