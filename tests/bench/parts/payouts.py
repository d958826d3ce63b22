"""A payout run of 1,000,000 open entries of 100,000 affiliates."""

import threading
import time

import load
from instructions import prewarm
from load import Sampler, private_memory
from report import Table, number
from scene import AFFILIATE, SQL, verify
from server import Failure, Server

ENTRIES = 1_000_000
AFFILIATES = 100_000
ROUNDS = 5
PAYMENTS_PER_SECOND = 5000

OWN = "one statement, same ledger"
BY_HAND = "one statement, hand-made tables"
ALONE = "no payout run"

# What the threshold is compared with, and what is due: as in the run.
STATEMENTS = {
    AFFILIATE: "CALL affiliate_run_payouts();",
    OWN: """
        WITH open AS MATERIALIZED (
            SELECT c.affiliate_id, c.currency, c.binding_id, c.payment_key, c.seq, c.amount
            FROM affiliate.commission c
            WHERE c.matures_on < date_trunc('month', now()) AND NOT EXISTS (SELECT FROM affiliate.payout_entry l
                WHERE l.binding_id = c.binding_id AND l.payment_key = c.payment_key AND l.seq = c.seq AND l.live)),
        made AS (
            INSERT INTO affiliate.payout (affiliate_id, currency, amount, entries, through, threshold)
            SELECT o.affiliate_id, o.currency, sum(o.amount), count(*), date_trunc('month', now()) - interval '1 day', 50
            FROM open o GROUP BY 1, 2 HAVING sum(o.amount) >= 50
            RETURNING id, affiliate_id, currency)
        INSERT INTO affiliate.payout_entry (payout_id, binding_id, payment_key, seq)
        SELECT m.id, o.binding_id, o.payment_key, o.seq FROM open o JOIN made m USING (affiliate_id, currency);""",
    BY_HAND: """
        WITH open AS MATERIALIZED (
            SELECT c.affiliate_id, c.currency, c.payment_id, c.amount FROM commissions c
            WHERE c.matures_on < date_trunc('month', now())
                AND NOT EXISTS (SELECT FROM payout_links l WHERE l.payment_id = c.payment_id)),
        made AS (
            INSERT INTO payouts (affiliate_id, currency, amount, entries)
            SELECT o.affiliate_id, o.currency, sum(o.amount), count(*)
            FROM open o GROUP BY 1, 2 HAVING sum(o.amount) >= 50
            RETURNING id, affiliate_id, currency)
        INSERT INTO payout_links (payout_id, payment_id)
        SELECT m.id, o.payment_id FROM open o JOIN made m USING (affiliate_id, currency);""",
}


def check(server: Server, candidate: str) -> None:
    """Every affiliate over the threshold is paid what the payments come to, entry by entry."""
    payouts, links = ("payouts", "payout_links") if candidate == BY_HAND else ("affiliate.payout", "affiliate.payout_entry")
    due, paid, linked = server.sql(f"""
        SELECT string_agg(x::text, '/' ORDER BY n) FROM (
            SELECT 1, (sum(d.entries), sum(d.amount))::text FROM (
                SELECT r.affiliate_id, count(*) AS entries, sum(round(p.amount * 0.30, 2)) AS amount
                FROM payments p JOIN referrals r USING (customer_id)
                WHERE p.paid_at < date_trunc('month', now()) GROUP BY 1) d WHERE d.amount >= 50
            UNION ALL SELECT 2, (sum(o.entries), sum(o.amount))::text FROM {payouts} o
            UNION ALL SELECT 3, (count(*))::text FROM {links} l JOIN {payouts} o ON o.id = l.payout_id) t (n, x)""",
        "payouts").split("/")
    if due != paid or linked != paid.strip("()").split(",")[0]:
        raise Failure(f"{candidate}: paid {paid} by {linked} links, due is {due}")


def run(server: Server, scale: float) -> list[Table]:
    affiliates, entries = int(AFFILIATES * scale), int(ENTRIES * scale)
    made = "payouts (template)"
    server.clone("base", made)
    server.file(SQL / "payouts.sql", made, affiliates=affiliates, entries=entries)
    what = f"payouts of {entries:,} entries of {affiliates:,} affiliates"
    cpu = Table(f"{what}, processor time of the backend", "s")
    memory = Table(f"{what}, private memory of the backend above its start", "MB")
    wal = Table(f"{what}, WAL", "bytes")
    for round_number in range(ROUNDS):
        for candidate, statement in STATEMENTS.items():
            server.clone(made, "payouts")
            server.sql("CHECKPOINT")
            with server.session("payouts") as session:
                session.sql(f"SET max_parallel_workers_per_gather = 0; {prewarm(server, 'payouts')};")
                cpu_before, wal_before, memory_before = session.cpu(), session.wal(), private_memory(session.pid)
                with Sampler(lambda: private_memory(session.pid)) as used:
                    session.sql(statement)
                cpu.add(candidate, session.cpu() - cpu_before)
                wal.add(candidate, session.wal() - wal_before)
                memory.add(candidate, (max(used.samples) - memory_before) / 1e6)
            check(server, candidate)
            print(f"  {candidate}: {number(cpu.values[candidate][-1])} s", flush=True)
        if round_number == ROUNDS - 1:
            server.clone(made, "payouts")
            server.sql(STATEMENTS[AFFILIATE], "payouts")
            check(server, AFFILIATE)
            verify(server, "payouts")
    cpu.ratio(AFFILIATE, OWN, at_most=2)
    cpu.ratio(AFFILIATE, BY_HAND, at_most=2)
    memory.limit(AFFILIATE, at_most=64)
    wal.ratio(AFFILIATE, OWN)
    beside = payments_beside(server, made)
    for name in ("payouts", made):
        server.drop(name)
    return [cpu, memory, wal, beside]


def payments_beside(server: Server, made: str) -> Table:
    """Payments while a run is made. As fast as they can they would measure who gets the two
    processors, and one client alone is slower than beside something that keeps them awake."""
    table = Table(f"payments meanwhile, {PAYMENTS_PER_SECOND:,} a second wanted", "1/s")
    for _ in range(ROUNDS):
        for candidate in (ALONE, AFFILIATE):
            server.clone(made, "payouts")
            with load.Payments(server, "payouts", load.payment(load.ANYBODY), clients=4, rate=PAYMENTS_PER_SECOND,
                               synchronous_commit="off") as payments, server.session("payouts") as session:
                if candidate == ALONE:
                    table.add(candidate, payments.rate_during(3))
                    continue
                run = threading.Thread(target=session.sql, args=[STATEMENTS[candidate]])
                before, started = payments.made(), time.monotonic()
                run.start()
                run.join()
                table.add(candidate, (payments.made() - before) / (time.monotonic() - started))
            check(server, AFFILIATE)
    verify(server, "payouts")
    table.ratio(AFFILIATE, ALONE, at_least=0.8)
    return table
