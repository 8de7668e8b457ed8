"""Start what `make run` starts, from a script: a synthetic venue on loopback, and a system that keeps its marks.

Run: python examples/launch.py [SECONDS]
"""

from __future__ import annotations

import sys
import threading

from perps_actors.host.session import RunOptions, Session
from perps_actors.market.numbers import plain


def main(seconds: float) -> None:
    """Show the marks once a second for `seconds`."""
    session = Session.open(RunOptions())
    perps = session.system
    second = threading.Event()
    try:
        for _ in range(int(seconds)):
            second.wait(1.0)
            for symbol in perps.settings.symbols:
                mark = perps.mark(symbol)
                if mark is not None:
                    print(
                        f"{symbol} {plain(mark.mark)} from the {mark.source}, {len(perps.window(symbol))} in the window"
                    )
    except KeyboardInterrupt:
        print("stopping")
    finally:
        summary = session.close()
    print(f"{summary['marks_total']} marks, clean stop: {summary['clean_stop']}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
