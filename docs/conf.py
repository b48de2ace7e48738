"""How the site is built: `make docs`."""

import os
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("MPLBACKEND", "Agg")  # figures of the examples go into the page
warnings.simplefilter("error", category=RuntimeWarning)

import npnet  # noqa: E402 - after the search path

project = "npnet"
author = "The npnet authors"
copyright = author  # noqa: A001 - Sphinx's name
release = version = npnet.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "site_extension",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
autodoc_typehints = "none"  # the docstrings give types and shapes in words
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "npnet"
html_static_path = ["_static"]
html_favicon = "_static/icon.svg"
html_copy_source = False
html_show_sphinx = False
pyodide = os.environ.get("PYODIDE", "")  # a folder with Python for the browser, instead of its CDN
