"""How is gunicorn told to install coopselectors?  By a hook of its configuration file."""

import children


def when_ready(server):
    print("http://{}:{}".format(*server.LISTENERS[0].sock.getsockname()), flush=True)


def post_worker_init(worker):
    children.begin()
