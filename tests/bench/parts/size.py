"""Bytes on disk per entry, with all indexes."""

from parts.bulk import COPY, COPY_ENTRIES, write_files
from report import Table
from scene import AFFILIATE, FLOOR, check, template
from server import Server

PAYMENTS = 1_000_000

# The ledger and what belongs to it, by candidate.
TABLES = {FLOOR: "commissions", AFFILIATE: "affiliate.commission"}


def run(server: Server, scale: float) -> list[Table]:
    payments = int(PAYMENTS * scale)
    write_files(server, payments)
    table = Table(f"the entries of {payments:,} payments, with all indexes", "bytes per entry")
    for candidate, ledger in TABLES.items():
        server.clone(template(candidate), "size")
        for statement in [COPY] + ([COPY_ENTRIES] if candidate == FLOOR else []):
            server.sql(statement.format(dir=server.dir, rows=payments), "size")
        server.sql("SELECT affiliate_maintain()" if candidate == AFFILIATE else "SELECT 1", "size")
        server.sql("VACUUM (FREEZE, ANALYZE)", "size")
        check(server, candidate, "size")
        for name, size in [("in all", f"pg_total_relation_size('{ledger}')")] + [
                (relation, f"pg_table_size('{relation}')") for relation in server.sql(f"""
                    SELECT '{ledger}' UNION ALL
                    SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '{ledger}'::regclass""", "size").split()]:
            table.add(f"{candidate}, {name}",
                      float(server.sql(f"SELECT {size}::float8 / (SELECT count(*) FROM {ledger})", "size")))
    server.drop("size")
    table.ratio(f"{AFFILIATE}, in all", f"{FLOOR}, in all", at_most=1.3)
    return [table]
