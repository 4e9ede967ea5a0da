"""Photographs -> TFRecords of aligned crops: reading what people have, and the TFDS builders that write."""
