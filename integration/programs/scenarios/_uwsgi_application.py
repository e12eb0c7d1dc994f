"""What does uWSGI serve?  The view of all web servers; it patches here if that is still to do."""

import children
from interpreter import patch
from scenarios import _web

if children.told()["order"] == "imported first":
    patch("gevent", "")
children.begin()
application = _web.application
