"""How does a program start that does not patch by itself?

python launcher.py patched KIND RUNTIME MODULE ARGS...        patch, then run the module
python launcher.py imported KIND RUNTIME MODULE[,...] ARGS... import all of them, patch, then run
                                                              the first one
"""

import importlib
import runpy
import sys

import watch
from interpreter import patch

order, kind, runtime, names, *arguments = sys.argv[1:]
first, *others = names.split(",")
if order == "imported":
    for name in (first, *others):
        importlib.import_module(name)
patch(runtime, "")
watch.install(kind)
sys.argv[1:] = arguments
runpy.run_module(first, run_name="__main__", alter_sys=True)
