"""How the contacts of each customer follow one another.

A contact belongs to the chain of those before it where it begins at most `within` after the last end among them, or while one lasts. All
contacts of these workloads count: customers began them and none is a callback. One that never ended lasts until it was last heard of.
"""

DAY = 86_400_000
WITHIN = {f"{days}d": days * DAY for days in range(1, 367)}


class Contact:
    def __init__(self, call):
        self.call = call
        self.begins = call.started_at
        self.ends = call.told[-1].at if call.ended_at is None else call.ended_at
        self.position, self.chain, self.repeated = 1, [], False


def contacts(calls, within):
    """All contacts of all customers, each with its chain, its position in it and whether another one followed."""
    customers = {}
    for call in calls.values():
        if call.customer:
            customers.setdefault(call.customer, []).append(Contact(call))
    for own in customers.values():
        own.sort(key=lambda contact: (contact.begins, contact.call.id))
        chain = []
        for contact in own:
            if not any(contact.begins <= before.ends + within for before in chain):
                chain = []
            chain.append(contact)
            contact.chain, contact.position = chain, len(chain)
            contact.repeated = any(contact.ends < other.begins <= contact.ends + within for other in own)
        yield from own
