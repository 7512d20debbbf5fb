"""A comparison as one HTML page."""

from keras_infnet.evaluation.comparison_page.page import (
    format_page,
    write_page,
)

__all__ = ["format_page", "write_page"]
