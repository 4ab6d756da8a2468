"""A Prometheus of its own process: scrapes a page of metrics once a second and reads it, until nobody holds its standard input any more.

    python tests/soak/scraper.py http://127.0.0.1:9464/metrics

Then it prints what it did, as one line of JSON.
"""

import json
import sys
import threading
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

EVERY = 1.0
"""Seconds between two scrapes."""


def main(url: str) -> None:
    """Scrape till the end, then tell."""
    over = threading.Event()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    scrapes, failures = 0, []
    while not over.wait(EVERY):
        try:
            with urlopen(url, timeout=10) as answer:
                for _ in text_string_to_metric_families(answer.read().decode()):
                    pass
        except (OSError, ValueError) as failure:
            failures.append(repr(failure))
        else:
            scrapes += 1
    sys.stdout.write(json.dumps({"scrapes": scrapes, "failures": failures}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
