"""The cost of Content Credentials: a film that is written again and signed, against the same without, in CPU seconds.

    uv run --group bench python -m benchmarks.films.signing [--clips 120] [--rounds 5]

A film of clips of 5 s at 720p24 that are conformed, with its sound, so that it is copied and verified alone, as after a
change of its title: what a film costs that is written again for any reason. Each clip is a take of its own. The ways
alternate.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.films.changed_shot import distinct
from benchmarks.films.join import HOUSE, Bench, machine, processor_seconds
from storyreel.tasks.credentials.certificate import certificate_of, known_issuers
from storyreel.tasks.credentials.claim import ClaimedTake, FilmClaim
from storyreel.tasks.credentials.read import read_credentials
from storyreel.tasks.credentials.sign import Signing
from storyreel.tasks.join.assemble import Composition, assemble_film
from storyreel.tasks.join.mux import FileMetadata
from storyreel.tasks.join.pieces import HouseCache


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), 120)
        print(machine())
        sources = asyncio.run(bench.make_clips(distinct(given.clips)))
        cut = bench.cut(given.clips, 0)
        clips = asyncio.run(bench.conformed(sources, cut))
        home = {"STORYREEL_HOME": name}
        takes = tuple(
            ClaimedTake(
                name=f"{event.shot} take 1", file=sources[number % len(sources)], digest="d" * 64, kind="clip",
                shots=(event.shot,), service="apiyi", model="wan2.7", is_generated=True, key=f"{number:064}",
            )
            for number, event in enumerate(cut.events)
        )  # fmt: skip
        signing = Signing(claim=FilmClaim(title="Film", takes=takes), certificate=certificate_of(home))

        def joined(signing: Signing | None) -> None:
            bench.out.unlink(missing_ok=True)
            cache = HouseCache(bench.folder / "cache")
            composition = Composition(cut, HOUSE, clips, {}, FileMetadata("Film"))
            asyncio.run(assemble_film(composition, bench.out, cache=cache, signing=signing))

        ways: dict[str, Callable[[], object]] = {
            "without credentials": lambda: joined(None),
            "signed": lambda: joined(signing),
            "`storyreel credentials` of it": lambda: read_credentials(bench.out, known_issuers(home)),
        }
        joined(None)  # encodes the sound
        taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(given.rounds):
            for way, work in ways.items():
                began, spent = time.perf_counter(), processor_seconds()
                work()
                taken[way].append((processor_seconds() - spent, time.perf_counter() - began))
        plain = median(cpu for cpu, _ in taken["without credentials"])
        print(f"{bench.out.stat().st_size / 1e6:.0f} MB\n")
        print("| | CPU | to none | spread | clock |\n|---|---:|---:|---:|---:|")
        for way, each in taken.items():
            cpus, clock = [cpu for cpu, _ in each], median(seconds for _, seconds in each)
            spread = (max(cpus) - min(cpus)) / median(cpus)
            print(f"| {way} | {median(cpus):.2f} s | {median(cpus) / plain:.2f} | {spread:.0%} | {clock:.2f} s |")


if __name__ == "__main__":
    main()
