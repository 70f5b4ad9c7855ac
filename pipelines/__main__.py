"""``python -m pipelines`` is the command ``plumbline``."""

import sys

from pipelines.cli import main

if __name__ == "__main__":
    sys.exit(main())
