"""gunicorn's settings file: the way without ``run``."""


def post_worker_init(worker):
    import coopselectors

    coopselectors.install(select=True)
