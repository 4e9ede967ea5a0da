"""MTCNN (Zhang et al., arXiv:1604.02878): its three networks, their boxes, the cascade."""

from lowres_jax.localization.mtcnn.cascade import Model

__all__ = ["Model"]
