"""Where a step's time goes, and the loader settings that suit a machine."""
