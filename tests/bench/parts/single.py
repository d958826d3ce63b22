"""One payment in one statement, in instructions."""

from instructions import count, prewarm
from report import OUTPUT, Table
from scene import AFFILIATE, EMPTY, NONE, ROW, STATEMENT, TWO, check, template
from server import Server

STATEMENTS = 400
WARM_UP = 60

PAY = "EXECUTE pay ({customer}, {amount})"
PREPARE = ["PREPARE pay (bigint, numeric) AS INSERT INTO payments (customer_id, amount) VALUES ($1, $2)"]
# What an application does for itself: it knows the key of the payment it has made.
PREPARE_TWO = [
    "PREPARE pay (bigint, numeric) AS INSERT INTO payments (customer_id, amount) VALUES ($1, $2) RETURNING id",
    """PREPARE post (bigint, numeric) AS
       INSERT INTO commissions (payment_id, affiliate_id, customer_id, matures_on, currency, rate, base, amount)
       SELECT currval('payments_id_seq'), r.affiliate_id, $1, now()::date, 'USD', 0.30, $2, round($2 * 0.30, 2)
       FROM referrals r WHERE r.customer_id = $1 AND r.attributed_at <= now()""".replace("\n", " "),
]
TWO_STATEMENTS = ["BEGIN", PAY, "EXECUTE post ({customer}, {amount})", "COMMIT"]


def run(server: Server, scale: float) -> list[Table]:
    statements = int(STATEMENTS * scale)
    unreferred = Table("INSERT of one payment, prepared, customer nobody referred", "instructions")
    referred = Table("INSERT of one payment, prepared, referred customer", "instructions")
    customers = {
        table: [int(n) for n in server.sql(f"""
            SELECT n FROM generate_series(1, 100000) n LEFT JOIN referrals r ON r.customer_id = n
            WHERE r.customer_id IS {condition} ORDER BY chance(n, 3) LIMIT {statements + WARM_UP}""",
            template(NONE)).split()]
        for table, condition in ((unreferred, "NULL"), (referred, "NOT NULL"))}

    databases = {candidate: f"single {n}" for n, candidate in enumerate([NONE, EMPTY, ROW, STATEMENT, TWO, AFFILIATE])}
    warm = {}
    for candidate, database in databases.items():
        server.clone(template(candidate), database)
        warm[candidate] = prewarm(server, database)
    server.stop()
    for candidate, database in databases.items():
        prepare, one = (PREPARE_TWO, TWO_STATEMENTS) if candidate == TWO else (PREPARE, [PAY])

        def payments(table: Table, start: int, end: int) -> list[str]:
            return [line.format(customer=customer, amount=f"{5 + customer % 495}.{customer % 90 + 10}")
                    for customer in customers[table][start:end] for line in one]

        phases = [
            [warm[candidate], *prepare, *payments(unreferred, 0, WARM_UP), *payments(referred, 0, WARM_UP)],
            payments(unreferred, WARM_UP, WARM_UP + statements),
            payments(referred, WARM_UP, WARM_UP + statements),
        ]
        keep = OUTPUT / "single"
        _, first, second = count(server, database, phases, keep / candidate.replace("/", ""))
        unreferred.add(candidate, first / statements)
        referred.add(candidate, second / statements)
        print(f"  {candidate}: {first / statements:,.0f} and {second / statements:,.0f}", flush=True)
    server.start()
    for candidate, database in databases.items():
        check(server, candidate, database)
        server.drop(database)

    unreferred.ratio(EMPTY, NONE)
    unreferred.ratio(AFFILIATE, NONE, at_most=1.20)
    referred.ratio(AFFILIATE, ROW, at_most=0.90)
    referred.ratio(AFFILIATE, TWO)
    return [unreferred, referred]
