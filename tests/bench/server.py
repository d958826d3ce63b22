"""A throw-away server on a private socket, and ways to run SQL in it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "shared_buffers": "1GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "1h",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    # what runs beside the measurement would be measured; parts that need it call VACUUM
    "autovacuum": "off",
    "max_connections": "60",
    # copying databases between runs would wait for the disk; parts that measure commits turn it on
    "fsync": "off",
    "lc_messages": "C",
    "timezone": "UTC",
    "jit": "off",
}
LINE = "-" * 20 + "done"


class Failure(Exception):
    """A command failed or a result is wrong."""


class Server:
    def __init__(self) -> None:
        config = os.environ.get("PG_CONFIG") or shutil.which("pg_config")
        if not config:
            raise SystemExit("set PG_CONFIG to the pg_config of a PostgreSQL that has affiliate installed")
        self.config = config
        self.bin = Path(run([config, "--bindir"]))
        self.dir = Path(tempfile.mkdtemp(prefix="affiliate-bench."))
        self.data = self.dir / "data"
        self.process: subprocess.Popen | None = None
        # PostgreSQL refuses to run as root
        self.account: list[str] = []
        if os.getuid() == 0:
            shutil.chown(self.dir, "postgres", "postgres")
            self.account = ["--reuid=postgres", "--regid=postgres", "--init-groups"]
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") or k.startswith("PGRX_")}
        self.environment |= {"PGHOST": str(self.dir), "PGPORT": "5432", "PGUSER": "postgres"}

    # --- its life ---------------------------------------------------------------------------

    def __enter__(self) -> "Server":
        try:
            self.as_server([str(self.bin / "initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust",
                            "-E", "UTF8", "--locale=C", "--no-sync"])
            lines = [f"{name} = '{value}'" for name, value in SETTINGS.items()]
            lines.append(f"unix_socket_directories = '{self.dir}'")
            with open(self.data / "postgresql.conf", "a") as file:
                file.write("\n".join(lines) + "\n")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def command(self, arguments: list[str]) -> list[str]:
        """As the server's account; should we be killed outright, it is told to stop."""
        return ["setpriv", *self.account, "--pdeathsig=INT", "--", *arguments]

    def as_server(self, arguments: list[str], **options: object) -> str:
        return run(self.command(arguments), cwd=self.dir, env=self.environment, **options)

    def start(self) -> None:
        with open(self.dir / "log", "a") as log:
            self.process = subprocess.Popen(
                self.command([str(self.bin / "postgres"), "-D", str(self.data)]),
                cwd=self.dir, env=self.environment, stdout=log, stderr=log)
        while subprocess.run([self.bin / "pg_isready", "-q"], env=self.environment).returncode != 0:
            if self.process.poll() is not None:
                raise Failure((self.dir / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        self.sql("CHECKPOINT")
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.process = None

    @contextmanager
    def fsync(self) -> Iterator[None]:
        """Commits reach the disk meanwhile, as they do elsewhere."""
        os.sync()
        self.sql("ALTER SYSTEM SET fsync = on")
        self.sql("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            self.sql("ALTER SYSTEM RESET fsync")
            self.sql("SELECT pg_reload_conf()")

    # --- SQL --------------------------------------------------------------------------------

    def sql(self, sql: str, database: str = "postgres") -> str:
        """Runs SQL and returns its rows, without blanks and headings."""
        return run([str(self.bin / "psql"), *PSQL, "-d", database, "-f", "-"], env=self.environment, input=sql)

    def file(self, path: Path, database: str, **variables: object) -> str:
        settings = [f"--set={name}={value}" for name, value in variables.items()]
        return run([str(self.bin / "psql"), *PSQL, *settings, "-d", database, "-f", str(path)], env=self.environment)

    def clone(self, template: str, database: str) -> None:
        """Makes a copy of a database, in place of an older one."""
        self.sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        self.sql(f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY file_copy')

    def drop(self, database: str) -> None:
        self.sql(f'DROP DATABASE "{database}" WITH (FORCE)')

    def session(self, database: str) -> "Session":
        return Session(self, database)


PSQL = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]


class Session:
    """One connection that stays open, so that what its backend used can be read."""

    def __init__(self, server: Server, database: str) -> None:
        self.process = subprocess.Popen(
            [str(server.bin / "psql"), *PSQL, "-d", database], env=server.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.pid = int(self.sql("SELECT pg_backend_pid();"))

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        self.process.wait()

    def sql(self, sql: str) -> str:
        self.process.stdin.write(f"{sql}\n\\echo {LINE}\n")
        self.process.stdin.flush()
        output = []
        for line in self.process.stdout:
            if line.rstrip("\n") == LINE:
                return "".join(output).strip()
            output.append(line)
        raise Failure("".join(output))

    def cpu(self) -> float:
        """Seconds of processor time that the backend has used."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def wal(self) -> int:
        return int(self.sql("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn;"))


def run(command: list[str], **options: object) -> str:
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        raise Failure(f"{' '.join(command)}\n{result.stdout}")
    return result.stdout.strip()
