"""A worker that hands its runs over before it ends, by its own command: for containers and process managers.

    python deployments/worker.py prefect worker start --pool storyreel --with-healthcheck

`storyreel worker --pool storyreel` does the same where `prefect worker start` needs no further options.
"""

import sys

from storyreel.flows.lifecycle.worker import run_worker

if __name__ == "__main__":
    sys.exit(run_worker(sys.argv[1:]))
