"""The programs under ``agents`` are run by another interpreter; they are no modules of this one."""

collect_ignore_glob = ["agents/*"]
