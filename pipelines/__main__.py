"""``python -m pipelines`` is the command line, as the launcher ``plumbline`` calls it."""

import sys

from pipelines.allocation import keep_freed_memory

keep_freed_memory()

from pipelines.cli import main  # noqa: E402 - allocators read their settings when they are loaded

sys.exit(main())
