"""Seeded damage to files: of any bytes, and of what a format is made of."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

import numpy as np
import onnx

Mutator = Callable[[Random, list[bytes]], bytes]

NUMBERS = (
    0, 1, 2, 3, 7, 64, 1000, -1, -2, 2**16, 2**20, 2**31 - 1, 2**31, 2**32, 2**40, 2**40 + 1,
    2**62, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 10**400,
)  # fmt: skip
TEXTS = (
    "", " ", "a", "0", "é", "\x1b[31mred", "x\ny", "\u2028", "\ud800", "a" * 600, "%s%n{0}",
    "../../x", "/etc/passwd", "\x00", "nan", "True", "[/b]", "float32", "dense",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0.5, -0.0, 1e308, float("inf"), float("nan"), [], {}, [[]], [1, 2], {"a": 1},
)  # fmt: skip
TOKENS = (
    b"\n", b"\r", b",", b'"', b"#", b"x", b"*", b"//", b"0", b"-1", b"1e999", b"NaN", b"Infinity",
    b"{", b"}", b"[", b"]", b"[" * 2000, b"{" * 300, b"(" * 150, b"\xff\xfe", b"\xef\xbb\xbf",
    b"\x00", b"\x1b[31m", b"\xe2\x80\xa8", b"\x85", b"null", b"true", b"1if 1 else 2", b"'\\d'",
    b"9" * 20, b"9" * 5000, b"2:4", b"5:4", b"# parameter: batch = 3\n", b"&a ", b"*a",
    b"!!python/", b"<<: *a\n", b"? ", b"- ", b": ", b"%YAML 1.1\n---\n", b"__import__('os')",
)  # fmt: skip


def number(random: Random) -> int:
    return random.choice(NUMBERS) if random.random() < 0.7 else random.randint(-3, 300)


def value(random: Random) -> Any:
    """A value of JSON that is seldom the right one."""
    kind = random.random()
    if kind < 0.4:
        return number(random)
    if kind < 0.65:
        return random.choice(TEXTS)
    return deepcopy(random.choice(VALUES))


def damaged(random: Random, seeds: list[bytes]) -> bytes:
    """One to six of: flips, cuts, blocks repeated or taken from another file, tokens."""
    data = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        size = len(data)
        at, length = random.randint(0, size), random.choice((1, 2, 4, 8, 64, 512))
        kind = random.randrange(8)
        if kind == 0 and size:
            data[min(at, size - 1)] ^= 1 << random.randrange(8)
        elif kind == 1 and size:
            data[min(at, size - 1)] = random.randrange(256)
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + length]
        elif kind == 4:
            block = data[at : at + length]
            data[at:at] = block * random.choice((1, 2, 50))
        elif kind == 5:
            other = random.choice(seeds)
            start = random.randint(0, len(other))
            data[at : at + length] = other[start : start + length]
        elif kind == 6:
            data[at:at] = random.choice(TOKENS)
        else:
            data[at : at + 8] = struct.pack("<q", random.choice(NUMBERS[:-6]))
    return bytes(data)


# JSON


def _places(tree: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    keys = tree.keys() if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        found.append((tree, key))
        if isinstance(tree[key], dict | list):
            _places(tree[key], found)
    return found


def changed_tree(random: Random, tree: Any) -> Any:
    """Values replaced, deleted, repeated, nested, moved or renamed."""
    for _ in range(random.choice((1, 1, 2, 4))):
        places = _places(tree, [])
        if not places:
            return value(random)
        where, key = random.choice(places)
        kind = random.randrange(8)
        if kind < 3:
            where[key] = value(random)
        elif kind == 3:
            del where[key]
        elif kind == 4 and isinstance(where, list):
            where[key:key] = [where[key]] * random.choice((1, 1, 40))
        elif kind == 5:
            for _ in range(random.choice((1, 3, 60, 400))):
                where[key] = [where[key]]
        elif kind == 6:
            there, other = random.choice(places)
            where[key] = deepcopy(there[other])
        elif isinstance(where, dict):
            where[random.choice((*TEXTS, *where))] = where[key]
    return tree


def changed_json(random: Random, seeds: list[bytes]) -> bytes:
    return _text(changed_tree(random, json.loads(random.choice(seeds))))


def _text(tree: Any) -> bytes:
    return json.dumps(tree).encode()


def changed_trace(random: Random, seeds: list[bytes]) -> bytes:
    """Changed as JSON, and now and then compressed, and damaged after that."""
    data = changed_json(random, seeds)
    if random.random() < 0.7:
        return data
    packed = gzip.compress(data, mtime=0)
    return damaged(random, [packed]) if random.random() < 0.5 else packed


# CSV and YAML


def changed_csv(random: Random, seeds: list[bytes]) -> bytes:
    """Cells and rows replaced, deleted, repeated and exchanged."""
    rows = [line.split(",") for line in random.choice(seeds).decode().splitlines()]
    for _ in range(random.choice((1, 1, 2, 5))):
        row = random.choice(rows)
        at, kind = random.randrange(len(row)), random.randrange(9)
        if kind < 3:
            row[at] = str(value(random))
        elif kind == 3:
            row[at] = random.choice(random.choice(rows))
        elif kind == 4:
            operator = random.choice(("+", "-", "*", "//", "**", "/", "x", "if", "<<", " ", "("))
            row[at] += operator + str(random.choice((*NUMBERS, "seq", "batch", "name")))
        elif kind == 5:
            row.insert(at, random.choice(TEXTS))
        elif kind == 6 and len(row) > 1:
            del row[at]
        elif kind == 7:
            rows.insert(random.randrange(len(rows)), list(row))
        else:
            row[at] = '"' + row[at].replace("\n", "") + random.choice(('"', '""', '"x', ""))
    end = random.choice(("\n", "\r\n", "\n\n"))
    return end.join(",".join(row) for row in rows).encode(errors="replace")


YAML_VALUES = (
    "~", "yes", "0o17", "0x1F", "1_000", "1e3", "1.5", ".nan", "-.inf", "2001-01-01", "12:30:45",
    "2:4",
    "[1, 2]", "{a: 1}", "&a 4", "*a", "!!bool x", "!!int ''", "!!python/object:os.system x", "'x",
    "|",
    ">", "!!binary x", "!!set {a}", "[" * 60, "{a: " * 60, "&a [*a]", "&a 1\n&a 2", "? a", "true",
    "00", "+1", "''", "\t1", "!x 4", "!!timestamp x", "!!omap [a]", "<<", "4 # x", "\u2028", "- 1",
    "!x [2]", "!!omap [a: 1, a: 1]", "{<<: {a: 1}}", "{<<: [*a]}", "{1: 2}",
)  # fmt: skip


def changed_yaml(random: Random, seeds: list[bytes]) -> bytes:
    """Values, keys and lines replaced, deleted, repeated and indented."""
    lines = random.choice(seeds).decode().splitlines()
    for _ in range(random.choice((1, 1, 2, 4))):
        at, kind = random.randrange(len(lines)), random.randrange(8)
        key, colon, _ = lines[at].partition(":")
        if kind < 4 and colon:
            other = (str(number(random)), str(value(random)), random.choice(YAML_VALUES))
            lines[at] = f"{key}: {random.choice(other)}"
        elif kind == 4 and len(lines) > 1:
            del lines[at]
        elif kind == 5:
            lines.insert(random.randrange(len(lines)), lines[at])
        elif kind == 6:
            lines[at] = random.choice((" ", "  ", "\t", "- ")) + lines[at]
        else:
            lines[at] = lines[at].replace(key.strip(), random.choice(TEXTS) or "x", 1)
    return "\n".join(lines).encode(errors="replace")


# ONNX


def changed_onnx(random: Random, seeds: list[bytes]) -> bytes:
    """Dimensions, attributes, names, edges, operators and functions changed."""
    model = onnx.ModelProto.FromString(random.choice(seeds))
    graph = model.graph
    for _ in range(random.choice((1, 1, 2, 4))):
        if not graph.node:
            break
        random.choice(_ONNX)(random, model, random.choice(graph.node))
    return model.SerializeToString()


def _int64(random: Random) -> int:
    return min(max(number(random), -(2**63)), 2**63 - 1)


def _name(random: Random, model: onnx.ModelProto) -> str:
    """Mostly a tensor of the graph; else a text that protobuf takes."""
    nodes = model.graph.node
    names = [n for node in (random.choice(nodes),) for n in (*node.input, *node.output)]
    if names and random.random() < 0.7:
        return random.choice(names)
    return random.choice(TEXTS).encode(errors="replace").decode()


def _dims(random: Random, model: onnx.ModelProto, _: onnx.NodeProto) -> None:
    if model.graph.initializer and random.random() < 0.6:
        dims = random.choice(model.graph.initializer).dims
        if dims and random.random() < 0.7:
            dims[random.randrange(len(dims))] = _int64(random)
        else:
            dims.append(_int64(random))
        return
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    if not values:
        return
    dims = random.choice(values).type.tensor_type.shape.dim
    if dims and random.random() < 0.7:
        dim = random.choice(dims)
        if random.random() < 0.3:
            dim.dim_param = _name(random, model)
        else:
            dim.dim_value = _int64(random)
    else:
        dims.add().dim_value = _int64(random)


def _attribute(random: Random, _: onnx.ModelProto, node: onnx.NodeProto) -> None:
    if not node.attribute or random.random() < 0.2:
        name = random.choice(
            ("group", "axis", "pads", "strides", "to", "perm", "value", "auto_pad")
        )
        node.attribute.add(name=name, type=random.randrange(15), i=_int64(random))
        return
    attribute = random.choice(node.attribute)
    kind = random.randrange(6)
    if kind == 0:
        attribute.i = _int64(random)
    elif kind == 1 and attribute.ints:
        attribute.ints[random.randrange(len(attribute.ints))] = _int64(random)
    elif kind == 2:
        attribute.ints.extend([_int64(random)] * random.choice((1, 2, 40)))
    elif kind == 3:
        attribute.type = random.randrange(15)
    elif kind == 4:
        attribute.s = random.choice(TEXTS).encode(errors="replace")
    else:
        node.attribute.remove(attribute)


def _edge(random: Random, model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    names = random.choice((node.input, node.input, node.output))
    kind = random.randrange(3)
    if not names or kind == 0:
        names.append(_name(random, model))
    elif kind == 1:
        names[random.randrange(len(names))] = _name(random, model)
    else:
        del names[random.randrange(len(names))]


OPERATORS = (
    "Conv", "ConvTranspose", "Gemm", "MatMul", "MatMulInteger", "QLinearConv", "QLinearMatMul",
    "Shape",
    "Reshape", "Concat", "Slice", "Gather", "ConstantOfShape", "Expand", "Range", "Tile", "Pad",
    "Where",
    "Loop", "If", "Scan", "LSTM", "Einsum", "Cast", "Transpose", "Squeeze", "Unsqueeze", "Split",
    "Add",
    "Max", "Div", "Mod", "Resize", "Identity", "Constant", "Twice", "Attention", "QuantizeLinear",
    "DequantizeLinear", "Softmax", "LayerNormalization", "ReduceMean", "MaxPool", "SequenceAt",
    "Optional", "StringSplit", "NonZero", "TopK", "OneHot", "EyeLike", "RandomNormal", "Bernoulli",
    "?", "\x1b[31m", "a\nb",
)  # fmt: skip


def _operator(random: Random, _: onnx.ModelProto, node: onnx.NodeProto) -> None:
    if random.random() < 0.8:
        node.op_type = random.choice(OPERATORS)
    else:
        node.domain = random.choice(("", "own", "com.microsoft", "ai.onnx.ml", "\x1b[31m"))


def _order(random: Random, model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    nodes, kind = model.graph.node, random.randrange(4)
    if kind == 0:
        nodes.append(node)
    elif kind == 1:
        other = onnx.NodeProto()
        other.CopyFrom(node)
        node.CopyFrom(random.choice(nodes))
        random.choice(nodes).CopyFrom(other)
    elif kind == 2 and len(nodes) > 1:
        del nodes[random.randrange(len(nodes))]
    else:
        node.name = _name(random, model)


def _function(random: Random, model: onnx.ModelProto, node: onnx.NodeProto) -> None:
    """Functions that call others, or themselves."""
    if not model.functions:
        function = model.functions.add(name=node.op_type, domain=node.domain)
        function.input.extend(node.input)
        function.output.extend(node.output)
    random.choice(model.functions).node.append(node)


def _values(random: Random, model: onnx.ModelProto, _: onnx.NodeProto) -> None:
    graph, kind = model.graph, random.randrange(6)
    if not graph.initializer:
        return
    tensor = random.choice(graph.initializer)
    if kind == 0:
        tensor.raw_data = random.randbytes(random.choice((0, 1, 8, 64)))
    elif kind == 1:
        tensor.data_type = random.choice((*range(25), 99, -1))
    elif kind == 2:
        tensor.int64_data.extend([_int64(random)] * random.choice((1, 2, 1000)))
    elif kind == 3:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=random.choice(TEXTS[:1] + TEXTS[11:13]))
    elif kind == 4:
        tensor.name = _name(random, model)
    else:
        graph.sparse_initializer.add().values.CopyFrom(tensor)


def _header(random: Random, model: onnx.ModelProto, _: onnx.NodeProto) -> None:
    kind = random.randrange(3)
    if kind == 0:
        model.ir_version = _int64(random)
    elif kind == 1 and model.opset_import:
        random.choice(model.opset_import).version = _int64(random)
    else:
        del model.opset_import[:]


_ONNX = (
    _dims, _dims, _attribute, _attribute, _edge, _edge, _operator, _operator, _order, _function,
    _values, _values, _header,
)  # fmt: skip


# Weights


def changed_safetensors(random: Random, seeds: list[bytes]) -> bytes:
    """The header as JSON; names, formats, shapes and offsets; and numbers that are none."""
    whole = random.choice(seeds)
    end = 8 + int.from_bytes(whole[:8], "little")
    header, data = json.loads(whole[8:end]), bytearray(whole[end:])
    kind = random.randrange(6)
    name = random.choice(list(header))
    if kind < 2:
        header = changed_tree(random, header)
    elif kind == 2:
        header[name]["dtype"] = random.choice(
            ("F32", "F16", "BF16", "I8", "BOOL", "F64", "F8_E5M2")
        )
    elif kind == 3:
        shape = [number(random) for _ in range(random.choice((0, 1, 2, 4, 33)))]
        header[name]["shape"] = random.choice((shape, [0, *shape]))
        if 0 in shape and random.random() < 0.5:
            begin = header[name]["data_offsets"][0]
            header[name]["data_offsets"] = [begin, begin]
    elif kind == 4:
        header[random.choice(TEXTS)] = header.pop(name)
    else:
        for _ in range(8):
            at = random.randrange(len(data))
            data[at : at + 4] = random.choice((b"\xff" * 4, b"\x00\x7c" * 2, b"\x00\x00\x80\x7f"))
    text = json.dumps(header).encode()
    length = len(text) if random.random() < 0.9 else random.choice((0, 7, 1000, 2**40, 2**63))
    return length.to_bytes(8, "little") + text + bytes(data)


DESCRIPTIONS = (
    "'<f4'", "'|O'", "'<U4'", "'>f2'", "'<c8'", "'|b1'", "'<M8[ns]'", "'(2,)f4'", "'f4,f4'", "','",
    "''", "[('a', '<f4')]", "[('a',)]", "{[]: 1}", "None", "1if 1 else 2", "'\\d'", "'|V4'",
    "'x' * 9",
    "(", "[[]]", "'<f4", "object", "__import__('os')", "'<f16'", "'f'", "'<i8'", "b'<f4'",
)  # fmt: skip
SHAPES = (
    "()", "(4,)", "(16, 64)", "(16L, 64L)", "(-1,)", "(-1, -1024)", "(0, 1180591620717411303424)",
    "4", "(4.0,)", "(True,)", "(2**40,)", "None", "(1099511627776, 1099511627776)", "[4]",
    "(" * 300, "{}",
    "(0, 4611686018427387904, 4611686018427387904)", "(" + "1, " * 70 + ")",
    "(0, " + "9" * 5000 + ")",
)  # fmt: skip


def changed_npz(random: Random, seeds: list[bytes]) -> bytes:
    """Array headers, members, and fields of the archive."""
    whole = random.choice(seeds)
    if random.random() < 0.3:
        return _changed_zip(random, bytearray(whole))
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(stream, "w") as new:
        chosen = random.choice(old.namelist())
        for name in old.namelist():
            data = old.read(name)
            if name == chosen:
                data = _changed_array(random, data)
            names = (name, name, name, "x", "a/../b.npy", "\x1b[31m.npy", "d/")
            called = random.choice(names) if name == chosen else name
            new.writestr(zipfile.ZipInfo(called), data, random.choice((0, 8)))
    return stream.getvalue()


def _changed_array(random: Random, data: bytes) -> bytes:
    length = int.from_bytes(data[8:10], "little")
    text, values = data[10 : 10 + length].decode(), data[10 + length :]
    kind = random.randrange(5)
    if kind < 2:
        description = random.choice(DESCRIPTIONS)
        order = random.choice(("True", "False", "False", "2", "None"))
        shape = random.choice(SHAPES)
        text = f"{{'descr': {description}, 'fortran_order': {order}, 'shape': {shape}, }}"
        values = values if random.random() < 0.5 else values[: random.choice((0, 1, 16))]
    elif kind == 2:
        text = damaged(random, [text.encode()]).decode(errors="replace")
    elif kind == 3:
        values = np.full(len(values) // 4, np.nan, np.float32).tobytes()
    else:
        values = damaged(random, [values])
    raw = text.encode("latin1", errors="replace")
    version = random.choice(((1, 0), (1, 0), (2, 0), (3, 0), (9, 9)))
    width = 2 if version == (1, 0) else 4
    claimed = random.choice((len(raw), len(raw), len(raw), 2**31, 0)) & (256**width - 1)
    return b"\x93NUMPY" + bytes(version) + claimed.to_bytes(width, "little") + raw + values


def _changed_zip(random: Random, whole: bytearray) -> bytes:
    """One field of a local header, of the directory or of its end."""
    parts = ((b"PK\x03\x04", 30), (b"PK\x01\x02", 46), (b"PK\x05\x06", 22))
    for _ in range(random.choice((1, 1, 3))):
        magic, size = random.choice(parts)
        starts = [i for i in range(len(whole) - 3) if whole[i : i + 4] == magic]
        if not starts:
            break
        at = random.choice(starts) + random.randrange(4, size, 2)
        field = random.choice((b"\x00\x00", b"\xff\xff", b"\x01\x00", b"\x0e\x00", b"\x08\x00"))
        whole[at : at + 2] = field
    return bytes(whole)
