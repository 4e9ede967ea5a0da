"""Models for other stacks: ONNX and StableHLO files, and folders as model hubs have them."""
