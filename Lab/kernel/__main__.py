"""`python3 -m kernel`, which is what `compare` runs."""

from .command import run

run()
