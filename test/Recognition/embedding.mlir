// RUN: plmc-opt %s --plm-normalize --plm-recognize-embedding --plm-normalize | FileCheck %s

!i = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
!n = tensor<?x?xi32, #plm.dims<"batch", "sequence">>
!p1 = tensor<1x?xi64, #plm.dims<"1", "sequence">>
!p2 = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
!f = tensor<?xi64, #plm.dims<"sequence">>
!x = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
!x1 = tensor<1x?x4xf32, #plm.dims<"1", "sequence", "4">>
!v = tensor<8x4xf32>
plm.parameter @word = dense<1.0> : !v
plm.parameter @position = dense<1.0> : !v

// CHECK-LABEL: func @ids
// CHECK: %[[T:.*]] = plm.get_parameter @word
// CHECK: %[[C:.*]] = plm.cast %arg0
// CHECK: %[[E:.*]] = plm.embedding %[[C]], %[[T]]
// CHECK-NEXT: return %[[E]]
func.func @ids(%ids: !i) -> !x {
  %t = plm.get_parameter @word : !v
  %c = plm.cast %ids : (!i) -> !n
  %e = plm.gather %t, %c axis 0 : (!v, !n) -> !x
  return %e : !x
}

// Ids flattened for the lookup, rows shaped back.
// CHECK-LABEL: func @flattened_ids
// CHECK: %[[E:.*]] = plm.embedding %arg0
// CHECK-NEXT: return %[[E]]
func.func @flattened_ids(%ids: !i) -> !x {
  %t = plm.get_parameter @word : !v
  %c = plm.reshape %ids : (!i) -> tensor<?xi64, #plm.dims<"batch*sequence">>
  %e = plm.gather %t, %c axis 0 : (!v, tensor<?xi64, #plm.dims<"batch*sequence">>) -> tensor<?x4xf32, #plm.dims<"batch*sequence", "4">>
  %r = plm.reshape %e : (tensor<?x4xf32, #plm.dims<"batch*sequence", "4">>) -> !x
  return %r : !x
}

// A slice of a stored 0..7 and a range say the same.
// CHECK-LABEL: func @positions_stored
// CHECK: plm.constraint "8 - sequence"
// CHECK: %[[P:.*]] = plm.position_embedding %{{[0-9a-z]+}} : ({{.*}}) -> tensor<1x?x4xf32
// CHECK-NEXT: return %[[P]]
func.func @positions_stored() -> !x1 {
  %t = plm.get_parameter @position : !v
  %all = plm.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7]]> : tensor<1x8xi64> : tensor<1x8xi64>
  %s = plm.slice %all ["0", "0"] [1, 1] : (tensor<1x8xi64>) -> !p1
  %e = plm.gather %t, %s axis 0 : (!v, !p1) -> !x1
  return %e : !x1
}

// Offset 2, expanded over the batch, added: the sum broadcasts by itself.
// CHECK-LABEL: func @positions_offset
// CHECK: plm.constraint "6 - sequence"
// CHECK: %[[P:.*]] = plm.position_embedding %{{[0-9a-z]+}} {offset = 2 : i64}
// CHECK: %[[A:.*]] = plm.binary add %arg0, %[[P]]
// CHECK-NEXT: return %[[A]]
func.func @positions_offset(%x: !x) -> !x {
  %t = plm.get_parameter @position : !v
  %two = plm.constant dense<2> : tensor<i64> : tensor<i64>
  %r = plm.iota "0" step 1 : !f
  %o = plm.binary add %r, %two : (!f, tensor<i64>) -> !f
  %o1 = plm.reshape %o : (!f) -> !p1
  %o2 = plm.broadcast %o1 : (!p1) -> !p2
  %e = plm.gather %t, %o2 axis 0 : (!v, !p2) -> !x
  %a = plm.binary add %x, %e : (!x, !x) -> !x
  return %a : !x
}

// Token types that are all one number: that row of the table.
// CHECK-LABEL: func @token_types_constant
// CHECK: %[[S:.*]] = plm.slice %{{[0-9a-z]+}} ["1", "0"] [1, 1]
// CHECK: %[[R:.*]] = plm.reshape %[[S]]
// CHECK: plm.binary add %arg0, %[[R]]
func.func @token_types_constant(%x: !x) -> !x {
  %t = plm.get_parameter @word : !v
  %ones = plm.constant dense<1> : tensor<1x8xi64> : tensor<1x8xi64>
  %s = plm.slice %ones ["0", "0"] [1, 1] : (tensor<1x8xi64>) -> !p1
  %o2 = plm.broadcast %s : (!p1) -> !p2
  %e = plm.gather %t, %o2 axis 0 : (!v, !p2) -> !x
  %a = plm.binary add %x, %e : (!x, !x) -> !x
  return %a : !x
}

// Token types gathered from a buffer of zeros by position ids.
// CHECK-LABEL: func @token_types_gathered
// CHECK-NOT: plm.gather
// CHECK: plm.slice %{{[0-9a-z]+}} ["0", "0"] [1, 1]
// CHECK-NOT: plm.gather
func.func @token_types_gathered(%x: !x) -> !x {
  %t = plm.get_parameter @word : !v
  %zeros = plm.constant dense<0> : tensor<1x8xi64> : tensor<1x8xi64>
  %all = plm.constant dense<[[0, 1, 2, 3, 4, 5, 6, 7]]> : tensor<1x8xi64> : tensor<1x8xi64>
  %s = plm.slice %all ["0", "0"] [1, 1] : (tensor<1x8xi64>) -> !p1
  %z = plm.gather_elements %zeros, %s axis 1 : (tensor<1x8xi64>, !p1) -> !p1
  %o2 = plm.broadcast %z : (!p1) -> !p2
  %e = plm.gather %t, %o2 axis 0 : (!v, !p2) -> !x
  %a = plm.binary add %x, %e : (!x, !x) -> !x
  return %a : !x
}

// Computed ids that may be negative, and then count from the end.
// CHECK-LABEL: func @computed_ids
// CHECK-NOT: plm.embedding
// CHECK: plm.gather {{.*}} {plm.unrecognized = "the ids of this lookup are computed, and may be negative"}
func.func @computed_ids(%ids: !i) -> !x {
  %t = plm.get_parameter @word : !v
  %one = plm.constant dense<1> : tensor<i64> : tensor<i64>
  %c = plm.binary sub %ids, %one : (!i, tensor<i64>) -> !i
  %e = plm.gather %t, %c axis 0 : (!v, !i) -> !x
  return %e : !x
}

// Every second row is no position embedding of ours, and without an input no
// embedding either.
// CHECK-LABEL: func @strided_positions
// CHECK-NOT: plm.position_embedding
// CHECK: plm.gather
// CHECK-NOT: plm.unrecognized
func.func @strided_positions() -> tensor<?x4xf32, #plm.dims<"sequence", "4">> {
  %t = plm.get_parameter @position : !v
  %r = plm.iota "0" step 2 : !f
  %e = plm.gather %t, %r axis 0 : (!v, !f) -> tensor<?x4xf32, #plm.dims<"sequence", "4">>
  return %e : tensor<?x4xf32, #plm.dims<"sequence", "4">>
}

// -----

// Positions that are sliced off the table.
plm.parameter @table = dense<0.5> : tensor<16x4xf32>
// CHECK-LABEL: func.func @sliced_positions
// CHECK: plm.position_embedding %{{.*}} {offset = 2 : i64}
// CHECK-NOT: plm.slice
func.func @sliced_positions(%x: tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">> {
  plm.constraint "14 - s", "too long"
  %t = plm.get_parameter @table : tensor<16x4xf32>
  %r = plm.slice %t ["2", "0"] [1, 1] : (tensor<16x4xf32>) -> tensor<?x4xf32, #plm.dims<"s", "4">>
  %p = plm.reshape %r : (tensor<?x4xf32, #plm.dims<"s", "4">>) -> tensor<1x?x4xf32, #plm.dims<"1", "s", "4">>
  %y = plm.binary add %x, %p : (tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>, tensor<1x?x4xf32, #plm.dims<"1", "s", "4">>) -> tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
  return %y : tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
}
