"""What an operation costs when the ledger has ten times as many entries, most of them paid."""

import statistics
from collections.abc import Callable, Iterator

import history
from instructions import prewarm
from parts.stats import STATS, buffers, milliseconds
from report import Table, number
from scene import verify
from server import Server, Session

ROUNDS = 5
COPIED = 20_000
SINGLE = 2_000

INSERT = "INSERT of a payment of a referred customer"
COPY = "COPY, per payment"
FOLD = "affiliate_maintain(), per entry"
PAYOUT = "payout run over what is new, per entry"
CALL = "affiliate_stats(code)"
TOUCHED = "buffers of affiliate_stats(code)"
UNITS = {INSERT: "µs", COPY: "µs", FOLD: "µs", PAYOUT: "µs", CALL: "ms", TOUCHED: "pages"}


def operations(session: Session, file: str) -> Iterator[tuple[str, float]]:
    """Performs each operation and yields what it cost."""

    def cpu(statement: str) -> float:
        before = session.cpu()
        session.sql(statement)
        return (session.cpu() - before) * 1e6

    entries = int(session.sql("SELECT count(*) FROM affiliate.commission;"))
    yield COPY, cpu(f"COPY payments (customer_id, amount, currency, paid_at) FROM '{file}';") / COPIED
    yield INSERT, cpu(f"""DO $$ BEGIN
        FOR n IN 1..{SINGLE} LOOP
            INSERT INTO payments (customer_id, amount, paid_at) VALUES (1 + n * 10 % 100000, 20, '2020-02-01');
        END LOOP;
    END $$;""") / SINGLE
    entries = int(session.sql("SELECT count(*) FROM affiliate.commission;")) - entries
    yield FOLD, cpu("SELECT affiliate_maintain();") / entries
    calls = [milliseconds(session, STATS) for _ in range(300)]
    yield CALL, statistics.median(calls)
    yield TOUCHED, buffers(session, STATS)
    linked = "SELECT count(*) FROM affiliate.payout_entry;"
    before = int(session.sql(linked))
    cost = cpu("CALL affiliate_run_payouts();")
    yield PAYOUT, cost / (int(session.sql(linked)) - before)


def paid(server: Server, name: str) -> None:
    """Pays what a ledger has, so that a later run finds only what is new."""
    server.sql("CALL affiliate_run_payouts()", name)
    server.sql("VACUUM (FREEZE, ANALYZE)", name)


def run(server: Server, scale: float) -> list[Table]:
    sizes = history.sizes(scale)[1:]
    for size in sizes:
        server.clone(history.database(server, size), f"{size} entries, paid")
        paid(server, f"{size} entries, paid")

    def database(size: int) -> str:
        server.clone(f"{size} entries, paid", "growth")
        return "growth"

    tables = compare(server, sizes, database)
    verify(server, "growth")
    for name in ["growth"] + [f"{size} entries, paid" for size in sizes]:
        server.drop(name)
    return tables


def compare(server: Server, sizes: list[int], database: Callable[[int], str]) -> list[Table]:
    """Measures the operations, interleaved, in the database that there is for each size."""
    file = server.dir / "growth.payments"
    server.sql(f"COPY (SELECT * FROM made_up_payments(1, {COPIED})) TO '{file}'", "base")
    tables = {operation: Table(operation, unit) for operation, unit in UNITS.items()}
    for _ in range(ROUNDS):
        for size in sizes:
            name = database(size)
            server.sql("CHECKPOINT")
            with server.session(name) as session:
                session.sql(f"SET max_parallel_workers_per_gather = 0; {prewarm(server, name)};")
                # plans and catalogs are there before anything is measured
                session.sql("INSERT INTO payments (customer_id, amount) VALUES (1, 20); SELECT affiliate_maintain();")
                costs = dict(operations(session, file))
            for operation, cost in costs.items():
                tables[operation].add(f"{size:,} entries", cost)
            print(f"  {size:,} entries: {', '.join(f'{number(c)} {UNITS[o]}' for o, c in costs.items())}", flush=True)
    for table in tables.values():
        first, *larger = table.values
        for other in larger:
            table.ratio(other, first, at_most=1.3)
    return list(tables.values())
