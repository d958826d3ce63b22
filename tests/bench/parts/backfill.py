"""Posting payments that were there before the extension, and finding that nothing is missing."""

from instructions import prewarm
from report import Table, number
from scene import AFFILIATE, NONE, check, template
from server import Failure, Server

PAYMENTS = 1_000_000
ROUNDS = 5

BACKFILL = "affiliate_backfill"
COPY_POSTING = "COPY with the trigger"
COPY_ALONE = "COPY without it"
RECONCILE = "affiliate_reconcile, nothing missing"
ANTI_JOIN = "hash anti-join"

# What is missing, if one asks in one statement.
MISSING = """SELECT count(*) FROM payments p JOIN referrals r ON r.customer_id = p.customer_id AND r.attributed_at <= p.paid_at
    WHERE NOT EXISTS (SELECT FROM affiliate.commission c JOIN affiliate.binding b ON b.id = c.binding_id
        WHERE b.payments = 'payments'::regclass AND c.payment_key = p.id::text);"""


def run(server: Server, scale: float) -> list[Table]:
    large = int(PAYMENTS * scale)
    growth = Table("growth, processor time per payment", "µs")
    tables = []
    for payments in (large // 10, large):
        cpu, wal, again = measure(server, payments)
        growth.add(f"{BACKFILL}, {payments:,} payments", cpu.median(BACKFILL) / payments * 1e6)
        growth.add(f"{RECONCILE}, {payments:,} payments", again.median(RECONCILE) / payments * 1e6)
        tables += [cpu, wal, again]
    for candidate in (BACKFILL, RECONCILE):
        growth.ratio(f"{candidate}, {large:,} payments", f"{candidate}, {large // 10:,} payments", at_most=1.3)
    return [*tables, growth]


def measure(server: Server, payments: int) -> list[Table]:
    file = server.dir / "backfill.payments"
    server.sql(f"COPY (SELECT * FROM made_up_payments(1, {payments})) TO '{file}'", template(NONE))
    copy = f"COPY payments (customer_id, amount, currency, paid_at) FROM '{file}';"
    unposted = "backfill (template)"
    server.clone(template(AFFILIATE), unposted)
    server.sql("ALTER TABLE payments DISABLE TRIGGER zzz_affiliate_insert", unposted)
    server.sql(copy, unposted)
    server.sql("ALTER TABLE payments ENABLE TRIGGER zzz_affiliate_insert; VACUUM (FREEZE, ANALYZE)", unposted)

    cpu = Table(f"{payments:,} payments, processor time of the backend", "s")
    wal = Table(f"{payments:,} payments, WAL", "bytes")
    again = Table(f"{payments:,} payments that are all posted, processor time of the backend", "s")
    for _ in range(ROUNDS):
        for candidate, source, statement in (
                (COPY_ALONE, template(NONE), copy),
                (COPY_POSTING, template(AFFILIATE), copy),
                (BACKFILL, unposted, "SELECT * FROM affiliate_backfill('payments');")):
            server.clone(source, "backfill")
            server.sql("CHECKPOINT")
            with server.session("backfill") as session:
                session.sql(f"SET client_min_messages = warning; {prewarm(server, 'backfill')};")
                before, wal_before = session.cpu(), session.wal()
                session.sql(statement)
                cpu.add(candidate, session.cpu() - before)
                wal.add(candidate, session.wal() - wal_before)
            print(f"  {candidate}: {number(cpu.values[candidate][-1])} s", flush=True)
        server.sql("VACUUM (FREEZE, ANALYZE)", "backfill")
        for candidate, statement, expected in (
                (ANTI_JOIN, MISSING, "0"), (RECONCILE, "SELECT * FROM affiliate_reconcile();", "0|0|0")):
            with server.session("backfill") as session:
                session.sql(f"SET max_parallel_workers_per_gather = 0; {prewarm(server, 'backfill')};")
                before = session.cpu()
                if (found := session.sql(statement)) != expected:
                    raise Failure(f"{candidate}: found {found} missing after a back-fill")
                again.add(candidate, session.cpu() - before)
            print(f"  {candidate}: {number(again.values[candidate][-1])} s", flush=True)
    server.sql("SELECT affiliate_maintain()", "backfill")
    check(server, AFFILIATE, "backfill")
    for name in ("backfill", unposted):
        server.drop(name)

    cpu.ratio(BACKFILL, COPY_POSTING, at_most=1.2)
    wal.ratio(BACKFILL, COPY_POSTING)
    cpu.values["posting by COPY"] = [cpu.median(COPY_POSTING) - cpu.median(COPY_ALONE)]
    cpu.ratio(BACKFILL, "posting by COPY")
    again.ratio(RECONCILE, ANTI_JOIN, at_most=2)
    return [cpu, wal, again]
