"""Ledgers of a given size, each made once and then copied."""

from scene import AFFILIATE, template
from server import Server

# Rows per statement: what one transaction of a nightly load would hold.
CHUNK = 1_000_000

made: set[str] = set()


def sizes(scale: float) -> list[int]:
    """From ten thousand entries to a million, or as many times that as SCALE says."""
    top = int(1_000_000 * scale)
    smallest = min(10_000, max(top // 100, 100))
    found = [top]
    while found[0] >= 10 * smallest:
        found.insert(0, found[0] // 10)
    return found


def database(server: Server, entries: int) -> str:
    """A database with a ledger of so many entries, all folded and none paid. Others copy it."""
    name = f"{entries} entries"
    if name not in made:
        server.clone(template(AFFILIATE), name)
        load(server, name, 1, entries)
        made.add(name)
    return name


def load(server: Server, name: str, first: int, last: int) -> None:
    """Posts payments of referred customers by the trigger, as in a large COPY, and folds them."""
    for start in range(first, last + 1, CHUNK):
        server.sql(f"""INSERT INTO payments (customer_id, amount, currency, paid_at)
            SELECT * FROM payments_of_referred({start}, {min(start + CHUNK - 1, last)})""", name)
        server.sql("SELECT affiliate_maintain()", name)
    server.sql("VACUUM (FREEZE, ANALYZE)", name)
