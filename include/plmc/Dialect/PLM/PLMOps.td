//===- PLMOps.td - Operations of the plm dialect ---------*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DIALECT_PLM_PLMOPS_TD
#define PLMC_DIALECT_PLM_PLMOPS_TD

include "plmc/Dialect/PLM/PLMDialect.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class PLM_Op<string mnemonic, list<Trait> traits = []>
    : Op<PLM_Dialect, mnemonic, traits>;

/// An op without side effects: CSE and dead-code elimination apply.
class PLM_PureOp<string mnemonic, list<Trait> traits = []>
    : PLM_Op<mnemonic, !listconcat(traits, [Pure])>;

//===----------------------------------------------------------------------===//
// Parameters, constants, shapes
//===----------------------------------------------------------------------===//

def PLM_ParameterOp : PLM_Op<"parameter", [Symbol]> {
  let summary = "A named weight of the model";
  let description = [{
    Owns the value of one weight. The value is usually a `dense_resource` whose
    blob lies in the mapped input file, unaligned: copy out of it, never cast.

    ```mlir
    plm.parameter @encoder.0.query.weight : tensor<384x384xf32> = dense_resource<w0>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ElementsAttr:$value);
  let assemblyFormat = "$sym_name attr-dict `=` $value";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType();
    /// The bytes of the value, row major, little endian; nullopt when the
    /// resource has no blob (an IR file printed with elided weights).
    std::optional<::llvm::ArrayRef<char>> getBytes();
  }];
}

def PLM_GetParameterOp : PLM_PureOp<"get_parameter", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Read a parameter";
  let arguments = (ins FlatSymbolRefAttr:$parameter);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$parameter attr-dict `:` type($result)";
}

def PLM_ConstantOp : PLM_PureOp<"constant", [ConstantLike]> {
  let summary = "A small constant tensor";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$value attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def PLM_ShapeValueOp : PLM_PureOp<"shape_value"> {
  let summary = "Dimension expressions as integer data";
  let description = [{
    Where a graph uses a shape as data (`Shape` feeding arithmetic or an
    output), the expressions become a tensor of rank 0 or 1.

    ```mlir
    %0 = plm.shape_value ["batch", "sequence"] : tensor<2xi64>
    ```
  }];
  let arguments = (ins StrArrayAttr:$exprs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$exprs attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def PLM_ConstraintOp : PLM_Op<"constraint"> {
  let summary = "What must hold of the dimensions at run time";
  let description = [{
    Requires `expr >= 0` (or `expr == 0` with `equal`), else the run is refused
    with `message`. Import adds one wherever a graph only makes sense under a
    condition, e.g. `"512 - sequence"` for a position table of 512 rows.
  }];
  let arguments = (ins StrAttr:$expr, UnitAttr:$equal, StrAttr:$message);
  let assemblyFormat = "(`equal` $equal^)? $expr `,` $message attr-dict";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Tensor operations (ONNX semantics)
//===----------------------------------------------------------------------===//

def PLM_UnaryOp : PLM_PureOp<"unary"> {
  let summary = "Elementwise function of one tensor";
  let arguments = (ins PLM_UnaryKindAttr:$kind, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_BinaryOp : PLM_PureOp<"binary"> {
  let summary = "Elementwise function of two tensors, with broadcasting";
  let description = [{
    Multidirectional (numpy) broadcasting; comparisons give `i1`. Integer `div`
    truncates; integer `mod` has the sign of the divisor, float `mod` (fmod)
    that of the dividend.
  }];
  let arguments = (ins PLM_BinaryKindAttr:$kind, AnyRankedTensor:$lhs, AnyRankedTensor:$rhs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_SelectOp : PLM_PureOp<"select"> {
  let summary = "Elementwise choice (ONNX Where), with broadcasting";
  let arguments = (ins AnyRankedTensor:$condition, AnyRankedTensor:$on_true, AnyRankedTensor:$on_false);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$condition `,` $on_true `,` $on_false attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_CastOp : PLM_PureOp<"cast"> {
  let summary = "Convert the element type (ONNX Cast)";
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def PLM_QuantizeOp : PLM_PureOp<"quantize"> {
  let summary = "Round to 8-bit integers (ONNX QuantizeLinear)";
  let description = [{
    `saturate(round_half_even(x / scale) + zero_point)`. `scale` (the input's
    type) and `zero_point` (the result's, `i8` or `ui8`; absent = 0) are scalars,
    or vectors along `axis` of the input.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$scale,
                       Optional<AnyRankedTensor>:$zero_point, DefaultValuedAttr<I64Attr, "0">:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `scale` $scale (`zero_point` $zero_point^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_DequantizeOp : PLM_PureOp<"dequantize"> {
  let summary = "(x - zero_point) * scale (ONNX DequantizeLinear)";
  let description = [{
    `x` is `i8`, `ui8` or `i32`; `zero_point` has its type (absent = 0), `scale`
    the result's; both are scalars, or vectors along `axis`. A dequantised
    parameter that is a weight of `plm.linear` or the table of `plm.embedding`
    stays 8-bit in the library.

    With `block_size` B every B neighbours along `axis` have a scale: `scale` has
    the shape of `x`, but ceil(size / B) along the axis; so has `zero_point`.
    `bits` promises that all values lie in [-2^(bits-1), 2^(bits-1)), as `ui8` in
    [0, 2^bits), so that a library can store them in so many bits.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$scale,
                       Optional<AnyRankedTensor>:$zero_point, DefaultValuedAttr<I64Attr, "0">:$axis,
                       DefaultValuedAttr<I64Attr, "0">:$block_size,
                       DefaultValuedAttr<I64Attr, "8">:$bits);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `scale` $scale (`zero_point` $zero_point^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_MatmulOp : PLM_PureOp<"matmul"> {
  let summary = "Batched matrix product with broadcast batch dimensions";
  let description = [{
    `[..., M, K] x [..., K, N] -> [..., M, N]`, both operands of rank >= 2
    (import reshapes vectors). A recognised product with a parameter is
    `plm.linear`.
  }];
  let arguments = (ins AnyRankedTensor:$lhs, AnyRankedTensor:$rhs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_TransposeOp : PLM_PureOp<"transpose"> {
  let summary = "Permute the dimensions: result dim i is input dim permutation[i]";
  let arguments = (ins DenseI64ArrayAttr:$permutation, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input $permutation attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def PLM_ReshapeOp : PLM_PureOp<"reshape"> {
  let summary = "Same elements, another shape: the result type says which";
  let description = [{
    Also what Squeeze, Unsqueeze and Flatten become. The target shape is in the
    result type, so no shape arithmetic is left in the graph.
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def PLM_BroadcastOp : PLM_PureOp<"broadcast"> {
  let summary = "Repeat along dimensions of size 1 (ONNX Expand)";
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def PLM_ConcatOp : PLM_PureOp<"concat"> {
  let summary = "Concatenate along an axis";
  let arguments = (ins I64Attr:$axis, Variadic<AnyRankedTensor>:$inputs);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_SliceOp : PLM_PureOp<"slice"> {
  let summary = "A strided window; sizes are in the result type";
  let description = [{
    `result[i...] = input[start + i * step...]`. Starts are dimension
    expressions (one per dimension), steps are non-zero constants.
  }];
  let arguments = (ins StrArrayAttr:$starts, DenseI64ArrayAttr:$steps, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input $starts $steps attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def PLM_GatherOp : PLM_PureOp<"gather"> {
  let summary = "Take slices along an axis by index (ONNX Gather)";
  let description = [{
    Result shape: data[:axis] ++ indices ++ data[axis+1:]. An index in
    [-n, n) is valid; any other refuses the run.
  }];
  let arguments = (ins I64Attr:$axis, AnyRankedTensor:$data, AnyRankedTensor:$indices);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$data `,` $indices `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_GatherElementsOp : PLM_PureOp<"gather_elements"> {
  let summary = "Take elements along an axis by index (ONNX GatherElements)";
  let arguments = (ins I64Attr:$axis, AnyRankedTensor:$data, AnyRankedTensor:$indices);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$data `,` $indices `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_GatherNDOp : PLM_PureOp<"gather_nd"> {
  let summary = "Take slices by index tuples (ONNX GatherND)";
  let description = [{
    indices: [batch_dims..., ..., K]; each tuple of K indexes data's dimensions
    batch_dims .. batch_dims+K-1. Result shape: indices[:-1] ++
    data[batch_dims+K:].
  }];
  let arguments = (ins I64Attr:$batch_dims, AnyRankedTensor:$data, AnyRankedTensor:$indices);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$data `,` $indices `batch_dims` $batch_dims attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_ScatterNDOp : PLM_PureOp<"scatter_nd"> {
  let summary = "Write slices by index tuples (ONNX ScatterND)";
  let description = [{
    A copy of `data` in which `updates` (indices[:-1] ++ data[K:]) are written,
    or combined (`add`, `mul`, `max`, `min`), at the K-tuples of `indices`. An
    index in [-n, n) is valid; any other refuses the run. Later updates of one
    place win.
  }];
  let arguments = (ins PLM_ScatterKindAttr:$kind, AnyRankedTensor:$data,
                       AnyRankedTensor:$indices, AnyRankedTensor:$updates);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $data `,` $indices `,` $updates attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_ScatterElementsOp : PLM_PureOp<"scatter_elements"> {
  let summary = "Write elements along an axis by index (ONNX ScatterElements)";
  let description = [{
    A copy of `data` in which updates[i...] is written, or combined, at the
    place i... with indices[i...] in place of dimension `axis`. Indices as in
    `plm.scatter_nd`.
  }];
  let arguments = (ins PLM_ScatterKindAttr:$kind, I64Attr:$axis, AnyRankedTensor:$data,
                       AnyRankedTensor:$indices, AnyRankedTensor:$updates);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $data `,` $indices `,` $updates `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_ArgReduceOp : PLM_PureOp<"arg_reduce"> {
  let summary = "Index of the largest or smallest element (ONNX ArgMax, ArgMin)";
  let description = [{
    `kind` is `max` or `min`; of equal elements the first counts, or the last
    with `last`. The result is i64.
  }];
  let arguments = (ins PLM_ReduceKindAttr:$kind, I64Attr:$axis, UnitAttr:$keepdims,
                       UnitAttr:$last, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input `axis` $axis (`keepdims` $keepdims^)? (`last` $last^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_ReduceOp : PLM_PureOp<"reduce"> {
  let summary = "Reduce over axes (non-negative, ascending)";
  let arguments = (ins PLM_ReduceKindAttr:$kind, DenseI64ArrayAttr:$axes, UnitAttr:$keepdims, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input $axes (`keepdims` $keepdims^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_SoftmaxOp : PLM_PureOp<"softmax"> {
  let summary = "exp(x - max) / sum along one axis";
  let description = [{
    ONNX semantics: a slice that is all -inf gives NaN.
  }];
  let arguments = (ins I64Attr:$axis, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `axis` $axis attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_IotaOp : PLM_PureOp<"iota"> {
  let summary = "start + step * i, rank 1 (ONNX Range over dimensions)";
  let arguments = (ins StrAttr:$start, I64Attr:$step);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$start `step` $step attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def PLM_CumSumOp : PLM_PureOp<"cumsum"> {
  let summary = "Running sum along an axis";
  let arguments = (ins I64Attr:$axis, UnitAttr:$exclusive, UnitAttr:$reverse, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `axis` $axis (`exclusive` $exclusive^)? (`reverse` $reverse^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_CodebookLookupOp : PLM_PureOp<"codebook_lookup"> {
  let summary = "Vectors put together from codebooks (product quantization)";
  let description = [{
    `codes [..., M]`, of type `ui8`, and `codebooks [M, C, D]` of floats, C up to
    256, give `[..., M * D]`:

        result[..., m * D + d] = codebooks[m, codes[..., m], d]

    so a row of M * D numbers is stored in M bytes (Jegou et al., *Product
    Quantization for Nearest Neighbor Search*, 2011). A code of C or more refuses
    the run. As the table of `plm.embedding` or `plm.position_embedding` the rows
    are put together as they are read; codebooks may be a `plm.dequantize` then.
  }];
  let arguments = (ins AnyRankedTensor:$codes, AnyRankedTensor:$codebooks);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$codes `,` $codebooks attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Transformer operations
//===----------------------------------------------------------------------===//

def PLM_EmbeddingOp : PLM_PureOp<"embedding"> {
  let summary = "Rows of a table by id";
  let description = [{
    `ids [...]` and `table [V, H]` give `[..., H]`. Unlike `plm.gather`, an id
    outside [0, V) refuses the run: a negative token id is a caller's mistake.

    The table need not be a parameter: below `plm.dequantize`,
    `plm.codebook_lookup` or `plm.gather` along axis 0 (many ids that point at
    the rows of a smaller table) it is stored as it is, and computed row by row.
  }];
  let arguments = (ins AnyRankedTensor:$ids, AnyRankedTensor:$table);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$ids `,` $table attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_PositionEmbeddingOp : PLM_PureOp<"position_embedding"> {
  let summary = "Rows offset .. offset+S-1 of a position table";
  let description = [{
    `table [P, H]` gives `[1, S, H]`; S comes from the result type. Import adds
    the `plm.constraint` that keeps offset + S <= P.
  }];
  let arguments = (ins AnyRankedTensor:$table, DefaultValuedAttr<I64Attr, "0">:$offset);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$table attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_LinearOp : PLM_PureOp<"linear"> {
  let summary = "x W + b over the last dimension";
  let description = [{
    `x [..., K]`, `weight [K, N]` (or `[N, K]` with `transposed`, as PyTorch
    stores it), `bias [N]` give `[..., N]`. `transposed` never moves data:
    code generation packs the weight from either order.

    `precision` says what the product is computed in, f32 without it:
    - `bf16`: input and weight are rounded to bfloat16, products are summed in
      f32.
    - `int8`: every row x of the input becomes 255 steps of its own range: with
      z = (max x + min x) / 2 and w = max x - min x its codes are q = round to
      even((x - z) 254 / w), which stand for q w / 254 + z. The weight is a
      `plm.dequantize` of an 8-bit parameter. Codes times integers, less the
      zero point if there is one, are summed exactly (within each block of the
      weight, if it has blocks) and scaled then. A row that is not finite gives
      NaN.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$weight,
                       Optional<AnyRankedTensor>:$bias, UnitAttr:$transposed,
                       OptionalAttr<PLM_PrecisionAttr>:$precision);
  let results = (outs AnyRankedTensor:$result);
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$input,
      "::mlir::Value":$weight, "::mlir::Value":$bias, "bool":$transposed), [{
    build($_builder, $_state, result, input, weight, bias,
          transposed ? $_builder.getUnitAttr() : ::mlir::UnitAttr(),
          /*precision=*/::plmc::plm::PrecisionAttr());
  }]>];
  let assemblyFormat = "$input `,` $weight (`bias` $bias^)? (`transposed` $transposed^)? (`precision` $precision^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_AttentionOp : PLM_PureOp<"attention", [AttrSizedOperandSegments]> {
  let summary = "Multi-head scaled dot-product attention";
  let description = [{
    `query [B, S, heads*D]`, `key [B, T, heads*D]`, `value [B, T, heads*Dv]`,
    head-major along the last dimension, give `[B, S, heads*Dv]`:

        softmax(scale * Q K^T + bias, over kept keys) V   (Vaswani et al., 2017)

    `mask` is a keep-mask `[B, T]` of integers, floats or booleans, non-zero =
    keep. `bias`, of the query's element type, is `[B, heads, S, T]` or 1 in
    place of any of them: relative positions, windows, visible matrices. It may
    hold -inf. A row without a kept key, or whose scores are all -inf, gives 0.
    With `mask_in_bias` the bias excludes whatever the mask excludes: the mask
    then changes nothing and only says which positions need no work.
    `num_heads` may differ from layer to layer, D from Dv.

    `precision bf16`: Q, K, V and the weights e^(score - greatest score of the
    row) are rounded to bfloat16, both products are summed in f32, and the result
    is divided by the sum of the weights before rounding. Scores stay f32.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value,
                       Optional<AnyRankedTensor>:$mask, Optional<AnyRankedTensor>:$bias,
                       I64Attr:$num_heads, F64Attr:$scale, UnitAttr:$mask_in_bias,
                       OptionalAttr<PLM_PrecisionAttr>:$precision);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$query `,` $key `,` $value (`mask` $mask^)? (`bias` $bias^)? (`precision` $precision^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_LayerNormOp : PLM_PureOp<"layer_norm"> {
  let summary = "(x - mean) / sqrt(var + epsilon) * gamma + beta, last dimension";
  let description = [{ Ba et al., 2016. Biased variance; `gamma`, `beta` are `[H]`. }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$gamma,
                       Optional<AnyRankedTensor>:$beta, F64Attr:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $gamma (`beta` $beta^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_ActivationOp : PLM_PureOp<"activation"> {
  let summary = "Activation function";
  let description = [{
    `gelu` is x Phi(x) by erf, `gelu_tanh` its tanh approximation (Hendrycks
    and Gimpel, 2016); they are not interchanged.
  }];
  let arguments = (ins PLM_ActivationKindAttr:$kind, AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_PoolOp : PLM_PureOp<"pool"> {
  let summary = "One vector a sequence";
  let description = [{
    `[B, S, H] -> [B, H]`: `first` takes position 0; `mean` is
    sum(x * keep) / max(sum(keep), epsilon); `max` the maximum over kept
    positions (-1e9 where none is kept, as sentence-transformers does). `mask` as in
    `plm.attention`; without it every position counts.
  }];
  let arguments = (ins PLM_PoolKindAttr:$kind, AnyRankedTensor:$input,
                       Optional<AnyRankedTensor>:$mask, DefaultValuedAttr<F64Attr, "1e-9">:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input (`mask` $mask^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def PLM_L2NormalizeOp : PLM_PureOp<"l2_normalize"> {
  let summary = "x / max(|x|_2, epsilon) over the last dimension";
  let arguments = (ins AnyRankedTensor:$input, DefaultValuedAttr<F64Attr, "1e-12">:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

#endif // PLMC_DIALECT_PLM_PLMOPS_TD
