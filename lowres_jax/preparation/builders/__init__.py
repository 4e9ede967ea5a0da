"""TFDS builders: photographs in, TFRecords of aligned crops out. Each module has a class `Builder`."""
