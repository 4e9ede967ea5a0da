"""The training of a generator: config, transform, losses, discriminator, step."""
