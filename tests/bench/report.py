"""Tables for the eye, and the same as JSON."""

import json
import os
import platform
import statistics
from pathlib import Path

from server import SETTINGS, Server, run

OUTPUT = Path(__file__).parents[2] / "target" / "bench"


class Table:
    """What the candidates measured, and the ratios that are asked of them."""

    def __init__(self, title: str, unit: str) -> None:
        self.title = title
        self.unit = unit
        self.values: dict[str, list[float]] = {}
        self.ratios: list[dict] = []

    def add(self, candidate: str, value: float) -> None:
        self.values.setdefault(candidate, []).append(value)

    def median(self, candidate: str) -> float:
        return statistics.median(self.values[candidate])

    def ratio(self, candidate: str, to: str, at_most: float | None = None, at_least: float | None = None) -> None:
        """Compares two medians with the bar that is set for them."""
        self._bar(candidate, to, self.median(candidate) / self.median(to), at_most, at_least)

    def limit(self, candidate: str, at_most: float | None = None, at_least: float | None = None) -> None:
        """Compares a median with the bar that is set for it."""
        self._bar(candidate, None, self.median(candidate), at_most, at_least)

    def _bar(self, of: str, to: str | None, value: float, at_most: float | None, at_least: float | None) -> None:
        reached = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
        self.ratios.append({"of": of, "to": to, "ratio": value, "at_most": at_most, "at_least": at_least,
                            "reached": reached})

    def print(self) -> None:
        width = max(len(candidate) for candidate in self.values)
        print(f"\n{self.title} [{self.unit}]")
        for candidate, values in self.values.items():
            spread = f"  {number(min(values))} … {number(max(values))}" if len(values) > 1 else ""
            print(f"  {candidate:{width}}  {number(self.median(candidate)):>12}{spread}")
        for r in self.ratios:
            bars = [f"{name.replace('_', ' ')} {number(r[name])}" for name in ("at_most", "at_least") if r[name] is not None]
            verdict = f"  ({', '.join(bars)}: {'reached' if r['reached'] else 'NOT REACHED'})" if bars else ""
            print(f"  {r['of']}{' / ' + r['to'] if r['to'] else ''} = {number(r['ratio'])}{verdict}", flush=True)

    def as_json(self) -> dict:
        return {"title": self.title, "unit": self.unit, "ratios": self.ratios, "candidates": {
            candidate: {"median": self.median(candidate), "min": min(values), "max": max(values), "values": values}
            for candidate, values in self.values.items()}}


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3f}".rstrip("0").rstrip(".")


def machine() -> dict:
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 1024
    return {"processor": model, "cores": os.cpu_count(), "memory_mib": memory, "kernel": platform.release()}


def describe(server: Server) -> str:
    m = machine()
    version = run([str(server.bin / "postgres"), "--version"])
    settings = "\n".join(f"  {name} = {value}" for name, value in SETTINGS.items())
    return (f"{version}\n{m['processor']}, {m['cores']} cores, {m['memory_mib']:,} MiB, Linux {m['kernel']}, "
            f"load {os.getloadavg()[0]:.1f}\nsettings that differ from the defaults:\n{settings}")


def summary(server: Server, parts: dict[str, list[Table]]) -> None:
    """Writes all ratios as one table, for docs/benchmarks.md."""
    lines = [describe(server).replace("\n", "  \n"), "", "| part | what | figure | to reach | |", "|---|---|---|---|---|"]
    for part, tables in parts.items():
        for table in tables:
            for r in table.ratios:
                what = f"{table.title}: {r['of']}{' / ' + r['to'] if r['to'] else ''}"
                unit = "" if r["to"] else f" {table.unit}"
                bars = ", ".join(f"{'≤' if name == 'at_most' else '≥'} {number(r[name])}"
                                 for name in ("at_most", "at_least") if r[name] is not None)
                verdict = ("reached" if r["reached"] else "missed") if bars else ""
                lines.append(f"| {part} | {what} | {number(r['ratio'])}{unit} | {bars} | {verdict} |")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "summary.md").write_text("\n".join(lines) + "\n")


def write(part: str, tables: list[Table], server: Server, seconds: float) -> None:
    for table in tables:
        table.print()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    document = {"part": part, "seconds": round(seconds, 1), "machine": machine(), "settings": SETTINGS,
                "server": run([str(server.bin / "postgres"), "--version"]),
                "tables": [table.as_json() for table in tables]}
    (OUTPUT / f"{part}.json").write_text(json.dumps(document, indent=1) + "\n")
