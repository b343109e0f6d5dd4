//===- PLMDialect.td - The plm dialect -------------------*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DIALECT_PLM_PLMDIALECT_TD
#define PLMC_DIALECT_PLM_PLMDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def PLM_Dialect : Dialect {
  let name = "plm";
  let summary = "What a BERT-family model computes, on tensors";
  let description = [{
    The `plm` dialect holds a model in the terms of the papers: embedding,
    linear, attention, layer normalisation, activation, pooling. What an
    importer could not name stays in the same function as *tensor operations*
    (`plm.matmul`, `plm.reshape`, `plm.binary`, ...) with ONNX semantics, so
    that nothing is dropped and everything still runs.

    Three conventions hold everywhere:

    * **Symbolic shapes.** A dynamic dimension carries its meaning in the type:
      `tensor<?x?x384xf32, #plm.dims<"batch", "sequence", "384">>`. Two
      dimensions with the same expression are equal; expressions are
      polynomials over the model's dimension names.
    * **Parameters are symbols.** `plm.parameter @name` owns the value (a blob
      that usually still lies in the mapped input file) and
      `plm.get_parameter @name` reads it. Sharing is two reads of one symbol.
    * **Padding is not computed.** Where a keep-mask says that a position is
      padding, token-level results at that position are unspecified inside the
      function and zero in its outputs. A row whose keys are all masked
      attends to nothing and gives 0, never NaN.
  }];
  let cppNamespace = "::plmc::plm";
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

class PLM_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<PLM_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def PLM_DimsAttr : PLM_Attr<"Dims", "dims"> {
  let summary = "Symbolic dimensions of a tensor type";
  let description = [{
    The encoding of a ranked tensor type that has dynamic dimensions: one
    expression a dimension, in the canonical spelling of `plmc::DimExpr`
    (`"batch"`, `"2*batch*sequence"`, `"384"`). Static dimensions are repeated
    here so that the list has the tensor's rank.
  }];
  let parameters = (ins ArrayRefParameter<"::mlir::StringAttr">:$exprs);
  let assemblyFormat = "`<` $exprs `>`";
}

class PLM_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::plmc::plm";
  let genSpecializedAttr = 0;
}
class PLM_EnumAttr<EnumInfo info, string mnem>
    : EnumAttr<PLM_Dialect, info, mnem> {
  let assemblyFormat = "`` $value"; // no second blank after the op's name
}

def PLM_UnaryKind : PLM_Enum<"UnaryKind", "Elementwise function of one operand", [
  I32EnumAttrCase<"Neg", 0, "neg">, I32EnumAttrCase<"Abs", 1, "abs">,
  I32EnumAttrCase<"Exp", 2, "exp">, I32EnumAttrCase<"Log", 3, "log">,
  I32EnumAttrCase<"Sqrt", 4, "sqrt">, I32EnumAttrCase<"Rsqrt", 5, "rsqrt">,
  I32EnumAttrCase<"Reciprocal", 6, "reciprocal">, I32EnumAttrCase<"Erf", 7, "erf">,
  I32EnumAttrCase<"Floor", 8, "floor">, I32EnumAttrCase<"Ceil", 9, "ceil">,
  I32EnumAttrCase<"Sin", 10, "sin">, I32EnumAttrCase<"Cos", 11, "cos">,
  I32EnumAttrCase<"Sign", 12, "sign">, I32EnumAttrCase<"Not", 13, "not">,
  I32EnumAttrCase<"IsNaN", 14, "isnan">, I32EnumAttrCase<"IsInf", 15, "isinf">,
  I32EnumAttrCase<"Round", 16, "round">, I32EnumAttrCase<"Softplus", 17, "softplus">]>;
def PLM_UnaryKindAttr : PLM_EnumAttr<PLM_UnaryKind, "unary_kind">;

def PLM_BinaryKind : PLM_Enum<"BinaryKind", "Elementwise function of two operands", [
  I32EnumAttrCase<"Add", 0, "add">, I32EnumAttrCase<"Sub", 1, "sub">,
  I32EnumAttrCase<"Mul", 2, "mul">, I32EnumAttrCase<"Div", 3, "div">,
  I32EnumAttrCase<"Pow", 4, "pow">, I32EnumAttrCase<"Min", 5, "min">,
  I32EnumAttrCase<"Max", 6, "max">, I32EnumAttrCase<"Mod", 7, "mod">,
  I32EnumAttrCase<"And", 8, "and">, I32EnumAttrCase<"Or", 9, "or">,
  I32EnumAttrCase<"Xor", 10, "xor">,
  I32EnumAttrCase<"Eq", 11, "eq">, I32EnumAttrCase<"Ne", 12, "ne">,
  I32EnumAttrCase<"Lt", 13, "lt">, I32EnumAttrCase<"Le", 14, "le">,
  I32EnumAttrCase<"Gt", 15, "gt">, I32EnumAttrCase<"Ge", 16, "ge">]>;
def PLM_BinaryKindAttr : PLM_EnumAttr<PLM_BinaryKind, "binary_kind">;

def PLM_ReduceKind : PLM_Enum<"ReduceKind", "Reduction over axes", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Mean", 1, "mean">,
  I32EnumAttrCase<"Max", 2, "max">, I32EnumAttrCase<"Min", 3, "min">,
  I32EnumAttrCase<"Prod", 4, "prod">, I32EnumAttrCase<"L1", 5, "l1">,
  I32EnumAttrCase<"L2", 6, "l2">, I32EnumAttrCase<"SumSquare", 7, "sum_square">]>;
def PLM_ReduceKindAttr : PLM_EnumAttr<PLM_ReduceKind, "reduce_kind">;

def PLM_ScatterKind : PLM_Enum<"ScatterKind", "How an update meets what is there", [
  I32EnumAttrCase<"Set", 0, "set">, I32EnumAttrCase<"Add", 1, "add">,
  I32EnumAttrCase<"Mul", 2, "mul">, I32EnumAttrCase<"Max", 3, "max">,
  I32EnumAttrCase<"Min", 4, "min">]>;
def PLM_ScatterKindAttr : PLM_EnumAttr<PLM_ScatterKind, "scatter_kind">;

def PLM_ActivationKind : PLM_Enum<"ActivationKind", "Activation function", [
  I32EnumAttrCase<"Gelu", 0, "gelu">, I32EnumAttrCase<"GeluTanh", 1, "gelu_tanh">,
  I32EnumAttrCase<"Relu", 2, "relu">, I32EnumAttrCase<"Silu", 3, "silu">,
  I32EnumAttrCase<"Tanh", 4, "tanh">, I32EnumAttrCase<"Sigmoid", 5, "sigmoid">]>;
def PLM_ActivationKindAttr : PLM_EnumAttr<PLM_ActivationKind, "activation_kind">;

def PLM_Precision : PLM_Enum<"Precision", "What a product is computed in", [
  I32EnumAttrCase<"F32", 0, "f32">, I32EnumAttrCase<"BF16", 1, "bf16">,
  I32EnumAttrCase<"Int8", 2, "int8">]>;
def PLM_PrecisionAttr : PLM_EnumAttr<PLM_Precision, "precision">;

def PLM_PoolKind : PLM_Enum<"PoolKind", "How a sequence becomes one vector", [
  I32EnumAttrCase<"First", 0, "first">, I32EnumAttrCase<"Mean", 1, "mean">,
  I32EnumAttrCase<"Max", 2, "max">]>;
def PLM_PoolKindAttr : PLM_EnumAttr<PLM_PoolKind, "pool_kind">;

#endif // PLMC_DIALECT_PLM_PLMDIALECT_TD
