"""Transactions per second: one payment each, 4 clients."""

import load
from report import Table
from scene import AFFILIATE, NONE, TWO, check, template
from server import Server

ROUNDS = 5
CLIENTS = 4
SECONDS = 2

NOBODYS = "a customer nobody referred"
REFERRED = "a referred customer"

# What an application does for itself.
BY_APPLICATION = """\\set customer {customers}
\\set amount random(500, 50000)
BEGIN;
INSERT INTO payments (customer_id, amount) VALUES (:customer, :amount / 100.0);
INSERT INTO commissions (payment_id, affiliate_id, customer_id, matures_on, currency, rate, base, amount) SELECT currval('payments_id_seq'), r.affiliate_id, :customer, now()::date, 'USD', 0.30, :amount / 100.0, round(:amount / 100.0 * 0.30, 2) FROM referrals r WHERE r.customer_id = :customer AND r.attributed_at <= now();
COMMIT;
"""


def script(candidate: str, customers: str) -> str:
    return BY_APPLICATION.format(customers=customers) if candidate == TWO else load.payment(customers)


def compares_two(who: str, commit: str) -> bool:
    return who == REFERRED and commit == "off"


def run(server: Server, scale: float) -> list[Table]:
    with server.fsync():
        return measure(server, scale)


def measure(server: Server, scale: float) -> list[Table]:
    seconds = max(1, round(SECONDS * scale))
    databases = {candidate: f"throughput {n}" for n, candidate in enumerate([NONE, TWO, AFFILIATE])}
    for candidate, database in databases.items():
        server.clone(template(candidate), database)
    kinds = [(NOBODYS, load.UNREFERRED), (REFERRED, load.REFERRED)]
    tables = {(who, commit): Table(f"payments of {who}, synchronous_commit {commit}", "1/s")
              for commit in ("off", "on") for who, _ in kinds}
    for _ in range(ROUNDS):
        for commit in ("off", "on"):
            for who, customers in kinds:
                for candidate, database in databases.items():
                    if candidate == TWO and not compares_two(who, commit):
                        continue
                    tps = load.Payments(server, database, script(candidate, customers), CLIENTS, seconds=seconds,
                                        synchronous_commit=commit).run()
                    tables[who, commit].add(candidate, tps)
                    print(f"  {who}, {commit}, {candidate}: {tps:,.0f}", flush=True)
        server.sql("CHECKPOINT")
    for candidate, database in databases.items():
        check(server, candidate, database)
        server.drop(database)
    for (who, commit), table in tables.items():
        table.ratio(AFFILIATE, NONE, at_least=None if compares_two(who, commit) else 0.85)
        if compares_two(who, commit):
            table.ratio(AFFILIATE, TWO, at_least=1.6)
    return list(tables.values())
