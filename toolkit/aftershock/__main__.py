"""`python -m aftershock`: the command line."""

from aftershock.cli import main

main()
