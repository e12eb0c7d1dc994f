"""waitress

Its loop waits in ``select.select``, or in ``poll`` if it is told to, and the requests are served by
threads.  eventlet patches all but ``os``: several threads write to one pipe, which its ``os.write``
refuses.
"""

import waitress

from scenarios import _web

NEEDS = ("waitress", "requests")
SELECT = True
UNPATCHED = {"eventlet": "os"}


def program(here):
    for use_poll in (False, True):
        server = waitress.create_server(
            _web.application, host="127.0.0.1", port=0, asyncore_use_poll=use_poll
        )
        running = here.spawn(server.run)
        _web.ask(here, f"http://127.0.0.1:{server.effective_port}")
        server.task_dispatcher.shutdown()
        server.trigger.pull_trigger(server.close)
        here.result(running)
