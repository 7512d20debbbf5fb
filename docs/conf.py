"""Settings of the documentation. `python -m sphinx -W docs OUT` builds it."""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

# Processes of notebooks see these, too.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_infnet.version import __version__  # noqa: E402

project = "keras_infnet"
author = "the maintainers of keras_infnet"
copyright = "the maintainers of keras_infnet, Apache-2.0"
version = release = __version__
language = "en"

extensions = [
    "reference_pages",
    "docstrings",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
]
exclude_patterns = ["_build", "_ext", "**/.ipynb_checkpoints"]
nitpicky = False

# Reference.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
maximum_signature_line_length = 72
python_use_unqualified_type_names = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [
    ("Call arguments", "params_style"),
    ("Reference", "References"),
]
add_module_names = False
toc_object_entries_show_parents = "hide"

# Guides and notebooks.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 180
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_output_stderr = "remove"

# HTML: no fonts, scripts or images from elsewhere.
html_theme = "furo"
html_title = f"keras_infnet {version}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
