"""Posting, figures and payouts over 50,000,000 entries, against 1,000,000. Only with SCALE=10 or more."""

import history
from parts.growth import compare, paid
from report import Table
from scene import AFFILIATE, template, verify
from server import Server

ENTRIES = 50_000_000
AGAINST = 1_000_000


def run(server: Server, scale: float) -> list[Table]:
    if scale < 10:
        print("  left out: it takes SCALE=10, 50 GB and the better part of an hour", flush=True)
        return []
    history.forget(server)
    return measure(server, [AGAINST, ENTRIES])


def measure(server: Server, sizes: list[int]) -> list[Table]:
    # too large to be copied for each round
    databases = {size: f"archive {size}" for size in sizes}
    for size, name in databases.items():
        server.clone(template(AFFILIATE), name)
        history.load(server, name, 1, size)
        print(f"  {size:,} entries are there", flush=True)
        paid(server, name)
    tables = compare(server, sizes, databases.__getitem__)
    for name in databases.values():
        verify(server, name)
        server.drop(name)
    return tables
