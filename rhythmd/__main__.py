"""`python -m rhythmd`: the same as `rhythmd`."""

import sys

from rhythmd.cli import main

sys.exit(main())
