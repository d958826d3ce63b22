"""affiliate_stats(code) of an affiliate with a tenth of the ledger, while payments go on."""

import json
import statistics
import time

import history
import load
from report import Table, number
from scene import verify
from server import Failure, Server, Session

ROUNDS = 5
SECONDS = 2.5
PAYMENTS_PER_SECOND = 1000

STATS = "SELECT * FROM affiliate_stats('affiliate-1')"
LEDGER = """SELECT sum(c.amount) FROM affiliate.commission c
    WHERE c.affiliate_id = (SELECT id FROM affiliate.affiliate WHERE code = 'affiliate-1')"""
# One statement and so one snapshot.
WRONG = """SELECT count(*) FROM affiliate_stats('affiliate-1') s, LATERAL (
        SELECT count(DISTINCT c.referral_id) AS conversions, sum(c.base - c.base_before) AS spent, sum(c.amount) AS amount
        FROM affiliate.affiliate a JOIN affiliate.commission c ON c.affiliate_id = a.id WHERE a.code = 'affiliate-1') l
    WHERE (s.total_conversions, s.total_money_spent, s.total_commission)
        IS DISTINCT FROM (l.conversions, l.spent, l.amount)"""


def milliseconds(session: Session, query: str) -> float:
    quoted = query.replace("'", "''")
    return float(session.sql(f"SELECT milliseconds('{quoted}');"))


def buffers(session: Session, query: str) -> int:
    plan = json.loads(session.sql(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query};"))[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def check(session: Session) -> None:
    if session.sql(f"{WRONG};") != "0":
        raise Failure("affiliate_stats() is not what the ledger comes to")


def run(server: Server, scale: float) -> list[Table]:
    sizes = history.sizes(scale)
    databases = {}
    for size in sizes:
        databases[size] = f"stats {size}"
        server.clone(history.database(server, size), databases[size])
    time_taken = Table(f"affiliate_stats(code), {PAYMENTS_PER_SECOND:,} payments a second and a fold every second", "ms")
    first = Table("affiliate_stats(code), first call of a session", "ms")
    touched = Table("affiliate_stats(code), buffers", "pages")
    ledger = Table("sum of the affiliate's entries", "ms")
    cheaper = Table("sum of the affiliate's entries / affiliate_stats(code)", "times")
    folds = Table("affiliate_maintain() meanwhile", "ms")
    for _ in range(ROUNDS):
        for size, database in databases.items():
            name = f"{size:,} entries"
            payments = load.Payments(server, database, load.payment(load.ANYBODY), clients=2, rate=PAYMENTS_PER_SECOND)
            with payments, load.Maintenance(server, database) as maintenance, server.session(database) as session:
                first.add(name, milliseconds(session, STATS))
                for _ in range(10):
                    milliseconds(session, STATS)
                taken = []
                ends = time.monotonic() + SECONDS
                while time.monotonic() < ends:
                    taken += [milliseconds(session, STATS) for _ in range(100)]
                    touched.add(name, buffers(session, STATS))
                time_taken.add(name, statistics.median(taken))
                ledger.add(name, milliseconds(session, LEDGER))
                check(session)
            for seconds in maintenance.seconds:
                folds.add(name, 1000 * seconds)
            print(f"  {name}: {number(time_taken.values[name][-1])} ms, ledger {number(ledger.values[name][-1])} ms",
                  flush=True)
    for size, database in databases.items():
        verify(server, database)
        server.drop(database)
        name = f"{size:,} entries"
        time_taken.limit(name, at_most=0.3)
        touched.limit(name, at_most=60)
        # an affiliate with a thousand entries can't be a thousand times cheaper than its sum
        cheaper.add(name, ledger.median(name) / time_taken.median(name))
        cheaper.limit(name, at_least=1000 if size >= 10_000_000 else None)
    return [time_taken, first, touched, ledger, cheaper, folds]
