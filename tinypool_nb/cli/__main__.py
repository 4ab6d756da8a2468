"""`python -m tinypool_nb.cli`, where the command is not on the PATH."""

import sys

from tinypool_nb.cli import main

sys.exit(main())
