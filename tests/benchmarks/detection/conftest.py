"""The program under ``theirs`` is run by another interpreter; it is no module of this one."""

collect_ignore_glob = ["theirs/*"]
