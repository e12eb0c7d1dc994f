"""kafka-python, with a listener that imitates a broker and answers late

When ``KafkaConsumer`` is imported, it copies ``selectors.DefaultSelector`` into a dictionary of
defaults.  The consumer is real, and asks for the topics.  The broker is an imitation.
"""

from kafka import KafkaConsumer

NEEDS = ("kafka-python",)
SERVER = "late_broker"


def program(here):
    consumer = KafkaConsumer(bootstrap_servers=here.address)
    topics = consumer.topics()
    assert topics == {"greenlets"}, topics
    consumer.close()
