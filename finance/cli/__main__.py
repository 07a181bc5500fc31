"""`python -m finance.cli` is the command `finance`."""

import sys

from finance.cli import main

sys.exit(main())
