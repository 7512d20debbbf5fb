"""`python -m keras_infnet.cli`."""

import sys

from keras_infnet.cli import main

__all__: list[str] = []

sys.exit(main())
