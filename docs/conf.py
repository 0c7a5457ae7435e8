"""The documentation as a site: `make docs`. Nothing is fetched while it is built, nor by a browser that reads it."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from genreg_np.version import __version__

project = "genreg-np"
author = "The genreg-np authors"
copyright = author
version = release = __version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "command_line",
    "public_names",
    "repository",
]

exclude_patterns = ["_build", "_ext", "gallery", "search.md"]  # search.html is Sphinx's: repository.py renames ours
root_doc = "index"
highlight_language = "none"  # of blocks that name no language
default_role = "literal"  # docstrings write `name` as Markdown does

# Where files outside docs/ are, e.g. https://HOST/OWNER/NAME/blob/main; without it they are downloads of the site.
repository_url = os.environ.get("GENREG_REPOSITORY_URL", "")

myst_heading_anchors = 4  # by the rules of code hosts, so that page.md#a-heading works in both places

autosummary_generate = False  # public_names.py writes the pages
autodoc_typehints = "none"  # numpydoc's sections have them, with shapes
autodoc_class_signature = "mixed"
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = {
    "examples_dirs": ["gallery"],
    "gallery_dirs": ["generated/gallery"],
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "only_warn_on_example_error": False,
    "min_reported_time": 0,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "reset_modules": ("matplotlib",),
    "remove_config_comments": True,
    "backreferences_dir": None,
    "write_computation_times": False,
}
warnings.filterwarnings("ignore", category=UserWarning, message=".*non-interactive.*")  # of plt.show() in the gallery

html_theme = "pydata_sphinx_theme"
html_title = "genreg-np"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "genreg-np"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_prev_next": True,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}
html_context = {"default_mode": "auto"}
