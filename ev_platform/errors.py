"""Errors that a user can cause: one clear line that says what to do, shown without a traceback."""


class UserError(Exception):
    """A wrong setting, an unreachable service or an unwritable lake; the message says what to do (exit code 1)."""


class SettingError(UserError):
    """A setting that cannot be used (exit code 2)."""
