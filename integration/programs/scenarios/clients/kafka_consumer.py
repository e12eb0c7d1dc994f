"""kafka-python, with a listener that imitates a broker and answers late

``KafkaConsumer`` has taken ``selectors.DefaultSelector`` as a default, in a dictionary, when it was
imported.  The consumer is real, and asks for the topics; the broker is not.
"""

from kafka import KafkaConsumer

NEEDS = ("kafka-python",)
SERVER = "late_broker"


def program(here):
    consumer = KafkaConsumer(bootstrap_servers=here.address)
    topics = consumer.topics()
    assert topics == {"greenlets"}, topics
    consumer.close()
