"""The schedule: `plan` says what is due at a given moment and is pure; `run` renders it and records what came of it."""
