"""Upkeep of the lake's files beside its writers: backup and restore, inspection and repair."""
