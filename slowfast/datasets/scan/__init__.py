"""The doctor's parts: every video of a set looked at in guarded processes, and the report of what was found."""
