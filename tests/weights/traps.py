"""An object that shows whether a reader of checkpoints runs what it finds in them."""

import os


class RunsACommand:
    """Unpickling this creates the file that it was given."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)
