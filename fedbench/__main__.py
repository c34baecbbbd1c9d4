"""`python -m fedbench` is the command line."""

from fedbench.cli import main

main()
