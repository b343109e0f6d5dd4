// RUN: plmc-opt %s --plm-normalize --plm-recognize-embedding --plm-normalize | FileCheck %s

// Ids that are computed before the lookup.

!i = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
!n = tensor<?x?xi32, #plm.dims<"batch", "sequence">>
!b = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!x = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
!i3 = tensor<?x?x1xi64, #plm.dims<"batch", "sequence", "1">>
!b3 = tensor<?x?x8xi1, #plm.dims<"batch", "sequence", "8">>
!f3 = tensor<?x?x8xf32, #plm.dims<"batch", "sequence", "8">>
!v = tensor<8x4xf32>
!s = tensor<i64>
plm.parameter @table = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0],
  [8.0, 9.0, 10.0, 11.0], [12.0, 13.0, 14.0, 15.0], [16.0, 17.0, 18.0, 19.0],
  [20.0, 21.0, 22.0, 23.0], [24.0, 25.0, 26.0, 27.0], [28.0, 29.0, 30.0, 31.0]]> : !v

// RoBERTa: positions of the tokens that are no padding, from 1 + padding id on.
// CHECK-LABEL: func @counts_tokens
// CHECK: %[[P:.*]] = plm.binary add
// CHECK: plm.embedding %[[P]]
// CHECK-NOT: plm.gather
func.func @counts_tokens(%ids: !i) -> !x {
  %t = plm.get_parameter @table : !v
  %pad = plm.constant dense<1> : !s : !s
  %e = plm.binary eq %ids, %pad : (!i, !s) -> !b
  %k = plm.unary not %e : (!b) -> !b
  %m = plm.cast %k : (!b) -> !n
  %c = plm.cumsum %m axis 1 : (!n) -> !n
  %cm = plm.binary mul %c, %m : (!n, !n) -> !n
  %l = plm.cast %cm : (!n) -> !i
  %p = plm.binary add %l, %pad : (!i, !s) -> !i
  %r = plm.gather %t, %p axis 0 : (!v, !i) -> !x
  return %r : !x
}

// The same by the mask, and minus 1 where no position is below: 0 + 1 - 1.
// CHECK-LABEL: func @counts_mask
// CHECK: plm.embedding
// CHECK-NOT: plm.gather
func.func @counts_mask(%mask: !i) -> !x {
  %t = plm.get_parameter @table : !v
  %one = plm.constant dense<1> : !s : !s
  %c = plm.cumsum %mask axis 1 : (!i) -> !i
  %p = plm.binary add %c, %one : (!i, !s) -> !i
  %q = plm.binary sub %p, %one : (!i, !s) -> !i
  %r = plm.gather %t, %q axis 0 : (!v, !i) -> !x
  return %r : !x
}

// cumsum(mask) - 1 is -1 for padding on the left.
// CHECK-LABEL: func @counts_from_minus_one
// CHECK-NOT: plm.embedding
// CHECK: plm.gather {{.*}}may be negative
func.func @counts_from_minus_one(%mask: !i) -> !x {
  %t = plm.get_parameter @table : !v
  %one = plm.constant dense<1> : !s : !s
  %c = plm.cumsum %mask axis 1 : (!i) -> !i
  %p = plm.binary sub %c, %one : (!i, !s) -> !i
  %r = plm.gather %t, %p axis 0 : (!v, !i) -> !x
  return %r : !x
}

// CHECK-LABEL: func @clipped
// CHECK: %[[C:.*]] = plm.binary min
// CHECK: plm.embedding %[[C]]
func.func @clipped(%ids: !i) -> !x {
  %t = plm.get_parameter @table : !v
  %zero = plm.constant dense<0> : !s : !s
  %last = plm.constant dense<7> : !s : !s
  %a = plm.binary max %ids, %zero : (!i, !s) -> !i
  %c = plm.binary min %a, %last : (!i, !s) -> !i
  %r = plm.gather %t, %c axis 0 : (!v, !i) -> !x
  return %r : !x
}

// Negative ids wrapped by hand: an embedding refuses them.
// CHECK-LABEL: func @wrapped
// CHECK: plm.embedding %arg0
// CHECK-NOT: plm.select
func.func @wrapped(%ids: !i) -> !x {
  %t = plm.get_parameter @table : !v
  %zero = plm.constant dense<0> : !s : !s
  %rows = plm.constant dense<8> : !s : !s
  %n = plm.binary lt %ids, %zero : (!i, !s) -> !b
  %w = plm.binary add %ids, %rows : (!i, !s) -> !i
  %c = plm.select %n, %w, %ids : (!b, !i, !i) -> !i
  %r = plm.gather %t, %c axis 0 : (!v, !i) -> !x
  return %r : !x
}

// Here the wrapping is needed.
// CHECK-LABEL: func @wrapped_differences
// CHECK: plm.select
// CHECK: plm.gather
func.func @wrapped_differences(%ids: !i, %other: !i) -> !x {
  %t = plm.get_parameter @table : !v
  %zero = plm.constant dense<0> : !s : !s
  %rows = plm.constant dense<8> : !s : !s
  %d = plm.binary sub %ids, %other : (!i, !i) -> !i
  %n = plm.binary lt %d, %zero : (!i, !s) -> !b
  %w = plm.binary add %d, %rows : (!i, !s) -> !i
  %c = plm.select %n, %w, %d : (!b, !i, !i) -> !i
  %r = plm.gather %t, %c axis 0 : (!v, !i) -> !x
  return %r : !x
}

// TensorFlow: OneHot times the table.
// CHECK-LABEL: func @one_hot
// CHECK: plm.embedding %arg0
// CHECK-NOT: plm.matmul
func.func @one_hot(%ids: !i) -> !x {
  %t = plm.get_parameter @table : !v
  %one = plm.constant dense<1.0> : tensor<f32> : tensor<f32>
  %zero = plm.constant dense<0.0> : tensor<f32> : tensor<f32>
  %i = plm.reshape %ids : (!i) -> !i3
  %k = plm.iota "0" step 1 : tensor<8xi64>
  %h = plm.binary eq %k, %i : (tensor<8xi64>, !i3) -> !b3
  %f = plm.select %h, %one, %zero : (!b3, tensor<f32>, tensor<f32>) -> !f3
  %r = plm.matmul %f, %t : (!f3, !v) -> !x
  return %r : !x
}

// Compared with 1, 2, ...: the rows are shifted.
// CHECK-LABEL: func @one_hot_shifted
// CHECK-NOT: plm.embedding
// CHECK: plm.matmul
func.func @one_hot_shifted(%ids: !i) -> !x {
  %t = plm.get_parameter @table : !v
  %i = plm.reshape %ids : (!i) -> !i3
  %k = plm.iota "1" step 1 : tensor<8xi64>
  %h = plm.binary eq %i, %k : (!i3, tensor<8xi64>) -> !b3
  %f = plm.cast %h : (!b3) -> !f3
  %r = plm.matmul %f, %t : (!f3, !v) -> !x
  return %r : !x
}

// Buckets of relative positions: a lookup that no input has a part in.
// CHECK-LABEL: func @buckets
// CHECK-NOT: plm.embedding
// CHECK-NOT: plm.unrecognized
// CHECK: return
!r = tensor<?x?xi64, #plm.dims<"sequence", "sequence">>
!rx = tensor<?x?x4xf32, #plm.dims<"sequence", "sequence", "4">>
func.func @buckets(%x: !x) -> !rx {
  %t = plm.get_parameter @table : !v
  %seven = plm.constant dense<7> : !s : !s
  %i = plm.iota "0" step 1 : tensor<?xi64, #plm.dims<"sequence">>
  %a = plm.reshape %i : (tensor<?xi64, #plm.dims<"sequence">>) -> tensor<?x1xi64, #plm.dims<"sequence", "1">>
  %b = plm.reshape %i : (tensor<?xi64, #plm.dims<"sequence">>) -> tensor<1x?xi64, #plm.dims<"1", "sequence">>
  %d = plm.binary sub %a, %b : (tensor<?x1xi64, #plm.dims<"sequence", "1">>, tensor<1x?xi64, #plm.dims<"1", "sequence">>) -> !r
  %e = plm.unary abs %d : (!r) -> !r
  %c = plm.binary min %e, %seven : (!r, !s) -> !r
  %r = plm.gather %t, %c axis 0 : (!v, !r) -> !rx
  return %r : !rx
}
