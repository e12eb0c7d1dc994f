"""Do install() and audit() leave large real packages alone, and how long do they take there?

    python integration/inert.py [PACKAGE ...]

Each package is imported in an interpreter of its own, with all that it has loaded lazily or not.
Then install(select=True), audit() and uninstall() are called, and a line is printed: how many
modules are loaded, how much time of the processor each call took, what it imported, and
what it raised.  A package that
is not installed is left out.  Ends with 1 if a call imported anything, raised, took longer than
the limit, or if uninstall() left something behind.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

#: {package: the modules to import}
PACKAGES = {
    "transformers": ("transformers",),
    "matplotlib": ("matplotlib", "matplotlib.pyplot"),
    "configobj": ("configobj",),
    "celery": ("celery", "celery.app", "celery.worker", "kombu"),
    "sqlalchemy": ("sqlalchemy", "sqlalchemy.orm", "sqlalchemy.ext.asyncio"),
    "boto3": ("boto3", "botocore.session", "botocore.client"),
    "django": ("django", "django.conf", "django.db", "django.http", "django.contrib.auth"),
    "numpy": ("numpy",),
    "werkzeug": ("werkzeug", "werkzeug.local", "werkzeug.serving"),
    "wrapt": ("wrapt",),
    "lazy_object_proxy": ("lazy_object_proxy",),
    "all of them": (),
}

#: Seconds of the processor for one call in a process of a thousand modules.  Twice that is a
#: failure: what runs beside it costs it its caches.
LIMIT = 0.2

PROBE = """
import importlib, json, sys, time
import coopselectors

coopselectors.install(select=True), coopselectors.audit(), coopselectors.uninstall()
imported = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError:
        continue
    imported.append(name)
before, seconds, errors = dict(sys.modules), [], []
calls = {
    "install": lambda: coopselectors.install(select=True),
    "audit": coopselectors.audit,
    "uninstall": coopselectors.uninstall,
}
audits = [len(coopselectors.audit())]
for name, call in calls.items():
    started = time.process_time()
    try:
        call()
    except Exception as error:
        errors.append(f"{name}: {error!r}")
    seconds.append(time.process_time() - started)
audits.append(len(coopselectors.audit()))
print(json.dumps({
    "modules": len(before),
    "seconds": seconds,
    "imported": sorted(set(sys.modules) - set(before)),
    "same": all(sys.modules.get(name) is each for name, each in before.items()),
    "errors": errors,
    "audits": audits,
}))
"""


def main(wanted: list[str]) -> int:
    wrong = 0
    print(f"{'package':18} modules  install    audit  uninstall  imported  raised")
    everything = tuple(name for names in PACKAGES.values() for name in names)
    for package, own in PACKAGES.items():
        if wanted and package not in wanted:
            continue
        if own and importlib.util.find_spec(package) is None:
            print(f"{package:18} not installed")
            continue
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROBE, *(own or everything)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            print(f"{package:18} {done.stderr.strip().splitlines()[-1]}")
            wrong += 1
            continue
        said = json.loads(done.stdout.splitlines()[-1])
        times = "".join(f"{each:7.3f} s" for each in said["seconds"])
        print(
            f"{package:18} {said['modules']:7}{times}    {', '.join(said['imported']) or 'none':8}"
            f"  {'; '.join(said['errors']) or 'nothing'}"
        )
        is_undone = said["audits"][0] == said["audits"][1]
        slow = max(said["seconds"]) > 2 * LIMIT * max(1, said["modules"] / 1000)
        wrong += bool(said["imported"] or said["errors"] or slow or not said["same"])
        wrong += not is_undone
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
