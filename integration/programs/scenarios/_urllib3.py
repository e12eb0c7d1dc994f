"""What do the pools of urllib3 have to do?  Three greenlets share two connections."""

import urllib3


def run(here):
    with urllib3.PoolManager(maxsize=2, block=True) as pool:

        def client(number):
            urls = [f"{here.address}/{number}/{turn}" for turn in range(2)]
            return [pool.request("GET", url, retries=False).data.decode() for url in urls]

        answers = here.together(*(lambda number=number: client(number) for number in range(3)))
    assert answers == [[f"/{number}/{turn}" for turn in range(2)] for number in range(3)], answers
