"""What a Celery worker runs; its broker is a folder."""

import os
from pathlib import Path

import probe
from celery import Celery
from celery.signals import worker_init

folder = Path(os.environ["PROBE_FILE"]).parent
app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    name: str(folder) for name in ("data_folder_in", "data_folder_out", "control_folder")
}
app.conf.worker_pool_restarts = False


@app.task
def tell():
    probe.tell()


if os.environ.get("PROBE_HOOK"):  # the way without ``run``

    @worker_init.connect
    def install(**_):
        import coopselectors

        coopselectors.install(select=True)
