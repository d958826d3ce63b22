"""Instructions per statement: callgrind over a single-user backend.

They are the same within a thousandth on a loaded machine, which neither time nor throughput is.
A statement that calls pg_backend_pid() ends a phase: callgrind writes down what was executed
since the phase before. What start-up and the first, planning executions cost is in phases that
nobody looks at.
"""

import re
import shutil
from pathlib import Path

from server import Server

# What guards every call between Rust and the server; in a profile it would stand between the
# caller and the called. What it costs is counted as its caller's.
SKIPPED = ["--fn-skip=*call_with_sigsetjmp*", "--fn-skip=*call_from_c_to_rust*", "--fn-skip=*run_guarded*"]

MARK = "SELECT pg_backend_pid()"
# The mark itself costs a statement; too little to matter among hundreds.


def count(server: Server, database: str, phases: list[list[str]], keep: Path | None = None) -> list[int]:
    """Runs phases of statements in one backend and returns the instructions of each.

    The server must be stopped. With `keep`, callgrind's files are left there."""
    script = "\n".join(line for phase in phases for line in [*phase, MARK]) + "\n"
    output = server.dir / "callgrind"
    shutil.rmtree(output, ignore_errors=True)
    server.as_server(["mkdir", str(output)])
    server.as_server(
        ["valgrind", "--tool=callgrind", "--dump-before=pg_backend_pid", f"--callgrind-out-file={output}/out", *SKIPPED,
         str(server.bin / "postgres"), "--single", "-D", str(server.data), database], input=script)
    counts = []
    for number in range(1, len(phases) + 1):
        text = (output / f"out.{number}").read_text()
        counts.append(int(re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)[1]))
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        for number in range(1, len(phases) + 1):
            shutil.copy(output / f"out.{number}", keep / f"{number}.callgrind")
    return counts


def prewarm(server: Server, database: str) -> str:
    """A statement that reads every table and index of a database into memory."""
    relations = server.sql("""
        SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'affiliate') AND c.relkind IN ('r', 'i', 'S')""", database).split()
    return "SELECT " + ", ".join(f"pg_prewarm({oid}::regclass)" for oid in relations)

