"""The errors that are the user's to mend: one clear line, exit code 2, never a traceback."""

EXIT_DONE = 0
EXIT_LOST = 1  # finished, but something was lost (an unreadable test video, say)
EXIT_USAGE = 2  # wrong usage, config or input
EXIT_PREEMPTED = 75  # asked to leave; the same command goes on from the last checkpoint


class UserError(Exception):
    """Something outside the program is wrong; the message names it and the next step."""


class ConfigError(UserError):
    """One or more wrong configuration values, all told at once."""

    def __init__(self, problems):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class JobError(RuntimeError):
    """A process of the job crashed, died or stalled; the text says which one and what it said last."""


class ReadError(UserError):
    """A media file cannot be read; the message names the file and what was found (also as `path` and `reason`)."""

    def __init__(self, path, reason):
        super().__init__(path, reason)
        self.path = str(path)
        self.reason = reason

    def __str__(self):
        return f"cannot read {self.path}: {self.reason}"
