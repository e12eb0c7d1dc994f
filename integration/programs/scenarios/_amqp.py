"""What do the clients of RabbitMQ wait for?

A message lies in one queue for 0.6 s, and then the broker moves it to another.
"""

DELAY = 600  # milliseconds


def expiring(target):
    """The arguments of a queue whose messages go to that other queue."""
    return {
        "x-message-ttl": DELAY,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": target,
    }
