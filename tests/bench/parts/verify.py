"""affiliate_verify() against one statement that joins payments and entries and recomputes them."""

import history
from instructions import prewarm
from load import Sampler, private_memory
from parts.growth import paid as pay
from report import Table, number
from scene import AFFILIATE
from server import Failure, SETTINGS, Server

ROUNDS = 5

JOIN = "one anti-join with recomputation"
PAID = f"{AFFILIATE}, most entries paid"
# A payout run over more would take longer than the proof.
PAID_UP_TO = 1_000_000
# Payments without an entry, entries without a payment, and entries that are not what they should be.
STATEMENTS = {
    JOIN: """
        SELECT count(*) FROM payments p JOIN referrals r ON r.customer_id = p.customer_id AND r.attributed_at <= p.paid_at
            FULL JOIN affiliate.commission c ON c.payment_key = p.id::text
        WHERE p.id IS NULL OR c.payment_key IS NULL OR c.amount <> round(c.rate * p.amount, 2);""",
    AFFILIATE: "SELECT sum(violations) FROM affiliate_verify();",
}


def run(server: Server, scale: float) -> list[Table]:
    tables = []
    growth = Table("growth, processor time per entry", "µs")
    for entries in history.sizes(scale)[1:]:
        database = history.database(server, entries)
        databases = {JOIN: database, AFFILIATE: database}
        if entries <= PAID_UP_TO:
            databases[PAID] = paid(server, database)
        cpu = Table(f"proof of {entries:,} entries, processor time of the backend", "s")
        memory = Table(f"proof of {entries:,} entries, private memory of the backend above its start", "MB")
        for _ in range(ROUNDS if entries < 10_000_000 else 3):
            for candidate, name in databases.items():
                statement = STATEMENTS[JOIN if candidate == JOIN else AFFILIATE]
                with server.session(name) as session:
                    session.sql(f"SET max_parallel_workers_per_gather = 0; {prewarm(server, name)};")
                    before, memory_before = session.cpu(), private_memory(session.pid)
                    with Sampler(lambda: private_memory(session.pid)) as used:
                        if (found := session.sql(statement)) != "0":
                            raise Failure(f"{candidate}: {found} violations")
                    cpu.add(candidate, session.cpu() - before)
                    memory.add(candidate, (max(used.samples) - memory_before) / 1e6)
                print(f"  {entries:,} entries, {candidate}: {number(cpu.values[candidate][-1])} s", flush=True)
        cpu.ratio(AFFILIATE, JOIN, at_most=3)
        if PAID in databases:
            cpu.ratio(PAID, JOIN)
            server.drop(databases[PAID])
        # work_mem is for each sort and hash of a statement, twice of it for hashes
        memory.limit(AFFILIATE, at_most=2 * int(SETTINGS["work_mem"].removesuffix("MB")))
        tables += [cpu, memory]
        growth.add(f"{entries:,} entries", cpu.median(AFFILIATE) / entries * 1e6)
    smallest, *larger = growth.values
    for name in larger:
        growth.ratio(name, smallest, at_most=1.3)
    return [*tables, growth]


def paid(server: Server, database: str) -> str:
    """A copy of a database in which payouts were made of what has matured."""
    name = f"{database} (paid)"
    server.clone(database, name)
    pay(server, name)
    return name
