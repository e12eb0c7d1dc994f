"""What do Locust's users do?  They ask for one page, without a pause."""

from locust import HttpUser, constant, events, task

import children


class User(HttpUser):
    wait_time = constant(0)

    @task
    def page(self):
        self.client.get("/page")


@events.init.add_listener
def begin(environment, **_):
    children.begin()
