"""Weights that a training of another shape takes from a start."""

import numpy as np
import pytest

from lowres_jax.super_resolution.training import initial_weights, train_config


def test_a_direct_tail_starts_from_doublings(capsys: pytest.CaptureFixture[str]) -> None:
    config = train_config.identity(scale=8, start="identity_x8")
    whole = initial_weights.variables(config, train_config.build_generator(config))
    assert capsys.readouterr().out == "starts from identity_x8\n"
    config.model.fields.tail = "direct"
    part = initial_weights.variables(config, train_config.build_generator(config))
    said = capsys.readouterr().out
    assert "drawn at random: conv_direct; left out: conv_last, conv_up_0, conv_up_1, conv_up_2, prelu_up_0" in said
    assert whole is not None
    assert part is not None
    trunk = part["params"].keys() - {"conv_direct"}
    assert trunk == {name for name in whole["params"] if "_up_" not in name and name != "conv_last"}
    for name in ("conv_first", "block_15", "conv_trunk"):
        for key, value in part["params"][name].items():
            if not isinstance(value, dict):
                np.testing.assert_array_equal(value, whole["params"][name][key])
    # Started at bicubic, but for a little noise.
    assert 0 < np.abs(part["params"]["conv_direct"]["kernel"]).max() < 0.01
