"""``python -m pipelines`` is the command line, as the launcher ``plumbline`` calls it."""

import gc
import sys

from pipelines.allocation import give_back_freed_memory, keep_freed_memory
from pipelines.priority import COMMANDS, command, give_way_early

if command(sys.argv[1:]) in COMMANDS:
    give_back_freed_memory()
else:
    keep_freed_memory()
give_way_early(sys.argv[1:])

from pipelines.cli import main  # noqa: E402 - allocators read their settings when they are loaded

status = main()
gc.freeze()  # what is there ends with the process: to look through all of it for circles took a refresh almost a second
sys.exit(status)
