"""`python -m engine` is `tocsin`."""
import sys

from engine.command import main

sys.exit(main())
