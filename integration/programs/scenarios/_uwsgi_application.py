"""What does uWSGI serve?  The view of all web servers; the worker patches here if it has not yet."""

import children
from interpreter import patch
from scenarios import _web

if children.told()["order"] == "imported first":
    patch("gevent", "")
children.begin()
application = _web.application
