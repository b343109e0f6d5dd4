// RUN: plmc-opt %s --plm-normalize | FileCheck %s

!x = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
!s = tensor<f32>
!a = tensor<?xi64, #plm.dims<"sequence">>
!b = tensor<?xi1, #plm.dims<"sequence">>
!m = tensor<?x?xi1, #plm.dims<"batch", "sequence">>

// CHECK-LABEL: func @folds_constants
// CHECK-NEXT: %[[C:.*]] = plm.constant dense<[2.000000e+00, 3.000000e+00]>
// CHECK-NEXT: return %[[C]]
func.func @folds_constants() -> tensor<2xf32> {
  %a = plm.constant dense<[4, 9]> : tensor<2xi64> : tensor<2xi64>
  %b = plm.cast %a : (tensor<2xi64>) -> tensor<2xf32>
  %c = plm.unary sqrt %b : (tensor<2xf32>) -> tensor<2xf32>
  return %c : tensor<2xf32>
}

// CHECK-LABEL: func @identities
// CHECK-NEXT: return %arg0
func.func @identities(%x: !x) -> !x {
  %zero = plm.constant dense<0.0> : !s : !s
  %one = plm.constant dense<1.0> : !s : !s
  %yes = plm.constant dense<true> : tensor<i1> : tensor<i1>
  %a = plm.binary add %zero, %x : (!s, !x) -> !x
  %b = plm.binary mul %a, %one : (!x, !s) -> !x
  %c = plm.binary div %b, %one : (!x, !s) -> !x
  %d = plm.select %yes, %c, %zero : (tensor<i1>, !x, !s) -> !x
  return %d : !x
}

// 0 - x and 1 / x are no identities.
// CHECK-LABEL: func @not_identities
// CHECK: plm.binary sub
// CHECK: plm.binary div
func.func @not_identities(%x: !x) -> !x {
  %zero = plm.constant dense<0.0> : !s : !s
  %one = plm.constant dense<1.0> : !s : !s
  %a = plm.binary sub %zero, %x : (!s, !x) -> !x
  %b = plm.binary div %one, %a : (!s, !x) -> !x
  return %b : !x
}

// CHECK-LABEL: func @positions_are_not_negative
// CHECK: %[[T:.*]] = plm.constant dense<true>
// CHECK: plm.broadcast %[[T]]
// CHECK-NOT: plm.binary
func.func @positions_are_not_negative() -> !b {
  %z = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %i = plm.iota "0" step 1 : !a
  %g = plm.binary ge %i, %z : (!a, tensor<i64>) -> !b
  return %g : !b
}

// Position 0 fails it, others do not: no single outcome.
// CHECK-LABEL: func @positions_undecided
// CHECK: plm.binary gt
func.func @positions_undecided() -> !b {
  %z = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %i = plm.iota "0" step 1 : !a
  %g = plm.binary gt %i, %z : (!a, tensor<i64>) -> !b
  return %g : !b
}

// CHECK-LABEL: func @bool_casts
// CHECK-NEXT: return %arg0
func.func @bool_casts(%m: !m) -> !m {
  %a = plm.cast %m : (!m) -> tensor<?x?xf32, #plm.dims<"batch", "sequence">>
  %b = plm.cast %a : (tensor<?x?xf32, #plm.dims<"batch", "sequence">>) -> !m
  %c = plm.unary not %b : (!m) -> !m
  %d = plm.unary not %c : (!m) -> !m
  return %d : !m
}

// Casting 2.7 to an integer and back loses something.
// CHECK-LABEL: func @lossy_casts
// CHECK-COUNT-2: plm.cast
func.func @lossy_casts(%x: !x) -> !x {
  %a = plm.cast %x : (!x) -> tensor<?x?x4xi64, #plm.dims<"batch", "sequence", "4">>
  %b = plm.cast %a : (tensor<?x?x4xi64, #plm.dims<"batch", "sequence", "4">>) -> !x
  return %b : !x
}

// There and back again over a detour.
// CHECK-LABEL: func @view_chain
// CHECK-NEXT: return %arg0
func.func @view_chain(%x: !x) -> !x {
  %a = plm.reshape %x : (!x) -> tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>
  %b = plm.transpose %a [0, 2, 1, 3] : (tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>) -> tensor<?x2x?x2xf32, #plm.dims<"batch", "2", "sequence", "2">>
  %c = plm.reshape %b : (tensor<?x2x?x2xf32, #plm.dims<"batch", "2", "sequence", "2">>) -> tensor<?x?x2xf32, #plm.dims<"2*batch", "sequence", "2">>
  %d = plm.reshape %c : (tensor<?x?x2xf32, #plm.dims<"2*batch", "sequence", "2">>) -> tensor<?x2x?x2xf32, #plm.dims<"batch", "2", "sequence", "2">>
  %e = plm.transpose %d [0, 2, 1, 3] : (tensor<?x2x?x2xf32, #plm.dims<"batch", "2", "sequence", "2">>) -> tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>
  %f = plm.reshape %e : (tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>) -> !x
  return %f : !x
}

// Swapped heads: looks alike, is not.
// CHECK-LABEL: func @view_chain_that_moves
// CHECK: plm.transpose
func.func @view_chain_that_moves(%x: !x) -> !x {
  %a = plm.reshape %x : (!x) -> tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>
  %b = plm.transpose %a [0, 1, 3, 2] : (tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>) -> tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>
  %c = plm.reshape %b : (tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>) -> !x
  return %c : !x
}

// The leading dimensions merged, around a softmax.
// CHECK-LABEL: func @softmax_of_merged
// CHECK-NEXT: %[[S:.*]] = plm.softmax %arg0 axis 3
// CHECK-NEXT: return %[[S]]
func.func @softmax_of_merged(%x: tensor<?x2x3x4xf32, #plm.dims<"batch", "2", "3", "4">>) -> tensor<?x2x3x4xf32, #plm.dims<"batch", "2", "3", "4">> {
  %a = plm.reshape %x : (tensor<?x2x3x4xf32, #plm.dims<"batch", "2", "3", "4">>) -> tensor<?x4xf32, #plm.dims<"6*batch", "4">>
  %b = plm.softmax %a axis 1 : (tensor<?x4xf32, #plm.dims<"6*batch", "4">>) -> tensor<?x4xf32, #plm.dims<"6*batch", "4">>
  %c = plm.reshape %b : (tensor<?x4xf32, #plm.dims<"6*batch", "4">>) -> tensor<?x2x3x4xf32, #plm.dims<"batch", "2", "3", "4">>
  return %c : tensor<?x2x3x4xf32, #plm.dims<"batch", "2", "3", "4">>
}

// Merged with the last dimension, or over another one: something else.
// CHECK-LABEL: func @softmax_of_others
// CHECK: plm.softmax %{{.*}} axis 0
// CHECK: plm.softmax %{{.*}} axis 1 {{.*}}tensor<2x12xf32>
func.func @softmax_of_others(%x: tensor<2x3x4xf32>) -> (tensor<2x3x4xf32>, tensor<2x3x4xf32>) {
  %a = plm.reshape %x : (tensor<2x3x4xf32>) -> tensor<6x4xf32>
  %b = plm.softmax %a axis 0 : (tensor<6x4xf32>) -> tensor<6x4xf32>
  %c = plm.reshape %b : (tensor<6x4xf32>) -> tensor<2x3x4xf32>
  %d = plm.reshape %x : (tensor<2x3x4xf32>) -> tensor<2x12xf32>
  %e = plm.softmax %d axis 1 : (tensor<2x12xf32>) -> tensor<2x12xf32>
  %f = plm.reshape %e : (tensor<2x12xf32>) -> tensor<2x3x4xf32>
  return %c, %f : tensor<2x3x4xf32>, tensor<2x3x4xf32>
}

// A transpose that only moves a dimension of size 1 is a reshape.
// CHECK-LABEL: func @unit_transpose
// CHECK-NOT: plm.transpose
// CHECK: plm.reshape
func.func @unit_transpose(%x: tensor<3x1x4xf32>) -> tensor<1x3x4xf32> {
  %a = plm.transpose %x [1, 0, 2] : (tensor<3x1x4xf32>) -> tensor<1x3x4xf32>
  return %a : tensor<1x3x4xf32>
}

// [M,1] x [1,N], as TensorFlow expands masks.
// CHECK-LABEL: func @outer_product
// CHECK-NOT: plm.matmul
// CHECK: plm.binary mul
!c = tensor<?x?x1xf32, #plm.dims<"batch", "sequence", "1">>
!r = tensor<?x1x?xf32, #plm.dims<"batch", "1", "sequence">>
!o = tensor<?x?x?xf32, #plm.dims<"batch", "sequence", "sequence">>
func.func @outer_product(%c: !c, %r: !r) -> !o {
  %a = plm.matmul %c, %r : (!c, !r) -> !o
  return %a : !o
}

// The views around a quantisation by one scale meet below it.
// CHECK-LABEL: func @views_of_quantized
// CHECK-SAME: (%[[X:.*]]: tensor<?x?x4xf32
// CHECK: plm.quantize %[[X]]
// CHECK: %[[D:.*]] = plm.dequantize
// CHECK: return %[[D]]
!heads = tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>
!split = tensor<?x2x?x2xf32, #plm.dims<"batch", "2", "sequence", "2">>
!codes = tensor<?x2x?x2xi8, #plm.dims<"batch", "2", "sequence", "2">>
func.func @views_of_quantized(%x: !x, %s: !s) -> !x {
  %a = plm.reshape %x : (!x) -> !heads
  %b = plm.transpose %a [0, 2, 1, 3] : (!heads) -> !split
  %q = plm.quantize %b scale %s : (!split, !s) -> !codes
  %d = plm.dequantize %q scale %s : (!codes, !s) -> !split
  %c = plm.transpose %d [0, 2, 1, 3] : (!split) -> !heads
  %y = plm.reshape %c : (!heads) -> !x
  return %y : !x
}
