"""How do the pages become a site?  Configuration of Sphinx."""

from __future__ import annotations

import select
import selectors  # noqa: F401  # before the next lines: it looks for what they put there
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

# The classes of other platforms are documented, too.  They are built on a type of this name, which
# is there while they are defined and never called.
LACKING = [name for name in ("devpoll", "kevent", "kqueue") if not hasattr(select, name)]
for name in LACKING:
    setattr(select, name, type(name, (), {"__module__": "select"}))
import coopselectors  # noqa: E402

for name in LACKING:
    delattr(select, name)

project = "coopselectors"
author = "the authors of coopselectors"
project_copyright = author
release = version = coopselectors.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosectionlabel", "sphinx.ext.extlinks"]
autosectionlabel_prefix_document = True
extlinks = {
    name: (f"https://github.com/{repository}/issues/%s", f"{repository} issue %s")
    for name, repository in {
        "cpython": "python/cpython",
        "eventlet": "eventlet/eventlet",
        "gevent": "gevent/gevent",
        "kafka": "dpkp/kafka-python",
        "urllib3": "urllib3/urllib3",
    }.items()
}
# Part of extra-events.rst.
exclude_patterns = ["herd.rst"]
# In docstrings a name in single backquotes is one of Python's, or an argument's.
default_role = "py:obj"
nitpicky = True

highlight_language = "none"
# What is searched for is the text of an error as it is.
smartquotes = False

autodoc_typehints = "none"
autodoc_inherit_docstrings = True
add_module_names = False

# For the public workflow; the other builders look at local links only.
linkcheck_timeout = 20
linkcheck_retries = 3
linkcheck_anchors = False

html_theme = "furo"
html_title = f"coopselectors {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sphinx = False
html_copy_source = False


def show_unlinked(_app: Any, _env: Any, node: Any, content: Any) -> Any:
    """A name in single backquotes that is an argument's has nothing to link to."""
    return content if node.get("reftype") == "obj" else None


def setup(app: Any) -> None:
    app.connect("missing-reference", show_unlinked)
