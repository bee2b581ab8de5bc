"""A project with flows, tasks and specs of its own that makes films with Storyreel."""

import asyncio
import json
import sys

from flows.films import gathered, mapped, nightly, one

import storyreel


def main() -> None:
    print(
        json.dumps(
            {
                "package": storyreel.__file__,
                "title": storyreel.read("specs/lantern.yaml").title,
                "planned": [take.state for take in storyreel.plan("specs/lantern.yaml").takes],
                "rendered": storyreel.render_sync("specs/lantern.yaml", out="films/rendered").frames,
                "one": asyncio.run(one()),
            }
        )
    )


def several() -> None:
    print(json.dumps({"gathered": asyncio.run(gathered()), "mapped": mapped()}))


if __name__ == "__main__":
    {"main": main, "several": several, "serve": lambda: nightly.serve(name="nightly")}[sys.argv[1]]()
