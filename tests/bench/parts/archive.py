"""Posting, figures and payouts over 50,000,000 entries, against 1,000,000. Only with SCALE=10 or more."""

from parts.growth import compare
from report import Table
from scene import AFFILIATE, SQL, template
from server import Failure, Server

ENTRIES = 50_000_000
AGAINST = 1_000_000

# What is shown must be what the ledger and the payouts come to; the payments themselves are archived.
WRONG = """SELECT count(*) FROM affiliate_stats() s JOIN affiliate.affiliate a ON a.code = s.code
    LEFT JOIN (SELECT c.affiliate_id, sum(c.amount) AS earned FROM affiliate.commission c GROUP BY 1) l ON l.affiliate_id = a.id
    LEFT JOIN (SELECT o.affiliate_id, sum(o.amount) AS paid FROM affiliate.payout o GROUP BY 1) p ON p.affiliate_id = a.id
    WHERE s.total_commission <> coalesce(l.earned, 0) OR s.paid_amount + s.processing_amount <> coalesce(p.paid, 0)"""


def run(server: Server, scale: float) -> list[Table]:
    if scale < 10:
        print("  left out: it takes SCALE=10, 20 GB and a quarter of an hour", flush=True)
        return []
    # too large to be copied for each round
    databases = {size: f"archive {size}" for size in (AGAINST, ENTRIES)}
    for size, name in databases.items():
        server.clone(template(AFFILIATE), name)
        server.file(SQL / "archive.sql", name, entries=size)
        print(f"  {size:,} entries are there", flush=True)
    tables = compare(server, list(databases), databases.__getitem__)
    for name in databases.values():
        if (wrong := server.sql(WRONG, name)) != "0":
            raise Failure(f"{name}: the figures of {wrong} affiliates are not what the ledger comes to")
        server.drop(name)
    return tables
