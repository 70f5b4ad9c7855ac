"""``python -m pipelines`` is the command line, as the launcher ``plumbline`` calls it."""

import sys

from pipelines.cli import main

sys.exit(main())
