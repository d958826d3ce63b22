"""What is compared, and on which data.

Every candidate is a database of its own, copied from a template: the same payments table, the
same 100,000 customers of whom 30% were referred by 1,000 affiliates. The shares are skewed: a
tenth of the referred customers belongs to one affiliate.
"""

from pathlib import Path

from server import Failure, Server, run

SQL = Path(__file__).parent / "sql"

CUSTOMERS = 100_000
AFFILIATES = 1_000

NONE = "no trigger"
EMPTY = "empty trigger"
ROW = "PL/pgSQL per row"
STATEMENT = "PL/pgSQL per statement"
TWO = "two statements"
FLOOR = "floor"
AFFILIATE = "affiliate"

# The files that make a candidate out of the base.
FILES = {
    NONE: [],
    EMPTY: ["empty_trigger.sql"],
    ROW: ["plpgsql_row.sql"],
    STATEMENT: ["plpgsql_statement.sql"],
    TWO: [],
    FLOOR: [],
    AFFILIATE: ["affiliate.sql"],
}


def template(candidate: str) -> str:
    return f"{candidate} (template)"


def prepare(server: Server) -> None:
    """Makes the base, and a template for every candidate."""
    library = build_nothing(server)
    server.sql("CREATE DATABASE base")
    server.file(SQL / "base.sql", "base", customers=CUSTOMERS, affiliates=AFFILIATES)
    for candidate, files in FILES.items():
        server.clone("base", template(candidate))
        for name in files:
            server.file(SQL / name, template(candidate), library=library)
        server.sql("VACUUM (FREEZE, ANALYZE)", template(candidate))


def build_nothing(server: Server) -> Path:
    """Compiles the empty trigger."""
    library = server.dir / "nothing.so"
    headers = run([server.config, "--includedir-server"])
    run(["gcc", "-O2", "-shared", "-fPIC", f"-I{headers}", "-o", str(library), str(SQL / "nothing.c")])
    return library


def ledger(candidate: str) -> str:
    """The entries of a candidate by the affiliate's number, as a query."""
    if candidate == AFFILIATE:
        return """SELECT a.owner::bigint AS affiliate_id, c.amount FROM affiliate.commission c
            JOIN affiliate.affiliate a ON a.id = c.affiliate_id"""
    return "SELECT affiliate_id, amount FROM commissions"


def check(server: Server, candidate: str, database: str) -> None:
    """Fails unless what was posted is what the payments come to, affiliate by affiliate."""
    if candidate in (NONE, EMPTY):
        return
    wrong = server.sql(f"""
        WITH expected AS (
            SELECT r.affiliate_id, count(*) AS entries, sum(round(p.amount * 0.30, 2)) AS amount
            FROM payments p JOIN referrals r USING (customer_id) WHERE p.paid_at >= r.attributed_at GROUP BY 1),
        posted AS (
            SELECT affiliate_id, count(*) AS entries, sum(amount) AS amount FROM ({ledger(candidate)}) l GROUP BY 1)
        SELECT count(*) FROM expected e FULL JOIN posted p USING (affiliate_id)
        WHERE e.entries IS DISTINCT FROM p.entries OR e.amount IS DISTINCT FROM p.amount""", database)
    if wrong != "0":
        raise Failure(f"{candidate}: the commissions of {wrong} affiliates are not what their payments come to")
    if candidate == AFFILIATE:
        verify(server, database)


def verify(server: Server, database: str) -> None:
    """Fails unless affiliate proves its own ledger, and its figures agree with it."""
    violations = server.sql("SELECT * FROM affiliate_verify() WHERE violations <> 0", database)
    wrong = server.sql("""
        SELECT count(*) FROM affiliate_stats() s
        FULL JOIN (SELECT a.code, sum(c.amount) AS amount FROM affiliate.affiliate a
            LEFT JOIN affiliate.commission c ON c.affiliate_id = a.id GROUP BY a.code) l USING (code)
        WHERE s.total_commission IS DISTINCT FROM coalesce(l.amount, 0)""", database)
    if violations or wrong != "0":
        raise Failure(f"affiliate_verify(): {violations or 'nothing'}; wrong figures: {wrong}")
