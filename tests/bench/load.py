"""What goes on beside a measurement: payments, and affiliate_maintain() every second."""

import os
import re
import subprocess
import threading
import time

from server import Server, run

REFERRED = "10 * random(0, 9999) + random(1, 3)"
UNREFERRED = "10 * random(0, 9999) + random(4, 9)"
ANYBODY = "random(1, 100000)"


def payment(customers: str) -> str:
    """A pgbench script: one payment in one statement, by one of the customers."""
    return f"""\\set customer {customers}
\\set amount random(500, 50000)
INSERT INTO payments (customer_id, amount) VALUES (:customer, :amount / 100.0);
"""


class Payments:
    """Payments by pgbench, at a rate or as fast as it can."""

    def __init__(self, server: Server, database: str, script: str, clients: int = 4, rate: int | None = None,
                 seconds: int = 3600, synchronous_commit: str = "on") -> None:
        self.server = server
        self.database = database
        self.file = server.dir / "script.pgbench"
        self.file.write_text(script)
        self.arguments = [
            "setpriv", "--pdeathsig=INT", "--", str(server.bin / "pgbench"), "-n", "-M", "prepared", "-c", str(clients),
            "-j", "2", "-T", str(seconds), "-f", str(self.file), *(["-R", str(rate)] if rate else []), database]
        self.options = {"env": server.environment | {"PGOPTIONS": f"-c synchronous_commit={synchronous_commit}"}}

    def run(self) -> float:
        """Runs to the end and returns transactions per second."""
        return float(re.search(r"tps = ([\d.]+)", run(self.arguments, **self.options))[1])

    def made(self) -> int:
        return int(self.server.sql("SELECT last_value FROM payments_id_seq", self.database))

    def rate_during(self, seconds: float) -> float:
        """Payments per second while they go on."""
        before, started = self.made(), time.monotonic()
        time.sleep(seconds)
        return (self.made() - before) / (time.monotonic() - started)

    def __enter__(self) -> "Payments":
        before = self.made()
        self.process = subprocess.Popen(self.arguments, **self.options, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        while self.made() < before + 10:
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        # its sessions end when they notice
        while self.server.sql(f"""SELECT count(*) FROM pg_stat_activity
                WHERE datname = '{self.database}' AND application_name = 'pgbench'""") != "0":
            time.sleep(0.02)


class Maintenance:
    """affiliate_maintain() every second, as pg_cron would run it."""

    def __init__(self, server: Server, database: str) -> None:
        self.server = server
        self.database = database
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.seconds: list[float] = []
        self.failure: BaseException | None = None

    def _run(self) -> None:
        try:
            with self.server.session(self.database) as session:
                session.sql("SET client_min_messages = warning;")
                while not self.ends.wait(1):
                    started = time.monotonic()
                    session.sql("SELECT affiliate_maintain();")
                    self.seconds.append(time.monotonic() - started)
        except BaseException as failure:  # told to whoever waits for it
            self.failure = failure

    def __enter__(self) -> "Maintenance":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        self.thread.join()
        if self.failure:
            raise self.failure


class Sampler:
    """Calls `sample` again and again until it is told to stop, in a thread of its own."""

    def __init__(self, sample, interval: float = 0.02) -> None:
        self.sample = sample
        self.interval = interval
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.samples: list = []

    def _run(self) -> None:
        while not self.ends.wait(self.interval):
            self.samples.append(self.sample())

    def __enter__(self) -> "Sampler":
        self.samples.append(self.sample())
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        self.thread.join()


def private_memory(pid: int) -> int:
    """Bytes of a process that are not shared. Memory that it shares with others but happens to
    be the only one to have touched counts as private in Private_Dirty, not in Anonymous."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Anonymous:"))


def cores() -> int:
    return os.cpu_count() or 1
