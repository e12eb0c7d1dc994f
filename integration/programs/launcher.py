"""How does a program start that does not patch by itself?

    python launcher.py patched RUNTIME MODULE ARGS...            patch, then run the module
    python launcher.py imported RUNTIME MODULE[,...] ARGS...     import all of them, patch, then run
                                                                 the first one
"""

import importlib
import runpy
import sys

from interpreter import patch

order, runtime, names, *arguments = sys.argv[1:]
first, *others = names.split(",")
if order == "imported":
    for name in (first, *others):
        importlib.import_module(name)
patch(runtime, "")
sys.argv[1:] = arguments
runpy.run_module(first, run_name="__main__", alter_sys=True)
