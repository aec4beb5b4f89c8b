"""The entry point: `logrouter`, `python -m logrouter`."""

from __future__ import annotations

import gc
import sys

gc.disable()  # imports make many objects and no garbage: 10 % of the start

from logrouter.cli import main  # noqa: E402 - after the line above, on purpose

if __name__ == "__main__":
    sys.exit(main())
