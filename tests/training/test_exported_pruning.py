"""Is what torch exports pruned: its layers found, its tensors named, its external data written?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from simulator.quality.calibration import calibration_of
from simulator.quality.model import PrunableModel
from simulator.quality.pruning import prune_model
from simulator.quality.spec import PruneSpec

NETWORKS = {
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 16, 3, stride=2),
            nn.Flatten(), nn.Linear(256, 10),
        ),
        (4, 16, 9, 9),
        [(32, 16 * 9), (16, 32 * 9), (10, 256)],
    ),
    "transformer": (
        lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.0),
        (4, 7, 32),
        [(96, 32), (32, 32), (64, 32), (32, 64)],
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # of torch's exporter, about its own future
@pytest.mark.parametrize("name", NETWORKS)
def test_exported_models_are_pruned(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, shape, sizes = NETWORKS[name]
    network, inputs = make().eval(), torch.randn(shape)
    path, target = tmp_path / "exported.onnx", tmp_path / "pruned.onnx"
    torch.onnx.export(
        network, (inputs,), path, input_names=["x"], dynamo=True, verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )  # fmt: skip
    np.savez(tmp_path / "inputs.npz", x=inputs.numpy())
    model = PrunableModel.read(path)
    assert [(layer.rows, layer.k) for layer in model.layers] == sizes
    assert model.notes == []
    calibration = calibration_of(str(tmp_path / "inputs.npz"), path)
    result = prune_model(model, PruneSpec("2:4", "sparsegpt"), calibration)
    result.write(target)
    assert [one.nonzeros * 2 for one in result.layers] == [one.weights for one in result.layers]
    assert all(one.error is not None and 0 < one.error < 0.2 for one in result.layers)
    dense, pruned = (
        onnxruntime.InferenceSession(str(file)).run(None, {"x": inputs.numpy()})[0]
        for file in (path, target)
    )
    np.testing.assert_allclose(dense, network(inputs).detach().numpy(), rtol=1e-3, atol=1e-4)
    assert 0.9 < np.corrcoef(dense.ravel(), pruned.ravel())[0, 1] < 1
