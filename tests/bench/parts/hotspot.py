"""16 clients whose payments all earn for one affiliate, against the same spread over 1,000."""

import load
from load import Sampler
from report import Table
from scene import AFFILIATES, CUSTOMERS, SQL, verify
from server import Server

ROUNDS = 5
CLIENTS = 16
SECONDS = 2

ONE = "one affiliate"
MANY = f"{AFFILIATES:,} affiliates"
# Nobody refers himself: number 10 is not a referred customer's.
OWNER = {ONE: "10", MANY: f"{AFFILIATES} - n / 10 % {AFFILIATES}"}

# Waits of who pays. A queue for an affiliate's row would show as tuple and transactionid.
WAITS = """SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock' AND wait_event IN ('tuple', 'transactionid')),
        count(*) FILTER (WHERE wait_event_type = 'Lock')
    FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'pgbench' AND state = 'active';"""


def run(server: Server, scale: float) -> list[Table]:
    seconds = max(1, round(SECONDS * scale))
    databases = {ONE: "hotspot one", MANY: "hotspot many"}
    for who, database in databases.items():
        server.clone("base", database)
        server.sql(f"""TRUNCATE referrals;
            INSERT INTO referrals SELECT n, {OWNER[who]}, '2020-01-01'
            FROM generate_series(1, {CUSTOMERS}) n WHERE n % 10 BETWEEN 1 AND 3;""", database)
        server.file(SQL / "affiliate.sql", database)
        server.sql("VACUUM (FREEZE, ANALYZE)", database)
    with server.fsync():
        tables = measure(server, databases, seconds)
    for database in databases.values():
        verify(server, database)
        server.drop(database)
    return tables


def measure(server: Server, databases: dict[str, str], seconds: int) -> list[Table]:
    tables = []
    for commit in ("off", "on"):
        tps = Table(f"payments of referred customers, {CLIENTS} clients, a fold every second, synchronous_commit {commit}",
                    "1/s")
        beside = f"{CLIENTS} clients, synchronous_commit {commit}"
        waits = Table(f"{beside}, waits on tuple and transactionid locks", "samples")
        locks = Table(f"{beside}, waits on locks of any kind", "samples")
        active = Table(f"{beside}, sessions seen active", "samples")
        for _ in range(ROUNDS):
            for who, database in databases.items():
                payments = load.Payments(server, database, load.payment(load.REFERRED), CLIENTS, seconds=seconds,
                                         synchronous_commit=commit)
                with load.Maintenance(server, database), server.session(database) as session:
                    query = WAITS.format(database=database)
                    with Sampler(lambda: [int(n) for n in session.sql(query).split("|")]) as seen:
                        tps.add(who, payments.run())
                for table, counts in zip((active, waits, locks), zip(*seen.samples)):
                    table.add(who, sum(counts))
                print(f"  {commit}, {who}: {tps.values[who][-1]:,.0f}, {waits.values[who][-1]} waits", flush=True)
        tps.ratio(ONE, MANY, at_least=0.85)
        # every single one counts
        waits.values[f"{ONE}, all rounds"] = [sum(waits.values[ONE])]
        waits.limit(f"{ONE}, all rounds", at_most=0)
        tables += [tps, waits, locks, active]
    return tables
