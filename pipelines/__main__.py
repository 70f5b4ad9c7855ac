"""``python -m pipelines`` is the command ``plumbline``."""

from pipelines.cli import app

if __name__ == "__main__":
    app(prog_name="plumbline")
