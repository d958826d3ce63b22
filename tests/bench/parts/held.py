"""affiliate_stats(code) while somebody keeps a snapshot or a writing transaction open.

A snapshot keeps the dead rows that folds leave behind. A writer keeps folds from closing its
epoch: what was posted since is added up entry by entry. One after the other, because an open
transaction is felt in all databases of a server.
"""

import statistics

import history
from parts.stats import STATS, buffers, check, milliseconds
from report import Table, number
from scene import verify
from server import Failure, Server, Session

ENTRIES = 100_000
ROUNDS = 5
STEPS = 3
STEP = 10_000
# With a fold every second and payments going on all the time, 10,000 payments in 20 seconds.
FOLDS = 20
CALLS = 100

NOBODY = "nothing is held"
SNAPSHOT = "a snapshot is held"
WRITER = "a writer is open"
HOLD = {
    NOBODY: "SELECT 1;",
    SNAPSHOT: "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM payments;",
    WRITER: "BEGIN; INSERT INTO payments (customer_id, amount) VALUES (1, 20);",
}
RELEASE = {NOBODY: "SELECT 1;", SNAPSHOT: "COMMIT;", WRITER: "COMMIT;"}

GROWTH = "per 10,000 payments"
AFTER = "afterwards, one fold later"


def pay(session: Session, who: str, first: int, last: int) -> None:
    """Payments, a part of them at a time, with a fold after each part."""
    part = (last - first + 1) // FOLDS
    for start in range(first, last + 1, part):
        session.sql(f"""INSERT INTO payments (customer_id, amount, currency, paid_at)
            SELECT * FROM made_up_payments({start}, {start + part - 1});""")
        # while a writer is open, each one waits for it in vain
        if who != WRITER:
            session.sql("SELECT affiliate_maintain();")


def measure(session: Session, name: str, taken: Table, touched: Table) -> None:
    check(session)
    taken.add(name, statistics.median(milliseconds(session, STATS) for _ in range(CALLS)))
    touched.add(name, buffers(session, STATS))


def run(server: Server, scale: float) -> list[Table]:
    step = int(STEP * min(scale, 1))
    source = history.database(server, int(ENTRIES * scale))
    taken = {who: Table(f"affiliate_stats(code) while {who}", "ms") for who in HOLD}
    touched = {who: Table(f"buffers of affiliate_stats(code) while {who}", "pages") for who in HOLD}
    for round_number in range(ROUNDS):
        for who in HOLD:
            tables = taken[who], touched[who]
            server.clone(source, "held")
            with server.session("held") as session, server.session("held") as holder:
                session.sql("SET client_min_messages = error;")
                holder.sql(HOLD[who])
                if who == WRITER and round_number == 0 and session.sql("SELECT affiliate_maintain();") != "0":
                    raise Failure("a fold has closed the epoch of a transaction that is still writing")
                measure(session, "at first", *tables)
                for n in range(STEPS):
                    pay(session, who, n * step + 1, (n + 1) * step)
                    measure(session, f"{(n + 1) * step:,} payments later", *tables)
                for table in tables:
                    first, last = table.values["at first"][-1], table.values[f"{STEPS * step:,} payments later"][-1]
                    table.add(GROWTH, (last - first) / (STEPS * step) * 10_000)
                holder.sql(RELEASE[who])
                session.sql("SELECT affiliate_maintain();")
                measure(session, AFTER, *tables)
            if round_number == ROUNDS - 1:
                verify(server, "held")
            print(f"  {who}: {', '.join(f'{number(t.values[GROWTH][-1])} {t.unit}' for t in tables)} {GROWTH}", flush=True)
    server.drop("held")
    for tables in (taken, touched):
        for who in (SNAPSHOT, WRITER):
            tables[who].limit(GROWTH)
    return [table for who in HOLD for table in (taken[who], touched[who])]
