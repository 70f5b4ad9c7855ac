"""``python -m pipelines`` is the command line, as the launcher ``plumbline`` calls it."""

import sys

from pipelines.allocation import keep_freed_memory

keep_freed_memory()

from pipelines.priority import give_way_early  # noqa: E402 - allocators read their settings when they are loaded

give_way_early(sys.argv[1:])

from pipelines.cli import main  # noqa: E402

sys.exit(main())
