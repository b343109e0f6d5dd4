//===- PLKOps.td - Operations of the kernel-level dialect -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DIALECT_PLK_PLKOPS_TD
#define PLMC_DIALECT_PLK_PLKOPS_TD

include "plmc/Dialect/PLK/PLKDialect.td"
include "plmc/Dialect/PLM/PLMDialect.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class PLK_Op<string mnemonic, list<Trait> traits = []>
    : Op<PLK_Dialect, mnemonic, traits>;
class PLK_PureOp<string mnemonic, list<Trait> traits = []>
    : PLK_Op<mnemonic, !listconcat(traits, [Pure])>;

def PLK_WeightOp : PLK_Op<"weight", [Symbol]> {
  let summary = "A constant of the weight section, and its layout";
  let description = [{
    Concatenates its sources (plm.parameter symbols) along the columns. Without
    `panel` the values lie row major as they are; with `panel = W` a [K, N]
    matrix is stored as [ceil(N / W)][K][W], the last panel padded with zeros:
    the register tile then reads its W columns of one row of K from one place.
    `transposed` sources are [N, K] and are turned while they are packed.

    With `quantized`, the type of the sources (i8 or ui8), the values stay 8-bit
    in the section and stand for (value - zero_point) * scale. Both are other
    weights, f32 vectors: one number for each row (`axis` = 0), for each column
    (`axis` = 1, which panels need) or for all (no `axis`). Without `zero_point`
    it is 0. A table with `bits` of 2 to 4 holds codes, v + 2^(bits-1); its
    `scale` has one number for each `block` of each row, one a row without `block`.
    128 / p codes of p bits, neighbours in a row, lie in 16 bytes, number i in byte
    i % 16, bits p (i / 16) on. Rows of 3 bits have the low two of all codes so, and
    behind them the third.

    With `precision` the panels are operands of dot products: k values that lie
    side by side in K are a pack of w words of 32 bits,
    [ceil(N / W)][ceil(K / k)][w][W], padded with zeros. `bf16`: 2 values in a
    word, rounded from f32. `int8`: codes of `bits` bits, value - least value (i8:
    -2^(bits-1), ui8: 0); value i is in byte i % 4 of

        bits   k   w   value i
        8      4   1   all of the byte
        4      8   1   bits 4 (i / 4) on
        3     32   3   low two: as with 2 bits, in word i / 16; the third: bit i / 4
                       of the byte of word 2
        2     16   1   bits 2 (i / 4) on

    Their `scale` is a weight in panels too, [ceil(K / block) + 1, N]: the scales
    of each block (one without `block`), then the sums of the columns, scaled. The
    scales are divided by 2^(4 - bits) for symmetric i8 of fewer than 4 bits. If
    it has the precision bf16, which its scales have to be exactly, the sums are
    three rows, of a high, a middle and a low part. `zero_point` are values like
    the sources', [ceil(K / block), N] in panels.

    With `codebooks`, a weight [M, C, D], a table of `ui8` [V, M] holds codes:
    number m of a row stands for entry [m, code], D columns. Codebooks in i8 have
    a `scale` for each of the M * D columns. With `map`, a weight of `ui16` or
    `i32`, row i of a table is the row `map[i]` of what is stored. Codes and
    maps have been checked.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ArrayAttr:$sources,
                       DenseI64ArrayAttr:$shape, OptionalAttr<I64Attr>:$panel,
                       DenseBoolArrayAttr:$transposed,
                       OptionalAttr<TypeAttr>:$quantized,
                       OptionalAttr<FlatSymbolRefAttr>:$scale,
                       OptionalAttr<FlatSymbolRefAttr>:$zero_point,
                       OptionalAttr<I64Attr>:$axis,
                       OptionalAttr<PLM_PrecisionAttr>:$precision,
                       DefaultValuedAttr<I64Attr, "8">:$bits,
                       OptionalAttr<I64Attr>:$block,
                       OptionalAttr<FlatSymbolRefAttr>:$codebooks,
                       OptionalAttr<FlatSymbolRefAttr>:$map);
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::ArrayAttr":$sources,
      "::llvm::ArrayRef<int64_t>":$shape, "::mlir::IntegerAttr":$panel,
      "::llvm::ArrayRef<bool>":$transposed), [{
    build($_builder, $_state, name, sources, shape, panel, transposed, /*quantized=*/nullptr,
          /*scale=*/nullptr, /*zero_point=*/nullptr, /*axis=*/nullptr,
          /*precision=*/::plmc::plm::PrecisionAttr(), 8, /*block=*/nullptr,
          /*codebooks=*/nullptr, /*map=*/nullptr);
  }]>];
  let extraClassDeclaration = [{
    /// Bytes of all values in the section.
    int64_t getStoredBytes();
    /// Values of K that are stored together, and their words: 1 and 0 unless
    /// there is a `precision`.
    int64_t getPackSize();
    int64_t getPackWords();
  }];
  let assemblyFormat = "$sym_name $sources $shape (`panel` $panel^)? `transposed` $transposed (`quantized` $quantized^)? (`scale` $scale^)? (`zero_point` $zero_point^)? (`axis` $axis^)? (`precision` $precision^)? (`block` $block^)? (`codebooks` $codebooks^)? (`map` $map^)? attr-dict";
}

def PLK_EmbedOp : PLK_PureOp<"embed"> {
  let summary = "Sum of table rows for every packed row, optionally normalised";
  let description = [{
    Row r of the result is the sum over i of `tables[i][ids_i[source(r)]]`, plus
    `position[offset + source(r) % sequence]`, normalised if `gamma` is there.
    The ids are unpacked [batch, sequence] tensors.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$ids, ArrayAttr:$tables,
                       OptionalAttr<FlatSymbolRefAttr>:$position,
                       DefaultValuedAttr<I64Attr, "0">:$offset,
                       OptionalAttr<FlatSymbolRefAttr>:$gamma,
                       OptionalAttr<FlatSymbolRefAttr>:$beta,
                       DefaultValuedAttr<F64Attr, "0.0">:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::ValueRange":$ids,
      "::mlir::ArrayRef<::mlir::Attribute>":$tables,
      "::mlir::FlatSymbolRefAttr":$position, "int64_t":$offset), [{
    build($_builder, $_state, result, ids, $_builder.getArrayAttr(tables), position,
          $_builder.getI64IntegerAttr(offset), /*gamma=*/nullptr, /*beta=*/nullptr,
          $_builder.getF64FloatAttr(0.0));
  }]>];
  let assemblyFormat = "$ids `tables` $tables (`position` $position^)? (`norm` $gamma^)? (`beta` $beta^)? attr-dict `:` functional-type(operands, results)";
}

def PLK_LinearOp : PLK_PureOp<"linear"> {
  let summary = "Product with a packed weight, and its epilogue";
  let description = [{
    result = norm(activation(input W + bias) + residual), each part optional.
    Rows are the product of all dimensions but the last. If the weight has a
    `precision` the input comes from `plk.encode_rows`.
  }];
  let arguments = (ins AnyRankedTensor:$input, Optional<AnyRankedTensor>:$residual,
                       FlatSymbolRefAttr:$weight, OptionalAttr<FlatSymbolRefAttr>:$bias,
                       OptionalAttr<PLM_ActivationKindAttr>:$activation,
                       OptionalAttr<FlatSymbolRefAttr>:$gamma,
                       OptionalAttr<FlatSymbolRefAttr>:$beta,
                       DefaultValuedAttr<F64Attr, "0.0">:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$input,
      "::mlir::FlatSymbolRefAttr":$weight, "::mlir::FlatSymbolRefAttr":$bias), [{
    build($_builder, $_state, result, input, /*residual=*/nullptr, weight, bias,
          /*activation=*/nullptr, /*gamma=*/nullptr, /*beta=*/nullptr,
          $_builder.getF64FloatAttr(0.0));
  }]>];
  let assemblyFormat = "$input `,` $weight (`bias` $bias^)? (`activation` $activation^)? (`residual` $residual^)? (`norm` $gamma^)? (`beta` $beta^)? attr-dict `:` functional-type(operands, results)";
}

def PLK_EncodeRowsOp : PLK_PureOp<"encode_rows", [AttrSizedOperandSegments]> {
  let summary = "Rows as the operand of dot products in bf16 or int8";
  let description = [{
    One row of bytes for every row of the input, in the form that the target's
    dot product reads (lib/CodeGen/Kernels/DotProduct.h); large enough for every
    target. `int8`: the row's scale and shift, the sum of its codes in each
    `block`, the codes, as `plm.linear` defines them. `bf16`: the rounded values.

    With a `scale` (one f32, `int8` only) the codes are those of `plm.quantize`
    with this scale and `zero_point` (one i8 or ui8): a model that came quantized.
  }];
  let arguments = (ins AnyRankedTensor:$input, PLM_PrecisionAttr:$precision,
                       OptionalAttr<I64Attr>:$block,
                       Optional<AnyRankedTensor>:$scale,
                       Optional<AnyRankedTensor>:$zero_point);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input $precision (`block` $block^)? (`scale` $scale^)? (`zero_point` $zero_point^)? attr-dict `:` functional-type(operands, results)";
}

def PLK_AttentionOp : PLK_PureOp<"attention"> {
  let summary = "Ragged attention over packed rows";
  let description = [{
    Every sequence attends to its own key rows, which come first among its rows;
    so no mask is read and no work is done for padding. With `all_keys` every
    row is a key. Query, key and value may be one buffer: the offsets name their
    first column in it. `bias` is as in `plm.attention`, unpacked; so is
    `precision`.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key, AnyRankedTensor:$value,
                       Optional<AnyRankedTensor>:$bias, UnitAttr:$all_keys,
                       I64Attr:$query_offset, I64Attr:$key_offset, I64Attr:$value_offset,
                       I64Attr:$num_heads, I64Attr:$head_size, I64Attr:$value_size,
                       F64Attr:$scale, OptionalAttr<PLM_PrecisionAttr>:$precision);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$query `,` $key `,` $value (`bias` $bias^)? (`all_keys` $all_keys^)? (`precision` $precision^)? attr-dict `:` functional-type(operands, results)";
}

def PLK_NormOp : PLK_PureOp<"norm"> {
  let summary = "Layer normalisation of rows";
  let arguments = (ins AnyRankedTensor:$input, FlatSymbolRefAttr:$gamma,
                       OptionalAttr<FlatSymbolRefAttr>:$beta, F64Attr:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input `,` $gamma (`beta` $beta^)? attr-dict `:` functional-type(operands, results)";
}

def PLK_PoolOp : PLK_PureOp<"pool"> {
  let summary = "One vector a sequence, from its packed rows";
  let description = [{
    `first` reads position 0; `mean` and `max` run over the key rows, or over
    every row with `all_rows`.
  }];
  let arguments = (ins PLM_PoolKindAttr:$kind, AnyRankedTensor:$input,
                       UnitAttr:$all_rows, F64Attr:$epsilon);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$kind $input (`all_rows` $all_rows^)? attr-dict `:` functional-type(operands, results)";
}

def PLK_KeepMaskOp : PLK_Op<"keep_mask"> {
  let summary = "The keep mask, computed by the operations before this one";
  let description = [{
    `keep`, of type i1, has the elements of the mask [batch, sequence] in their
    order. What stands before this op runs before the rows are packed and reads
    none of them. Without this op the mask is an input (`plk.mask_input`), or
    every position is kept.
  }];
  let arguments = (ins AnyRankedTensor:$keep);
  let assemblyFormat = "$keep attr-dict `:` type($keep)";
}

def PLK_PackOp : PLK_PureOp<"pack"> {
  let summary = "[batch, sequence, ...] to [tokens, ...]: keeps the live rows";
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

def PLK_UnpackOp : PLK_PureOp<"unpack"> {
  let summary = "[tokens, ...] to [batch, sequence, ...]: other positions are 0";
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
}

#endif // PLMC_DIALECT_PLK_PLKOPS_TD
