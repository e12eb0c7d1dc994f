"""waitress

The server's loop waits in ``select.select``, or in ``poll`` if it is configured so.  Threads serve
the requests.  eventlet must leave ``os`` unpatched, because several threads write to one pipe and
eventlet's ``os.write`` does not allow that.
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
