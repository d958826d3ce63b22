"""Many payments in one COPY: processor time and WAL of the backend, and instructions per row."""

from instructions import count, prewarm
from report import OUTPUT, Table
from scene import AFFILIATE, EMPTY, FLOOR, NONE, ROW, STATEMENT, check, template
from server import Server

PAYMENTS = 500_000
ROUNDS = 5
COUNTED = 10_000

COPY = "COPY payments (customer_id, amount, currency, paid_at) FROM '{dir}/{rows}.payments'"
# What is posted at the least: ready-made entries.
COPY_ENTRIES = """COPY commissions (payment_id, affiliate_id, customer_id, matures_on, currency, rate, base, amount)
    FROM '{dir}/{rows}.commissions'"""


def write_files(server: Server, rows: int) -> None:
    server.sql(f"""
        COPY (SELECT * FROM made_up_payments(1, {rows})) TO '{server.dir}/{rows}.payments';
        COPY (SELECT p.n, r.affiliate_id, p.customer_id, p.paid_at::date, p.currency, 0.30, p.amount,
                round(p.amount * 0.30, 2)
            FROM made_up_payments(1, {rows}) WITH ORDINALITY p (customer_id, amount, currency, paid_at, n)
            JOIN referrals r USING (customer_id) ORDER BY p.n) TO '{server.dir}/{rows}.commissions'""", template(NONE))


def load(server: Server, candidate: str, rows: int) -> list[str]:
    statements = [COPY, COPY_ENTRIES] if candidate == FLOOR else [COPY]
    return [" ".join(s.format(dir=server.dir, rows=rows).split()) for s in statements]


def run(server: Server, scale: float) -> list[Table]:
    rows = int(PAYMENTS * scale)
    candidates = [NONE, FLOOR, ROW, STATEMENT, AFFILIATE]
    for n in (rows, COUNTED):
        write_files(server, n)

    cpu = Table(f"COPY of {rows:,} payments, processor time of the backend", "s")
    wal = Table(f"COPY of {rows:,} payments, WAL", "bytes")
    for _ in range(ROUNDS):
        for candidate in candidates:
            server.clone(template(candidate), "bulk")
            server.sql("CHECKPOINT")
            with server.session("bulk") as session:
                session.sql("BEGIN; " + prewarm(server, "bulk") + ";")
                cpu_before, wal_before = session.cpu(), session.wal()
                session.sql("; ".join(load(server, candidate, rows)) + "; COMMIT;")
                cpu.add(candidate, session.cpu() - cpu_before)
                wal.add(candidate, session.wal() - wal_before)
            print(f"  {candidate}: {cpu.values[candidate][-1]:.2f} s", flush=True)
            check(server, candidate, "bulk")
    server.drop("bulk")

    counted = Table(f"COPY of {COUNTED:,} payments, per row", "instructions")
    candidates = [NONE, EMPTY, FLOOR, ROW, STATEMENT, AFFILIATE]
    databases = {candidate: f"bulk {n}" for n, candidate in enumerate(candidates)}
    warm = {}
    for candidate, database in databases.items():
        server.clone(template(candidate), database)
        warm[candidate] = prewarm(server, database)
    server.stop()
    for candidate, database in databases.items():
        # a first one with all the catalog look-ups
        first = [warm[candidate], "COPY payments (customer_id, amount) FROM PROGRAM 'echo \"0\t1\"'",
                 "TRUNCATE commissions", "SELECT setval('payments_id_seq', 1, false)", "DELETE FROM payments"]
        _, instructions = count(server, database, [first, load(server, candidate, COUNTED)],
                                OUTPUT / "bulk" / candidate.replace("/", ""))
        counted.add(candidate, instructions / COUNTED)
    server.start()
    for candidate, database in databases.items():
        check(server, candidate, database)
        server.drop(database)

    cpu.ratio(AFFILIATE, FLOOR, at_most=1.15)
    cpu.ratio(AFFILIATE, ROW, at_most=0.40)
    wal.ratio(AFFILIATE, FLOOR, at_most=1.25)
    counted.ratio(AFFILIATE, FLOOR)
    counted.ratio(AFFILIATE, ROW)
    return [cpu, wal, counted]
