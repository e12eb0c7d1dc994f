"""PyMongo, with a listener that imitates a MongoDB server and answers late

Three greenlets insert a document each, and find it.  The client is real, with the threads that
watch the server; the server is not: Debian has none.
"""

import pymongo

NEEDS = ("pymongo",)
SERVER = "late_mongodb"


def asks(here):
    return False  # it waits in its sockets, and only asks them whether they are still good


def program(here):
    with pymongo.MongoClient(here.address) as client:
        collection = client.tests[f"programs-{here.number}"]

        def work(number):
            collection.insert_one({"number": number})
            return collection.find_one({"number": number})["number"]

        assert here.together(*(lambda n=n: work(n) for n in range(3))) == [0, 1, 2]
        collection.drop()
