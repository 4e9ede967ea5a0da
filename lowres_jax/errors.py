"""The one error a user is meant to see: what is wrong, where, and how to mend it."""


class UserError(Exception):
    """Bad input. `main` prints the message as one line and exits with status 1, without a traceback.

    The message says what is wrong, where (the path, the key, the record), and what to do about it.
    """
