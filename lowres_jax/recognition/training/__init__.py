"""The training of a recognizer: config, transform, margins, step."""
