"""The commands of ``plumbline``, one module per subject; :mod:`pipelines.cli` assembles them."""
