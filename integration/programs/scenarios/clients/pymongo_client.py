"""PyMongo, with a listener that imitates a MongoDB server and answers late

Three greenlets insert one document each, and find it again.  The client is real, and so are its
threads that watch the server.  The server is an imitation, because Debian has no MongoDB.  PyMongo
waits for its sockets with ``poll`` or ``select``.
"""

import pymongo

NEEDS = ("pymongo",)
SERVER = "late_mongodb"
SELECT = True


def asks(here):
    return False  # it waits in its sockets, and never for long in poll


def program(here):
    with pymongo.MongoClient(here.address) as client:
        collection = client.tests[f"programs-{here.number}"]

        def work(number):
            collection.insert_one({"number": number})
            return collection.find_one({"number": number})["number"]

        assert here.together(*(lambda n=n: work(n) for n in range(3))) == [0, 1, 2]
        collection.drop()
