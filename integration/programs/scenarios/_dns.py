"""What do the clients of DNS ask?  Two questions each, of a server that answers 0.3 s later."""

import dns.resolver


def resolver(address):
    host, _, port = address.partition(":")
    found = dns.resolver.Resolver(configure=False)
    found.nameservers, found.port, found.cache = [host], int(port), None
    return found


def run(here):
    asking = resolver(here.address)

    def ask(number):
        names = [f"{number}-{each}.example.org" for each in (1, 2)]
        return [asking.resolve(name, "A", tcp=number == 2)[0].to_text() for name in names]

    answers = here.together(*(lambda n=n: ask(n) for n in range(3)))
    assert answers == [["192.0.2.7"] * 2] * 3, answers
