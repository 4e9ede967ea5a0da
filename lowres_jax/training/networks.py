"""Networks to be trained, by the name of their module: a config says which, with which sizes."""

import dataclasses
import importlib
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from lowres_jax.errors import UserError
from lowres_jax.training.devices import AXIS


def build(config: ConfigDict, compute_dtype: str, **more: Any) -> nn.Module:
    """The `Model` of a module of the package, ready to be trained on all devices.

    Args:
      config: `module`, below `lowres_jax`, and `fields` of its `Model`.
      compute_dtype: "float32" or "bfloat16".
      **more: further fields.

    Raises:
      UserError: no such module, one without such a field, or one that computes in float32 only.
    """
    fields = config.fields.to_dict() | more
    try:
        module = importlib.import_module(f"lowres_jax.{config.module}").Model(**fields)
    except (ImportError, AttributeError, TypeError) as error:
        raise UserError(f"config.model: {config.module} with {fields}: {error}") from error
    if compute_dtype != "float32" and not hasattr(module, "dtype"):
        raise UserError(f"config.compute_dtype={compute_dtype!r}: {config.module} computes in float32 only")
    return on_devices(module, compute_dtype)


def fields(module: str) -> set[str]:
    """Names of the fields of a module's `Model`; none where there is no such module, which `build` says."""
    try:
        return {each.name for each in dataclasses.fields(importlib.import_module(f"lowres_jax.{module}").Model)}
    except (ImportError, AttributeError, TypeError):
        return set()


def on_devices(module: nn.Module, compute_dtype: str) -> nn.Module:
    """With batch statistics shared by all devices, computing in the given dtype."""
    if hasattr(module, "dtype"):
        module = module.clone(dtype=jnp.dtype(compute_dtype))
    return module.clone(axis_name=AXIS) if hasattr(module, "axis_name") else module


def alone(module: nn.Module) -> nn.Module:
    """As figures are made: on one device by itself, with batch statistics of its own, in float32."""
    if hasattr(module, "dtype"):
        module = module.clone(dtype=jnp.float32)
    return module.clone(axis_name=None) if hasattr(module, "axis_name") else module
