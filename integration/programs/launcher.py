"""How does a program start that does not patch by itself?

    python launcher.py patched KIND RUNTIME UNPATCHED MODULE ARGS...
    python launcher.py imported KIND RUNTIME UNPATCHED MODULE[,...] ARGS...

The one patches, and runs the module; the other imports all of the modules, patches, and runs the
first of them.
"""

import importlib
import runpy
import sys

import watch
from interpreter import patch

order, kind, runtime, unpatched, names, *arguments = sys.argv[1:]
first, *others = names.split(",")
if order == "imported":
    for name in (*others, first):
        importlib.import_module(name)
patch(runtime, unpatched)
watch.install(kind)
sys.argv[1:] = arguments
runpy.run_module(first, run_name="__main__", alter_sys=True)
