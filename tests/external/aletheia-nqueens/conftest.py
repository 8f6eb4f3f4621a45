"""The tests beside this file run also where the plugin is not installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
