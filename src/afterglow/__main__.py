"""`python -m afterglow` is the command `afterglow`."""

from afterglow.interfaces.cli import main

main()
