"""What a layer of an ONNX graph is called: as its weights, where their name says whose they are.

Masks, quality and time of one layer are then joined by the name that the network's author gave. A
tensor that a tool made has no such name; then the module counts that torch notes beside an
operator, and what is left is called as its operator.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import onnx

SILENT: Final = (
    r"\d*",  # torch before 1.10, and onnx's own tests: a number
    r"[a-zA-Z]\d*",  # by hand: a symbol
    r"[wW]eights?|[kK]ernel",  # by hand: what it is, but not whose
    r"onnx::.*",  # torch.onnx of a TorchScript: onnx::MatMul_123
    r"(val|_v|getitem|[cC]onst(ant)?)(_\d+)*(_weight)?",  # torch.onnx: val_3, _v_12
    r".*_output_\d+(_weight)?",  # what an operator writes: /fc/Transpose_output_0; of onnxslim
    r".*__\d+(:\d+)?",  # tf2onnx: const_fold_opt__12
    r".*\bReadVariableOp(_\d+)?(:\d+)?",  # tf2onnx: the operator that reads the variable
    r"reorder(_token_\d+)?",  # onnxruntime, for its blocked layouts
)
"""Names of tensors that do not say whose weights they are, and who writes them."""

MADE_OF: Final = re.compile(
    r"(?:(?:ConvBn|ConvMul)Fusion_W_|MatMulBnFusion_GemmB_)*(.*?)(?:_Transposed)?(?:_quantized)?"
)
"""What onnxruntime adds to a name when it folds, turns or quantises a tensor."""

END: Final = re.compile(r"([./](weight|kernel)|\.w_0)?(:\d+)?$")
"""What says that a tensor is weights, as all of them are (torch, Keras, Paddle), and TensorFlow's
number of an output."""

SCOPES: Final = "pkg.torch.onnx.name_scopes"
"""Where torch.onnx notes the modules around an operator, the model's own first."""


def spoken(tensor: str) -> str:
    """Whose weights a stored tensor holds; empty if its name does not say.

    >>> spoken("encoder.layer.0.attention.self.query.weight")
    'encoder.layer.0.attention.self.query'
    >>> spoken("onnx::MatMul_123")
    ''
    """
    made_of = MADE_OF.fullmatch(tensor)
    name = made_of[1] if made_of else tensor
    is_silent = any(re.fullmatch(pattern, name) for pattern in SILENT)
    return "" if is_silent else END.sub("", name, count=1)


def module_of(node: onnx.NodeProto) -> str:
    """The module that torch.onnx says an operator belongs to; empty if it says none.

    Exported programs note it; exported TorchScripts name operators so: ``/encoder/fc/MatMul_1``.
    """
    import onnx

    noted = (entry.value for entry in node.metadata_props if entry.key == SCOPES)
    scopes = re.findall(r"'([^']*)'", next(noted, ""))
    if scopes:
        return "".join(scopes[-2:-1])
    start, *parts = node.name.split("/")
    if start or not parts:
        return ""
    ends = [at for at, part in enumerate(parts) if onnx.defs.has(part.partition("_")[0])]
    return ".".join(parts[: ends[0]]) if ends else ""
