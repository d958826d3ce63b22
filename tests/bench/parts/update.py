"""UPDATE of a column that affiliate does not read."""

from instructions import count, prewarm
from report import OUTPUT, Table
from scene import AFFILIATE, EMPTY, NONE, check, template
from server import Server

PAYMENTS = 100_000
ROUNDS = 5
STATEMENTS = 400
WARM_UP = 60

CANDIDATES = [NONE, EMPTY, AFFILIATE]


def run(server: Server, scale: float) -> list[Table]:
    rows, statements = int(PAYMENTS * scale), int(STATEMENTS * scale)
    for candidate in CANDIDATES:
        loaded = f"update {candidate}"
        server.clone(template(candidate), loaded)
        server.sql(f"""INSERT INTO payments (customer_id, amount, currency, paid_at)
            SELECT * FROM made_up_payments(1, {rows}); VACUUM (FREEZE, ANALYZE)""", loaded)

    cpu = Table(f"UPDATE of an unmapped column, {rows:,} rows, processor time of the backend", "s")
    for _ in range(ROUNDS):
        for candidate in CANDIDATES:
            server.clone(f"update {candidate}", "update")
            server.sql("CHECKPOINT")
            with server.session("update") as session:
                session.sql(prewarm(server, "update") + ";")
                before = session.cpu()
                session.sql("UPDATE payments SET note = 'seen';")
                cpu.add(candidate, session.cpu() - before)
            check(server, candidate, "update")
    server.drop("update")

    one = Table("UPDATE of an unmapped column, one row, prepared", "instructions")
    warm = {candidate: prewarm(server, f"update {candidate}") for candidate in CANDIDATES}
    ids = [int(n) for n in server.sql(f"""SELECT n FROM generate_series(1, {rows}) n
        ORDER BY chance(n, 3) LIMIT {statements + WARM_UP}""", template(NONE)).split()]
    server.stop()
    for candidate in CANDIDATES:
        updates = [f"EXECUTE note ({n}, 'seen')" for n in ids]
        prepare = "PREPARE note (bigint, text) AS UPDATE payments SET note = $2 WHERE id = $1"
        _, instructions = count(
            server, f"update {candidate}",
            [[warm[candidate], prepare, *updates[:WARM_UP]], updates[WARM_UP:]],
            OUTPUT / "update" / candidate.replace("/", ""))
        one.add(candidate, instructions / statements)
    server.start()
    for candidate in CANDIDATES:
        check(server, candidate, f"update {candidate}")
        server.drop(f"update {candidate}")

    one.ratio(EMPTY, NONE)
    one.ratio(AFFILIATE, NONE, at_most=1.12)
    cpu.ratio(EMPTY, NONE)
    cpu.ratio(AFFILIATE, NONE, at_most=1.35)
    return [one, cpu]
