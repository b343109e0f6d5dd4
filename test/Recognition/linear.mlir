// RUN: plmc-opt %s --plm-normalize --plm-recognize-linear --plm-normalize | FileCheck %s

!x = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
!y = tensor<?x?x6xf32, #plm.dims<"batch", "sequence", "6">>
!x2 = tensor<?x4xf32, #plm.dims<"batch*sequence", "4">>
!y2 = tensor<?x6xf32, #plm.dims<"batch*sequence", "6">>
plm.parameter @w = dense<1.0> : tensor<4x6xf32>
plm.parameter @wt = dense<1.0> : tensor<6x4xf32>
plm.parameter @b = dense<1.0> : tensor<6xf32>
plm.parameter @b2 = dense<1.0> : tensor<1x6xf32>

// CHECK-LABEL: func @bias_first
// CHECK-DAG: %[[W:.*]] = plm.get_parameter @w :
// CHECK-DAG: %[[B:.*]] = plm.get_parameter @b :
// CHECK: %[[L:.*]] = plm.linear %arg0, %[[W]] bias %[[B]] :
// CHECK-NEXT: return %[[L]]
func.func @bias_first(%x: !x) -> !y {
  %w = plm.get_parameter @w : tensor<4x6xf32>
  %b = plm.get_parameter @b : tensor<6xf32>
  %m = plm.matmul %x, %w : (!x, tensor<4x6xf32>) -> !y
  %a = plm.binary add %b, %m : (tensor<6xf32>, !y) -> !y
  return %a : !y
}

// CHECK-LABEL: func @transposed
// CHECK-DAG: %[[W:.*]] = plm.get_parameter @wt
// CHECK-DAG: %[[B:.*]] = plm.get_parameter @b2
// CHECK-DAG: %[[V:.*]] = plm.reshape %[[B]] : (tensor<1x6xf32>) -> tensor<6xf32>
// CHECK: %[[L:.*]] = plm.linear %arg0, %[[W]] bias %[[V]] transposed :
// CHECK-NEXT: return %[[L]]
func.func @transposed(%x: !x) -> !y {
  %w = plm.get_parameter @wt : tensor<6x4xf32>
  %b = plm.get_parameter @b2 : tensor<1x6xf32>
  %t = plm.transpose %w [1, 0] : (tensor<6x4xf32>) -> tensor<4x6xf32>
  %m = plm.matmul %x, %t : (!x, tensor<4x6xf32>) -> !y
  %a = plm.binary add %m, %b : (!y, tensor<1x6xf32>) -> !y
  return %a : !y
}

// Tokens flattened around the product, a residual and an activation come back
// as [batch, sequence, width].
// CHECK-LABEL: func @flattened
// CHECK: %[[L:.*]] = plm.linear %arg0, {{.*}} -> tensor<?x?x6xf32
// CHECK-NEXT: %[[A:.*]] = plm.activation relu %[[L]]
// CHECK-NEXT: %[[R:.*]] = plm.binary add %[[A]], %arg1
// CHECK-NEXT: return %[[R]]
func.func @flattened(%x: !x, %y: !y) -> !y {
  %w = plm.get_parameter @w : tensor<4x6xf32>
  %b = plm.get_parameter @b : tensor<6xf32>
  %f = plm.reshape %x : (!x) -> !x2
  %g = plm.reshape %y : (!y) -> !y2
  %m = plm.matmul %f, %w : (!x2, tensor<4x6xf32>) -> !y2
  %a = plm.binary add %m, %b : (!y2, tensor<6xf32>) -> !y2
  %r = plm.activation relu %a : (!y2) -> !y2
  %s = plm.binary add %r, %g : (!y2, !y2) -> !y2
  %z = plm.reshape %s : (!y2) -> !y
  return %z : !y
}

// The product is needed by itself as well: no bias is drawn in.
// CHECK-LABEL: func @shared_product
// CHECK: %[[L:.*]] = plm.linear %arg0, %{{[a-z0-9_]+}} :
// CHECK: %[[A:.*]] = plm.binary add %[[L]]
// CHECK: return %[[L]], %[[A]]
func.func @shared_product(%x: !x) -> (!y, !y) {
  %w = plm.get_parameter @w : tensor<4x6xf32>
  %b = plm.get_parameter @b : tensor<6xf32>
  %m = plm.matmul %x, %w : (!x, tensor<4x6xf32>) -> !y
  %a = plm.binary add %m, %b : (!y, tensor<6xf32>) -> !y
  return %m, %a : !y, !y
}

// A parameter on the left is no linear layer.
// CHECK-LABEL: func @left_parameter
// CHECK: plm.matmul {{.*}} {plm.unrecognized = "the parameter of this product is not a matrix on its right side"}
!t = tensor<?x6x?xf32, #plm.dims<"batch", "6", "sequence">>
!u = tensor<?x4x?xf32, #plm.dims<"batch", "4", "sequence">>
func.func @left_parameter(%x: !u) -> !t {
  %w = plm.get_parameter @wt : tensor<6x4xf32>
  %m = plm.matmul %w, %x : (tensor<6x4xf32>, !u) -> !t
  return %m : !t
}
