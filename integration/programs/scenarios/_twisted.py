"""What do Twisted's reactors have to do?  A server and clients, a timer, and a thread."""

import time


def run(here, reactor):
    from twisted.internet import defer, endpoints, protocol, threads
    from twisted.protocols import basic

    class Echo(basic.LineReceiver):
        def lineReceived(self, line):
            reactor.callLater(0.6, self.sendLine, line.upper())

    class Client(basic.LineReceiver):
        def __init__(self):
            self.done = defer.Deferred()

        def connectionMade(self):
            self.sendLine(b"one")

        def lineReceived(self, line):
            self.transport.loseConnection()
            self.done.callback(line)

    @defer.inlineCallbacks
    def work():
        try:
            listening = yield endpoints.TCP4ServerEndpoint(
                reactor, 0, interface="127.0.0.1"
            ).listen(protocol.Factory.forProtocol(Echo))
            asked = []
            for _ in range(3):
                client = Client()
                endpoint = endpoints.TCP4ClientEndpoint(
                    reactor, "127.0.0.1", listening.getHost().port
                )
                yield endpoints.connectProtocol(endpoint, client)
                asked.append(client.done)
            if pool:
                asked.append(threads.deferToThread(lambda: time.sleep(0.3) or b"thread"))
            got.extend((yield defer.gatherResults(asked)))
            yield listening.stopListening()
        finally:
            reactor.stop()

    pool = (here.runtime, here.order) != ("gevent", "imported first")
    got = []
    reactor.callWhenRunning(work)
    here.together(lambda: reactor.run(installSignalHandlers=False))
    assert got == [b"ONE"] * 3 + [b"thread"] * pool, got
