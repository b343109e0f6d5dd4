// RUN: plmc-opt %s --plm-normalize --plm-recognize-linear --plm-normalize --plm-settle-parameters --cse | FileCheck %s

// Weights and biases that are stored in other shapes than [K, N] and [N].

!x = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
!y = tensor<?x?x6xf32, #plm.dims<"batch", "sequence", "6">>
!y4 = tensor<?x?x2x3xf32, #plm.dims<"batch", "sequence", "2", "3">>
!t4 = tensor<?x2x?x3xf32, #plm.dims<"batch", "2", "sequence", "3">>
plm.parameter @w3 = dense<[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [[-1.0, -2.0, -3.0], [-4.0, -5.0, -6.0]],
  [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], [[2.0, 2.5, 3.0], [3.5, 4.0, 4.5]]]> : tensor<4x2x3xf32>
plm.parameter @hdk = dense<[[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]],
  [[-1.0, -2.0, -3.0, -4.0], [-5.0, -6.0, -7.0, -8.0], [-9.0, -1.0, -2.0, -3.0]]]> : tensor<2x3x4xf32>
plm.parameter @b2 = dense<[[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]> : tensor<2x3xf32>
plm.parameter @bh = dense<[[[0.1, 0.2, 0.3]], [[0.4, 0.5, 0.6]]]> : tensor<2x1x3xf32>
plm.parameter @row = dense<[0.1, 0.2, 0.3]> : tensor<3xf32>
plm.parameter @one = dense<1.0> : tensor<1x4x6xf32>

// An einsum's weight [K, heads, d] and its bias [heads, d].
// CHECK-LABEL: func @einsum
// CHECK-DAG: %[[W:.*]] = plm.get_parameter @w3.view : tensor<4x6xf32>
// CHECK-DAG: %[[B:.*]] = plm.get_parameter @b2.view : tensor<6xf32>
// CHECK: %[[L:.*]] = plm.linear %arg0, %[[W]] bias %[[B]] :
// CHECK-NEXT: plm.reshape %[[L]]
// CHECK-NEXT: return
func.func @einsum(%x: !x) -> !y4 {
  %w = plm.get_parameter @w3 : tensor<4x2x3xf32>
  %b = plm.get_parameter @b2 : tensor<2x3xf32>
  %v = plm.reshape %w : (tensor<4x2x3xf32>) -> tensor<4x6xf32>
  %m = plm.matmul %x, %v : (!x, tensor<4x6xf32>) -> !y
  %r = plm.reshape %m : (!y) -> !y4
  %a = plm.binary add %r, %b : (!y4, tensor<2x3xf32>) -> !y4
  return %a : !y4
}

// [heads, d, K] needs a transpose; the bias behind the transpose to heads.
// CHECK-LABEL: func @heads_first
// CHECK: %[[L:.*]] = plm.linear %arg0, %{{.*}} bias %{{.*}} : ({{.*}}, tensor<4x6xf32>, tensor<6xf32>)
// CHECK-NOT: plm.binary
// CHECK: return
func.func @heads_first(%x: !x) -> !t4 {
  %w = plm.get_parameter @hdk : tensor<2x3x4xf32>
  %b = plm.get_parameter @bh : tensor<2x1x3xf32>
  %p = plm.transpose %w [2, 0, 1] : (tensor<2x3x4xf32>) -> tensor<4x2x3xf32>
  %v = plm.reshape %p : (tensor<4x2x3xf32>) -> tensor<4x6xf32>
  %m = plm.matmul %x, %v : (!x, tensor<4x6xf32>) -> !y
  %r = plm.reshape %m : (!y) -> !y4
  %t = plm.transpose %r [0, 2, 1, 3] : (!y4) -> !t4
  %a = plm.binary add %b, %t : (tensor<2x1x3xf32>, !t4) -> !t4
  return %a : !t4
}

// The same row for every head is no bias of the layer as it stands.
// CHECK-LABEL: func @row_per_head
// CHECK: plm.linear
// CHECK: plm.binary add
func.func @row_per_head(%x: !x) -> !y4 {
  %w = plm.get_parameter @w3 : tensor<4x2x3xf32>
  %b = plm.get_parameter @row : tensor<3xf32>
  %v = plm.reshape %w : (tensor<4x2x3xf32>) -> tensor<4x6xf32>
  %m = plm.matmul %x, %v : (!x, tensor<4x6xf32>) -> !y
  %r = plm.reshape %m : (!y) -> !y4
  %a = plm.binary add %r, %b : (!y4, tensor<3xf32>) -> !y4
  return %a : !y4
}

// CHECK-LABEL: func @leading_one
// CHECK: %[[W:.*]] = plm.get_parameter @one.view : tensor<4x6xf32>
// CHECK: plm.linear %arg0, %[[W]]
func.func @leading_one(%x: !x) -> !y {
  %w = plm.get_parameter @one : tensor<1x4x6xf32>
  %m = plm.matmul %x, %w : (!x, tensor<1x4x6xf32>) -> !y
  return %m : !y
}

// One matrix a sequence position: no linear layer.
// CHECK-LABEL: func @many_matrices
// CHECK-NOT: plm.linear
// CHECK: plm.matmul
!x2 = tensor<?x2x4xf32, #plm.dims<"batch", "2", "4">>
!y2 = tensor<2x?x3xf32, #plm.dims<"2", "batch", "3">>
!xt = tensor<2x?x4xf32, #plm.dims<"2", "batch", "4">>
func.func @many_matrices(%x: !xt) -> !y2 {
  %w = plm.get_parameter @hdk : tensor<2x3x4xf32>
  %t = plm.transpose %w [0, 2, 1] : (tensor<2x3x4xf32>) -> tensor<2x4x3xf32>
  %m = plm.matmul %x, %t : (!xt, tensor<2x4x3xf32>) -> !y2
  return %m : !y2
}
