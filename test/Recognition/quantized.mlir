// RUN: plmc-opt %s --plm-normalize --plm-recognize-quantized --cse --plm-recognize-linear --plm-recognize-embedding | FileCheck %s

!x = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
!x8 = tensor<?x?x4xui8, #plm.dims<"batch", "sequence", "4">>
!x32 = tensor<?x?x4xi32, #plm.dims<"batch", "sequence", "4">>
!y = tensor<?x?x3xf32, #plm.dims<"batch", "sequence", "3">>
!y32 = tensor<?x?x3xi32, #plm.dims<"batch", "sequence", "3">>
!ids = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
plm.parameter @w = dense<[[1, -2, 3], [4, -5, 6], [7, 8, -128], [127, 0, 1]]> : tensor<4x3xi8>
plm.parameter @wt = dense<[[1, 2, 3, 4], [250, 6, 7, 8], [9, 10, 11, 12]]> : tensor<3x4xui8>
plm.parameter @table = dense<[[1, 2, 3, 4], [255, 6, 7, 8]]> : tensor<2x4xui8>
plm.parameter @scales = dense<[0.5, 0.25, 2.0]> : tensor<3xf32>
plm.parameter @rows = dense<[[0.5], [0.25]]> : tensor<2x1xf32>
plm.parameter @b = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
plm.parameter @full = dense<[[1.0, 2.0, 3.0], [1.5, 2.5, 3.5], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]> : tensor<4x3xf32>

// What ONNX Runtime's dynamic quantisation writes.
// CHECK-LABEL: func @dynamic
// CHECK-DAG: %[[W:.*]] = plm.get_parameter @w :
// CHECK-DAG: %[[S:.*]] = plm.constant dense<[5.000000e-01, 2.500000e-01, 2.000000e+00]> : tensor<3xf32>
// CHECK-DAG: %[[Q:.*]] = plm.quantize %arg0 scale %arg1 zero_point %[[Z:.*]] :
// CHECK-DAG: %[[X:.*]] = plm.dequantize %[[Q]] scale %arg1 zero_point %[[Z]] :
// CHECK-DAG: %[[D:.*]] = plm.dequantize %[[W]] scale %[[S]] {axis = 1 : i64}
// CHECK: %[[L:.*]] = plm.linear %[[X]], %[[D]] bias %{{.*}} :
// CHECK-NEXT: return %[[L]]
func.func @dynamic(%x: !x, %s: tensor<f32>, %zf: tensor<f32>) -> !y {
  %w = plm.get_parameter @w : tensor<4x3xi8>
  %ws = plm.get_parameter @scales : tensor<3xf32>
  %b = plm.get_parameter @b : tensor<3xf32>
  %z = plm.cast %zf : (tensor<f32>) -> tensor<ui8>
  %q = plm.quantize %x scale %s zero_point %z : (!x, tensor<f32>, tensor<ui8>) -> !x8
  %qi = plm.cast %q : (!x8) -> !x32
  %zi = plm.cast %z : (tensor<ui8>) -> tensor<i32>
  %qz = plm.binary sub %qi, %zi : (!x32, tensor<i32>) -> !x32
  %wi = plm.cast %w : (tensor<4x3xi8>) -> tensor<4x3xi32>
  %m = plm.matmul %qz, %wi : (!x32, tensor<4x3xi32>) -> !y32
  %f = plm.cast %m : (!y32) -> !y
  %k = plm.binary mul %s, %ws : (tensor<f32>, tensor<3xf32>) -> tensor<3xf32>
  %r = plm.binary mul %k, %f : (tensor<3xf32>, !y) -> !y
  %a = plm.binary add %r, %b : (!y, tensor<3xf32>) -> !y
  return %a : !y
}

// A zero point of the weight, its scale and that of the input one by one.
// CHECK-LABEL: func @scales_in_a_row
// CHECK-DAG: %[[W:.*]] = plm.get_parameter @wt :
// CHECK-DAG: %[[S:.*]] = plm.constant dense<1.250000e-01> : tensor<f32>
// CHECK-DAG: %[[Z:.*]] = plm.constant dense<128> : tensor<ui8>
// CHECK-DAG: %[[N:.*]] = plm.reshape %arg1 : (tensor<1xf32>) -> tensor<f32>
// CHECK-DAG: %[[X:.*]] = plm.dequantize %arg0 scale %[[N]] :
// CHECK-DAG: %[[D:.*]] = plm.dequantize %[[V:.*]] scale %[[S]] zero_point %[[Z]] :
// CHECK-DAG: %[[V]] = plm.transpose %[[W]]
// CHECK: plm.linear %[[X]], %[[D]]
func.func @scales_in_a_row(%x: !x8, %s: tensor<1xf32>) -> !y {
  %w = plm.get_parameter @wt : tensor<3x4xui8>
  %t = plm.transpose %w [1, 0] : (tensor<3x4xui8>) -> tensor<4x3xui8>
  %z = plm.constant dense<128> : tensor<i32> : tensor<i32>
  %eighth = plm.constant dense<1.250000e-01> : tensor<f32> : tensor<f32>
  %xi = plm.cast %x : (!x8) -> !x32
  %ti = plm.cast %t : (tensor<4x3xui8>) -> tensor<4x3xi32>
  %tz = plm.binary sub %ti, %z : (tensor<4x3xi32>, tensor<i32>) -> tensor<4x3xi32>
  %m = plm.matmul %xi, %tz : (!x32, tensor<4x3xi32>) -> !y32
  %f = plm.cast %m : (!y32) -> !y
  %g = plm.binary mul %f, %eighth : (!y, tensor<f32>) -> !y
  %h = plm.binary mul %g, %s : (!y, tensor<1xf32>) -> !y
  return %h : !y
}

// Weights alone, as integers that are scaled by hand.
// CHECK-LABEL: func @cast_and_mul
// CHECK-DAG: %[[W:.*]] = plm.get_parameter @w :
// CHECK-DAG: %[[S:.*]] = plm.constant dense<[5.000000e-01, 2.500000e-01, 2.000000e+00]> : tensor<3xf32>
// CHECK-DAG: %[[Z:.*]] = plm.constant dense<7> : tensor<3xi8>
// CHECK-DAG: %[[D:.*]] = plm.dequantize %[[W]] scale %[[S]] zero_point %[[Z]] {axis = 1 : i64}
// CHECK: %[[L:.*]] = plm.linear %arg0, %[[D]] :
// CHECK-NEXT: return %[[L]]
func.func @cast_and_mul(%x: !x) -> !y {
  %w = plm.get_parameter @w : tensor<4x3xi8>
  %ws = plm.get_parameter @scales : tensor<3xf32>
  %seven = plm.constant dense<7.0> : tensor<f32> : tensor<f32>
  %f = plm.cast %w : (tensor<4x3xi8>) -> tensor<4x3xf32>
  %c = plm.binary sub %f, %seven : (tensor<4x3xf32>, tensor<f32>) -> tensor<4x3xf32>
  %d = plm.binary mul %ws, %c : (tensor<3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %m = plm.matmul %x, %d : (!x, tensor<4x3xf32>) -> !y
  return %m : !y
}

// CHECK-LABEL: func @transposed
// CHECK: %[[D:.*]] = plm.dequantize %{{.*}} scale %{{.*}} : (tensor<3x4xui8>, tensor<3xf32>)
// CHECK: %[[L:.*]] = plm.linear %arg0, %[[D]] transposed :
func.func @transposed(%x: !x) -> !y {
  %w = plm.get_parameter @wt : tensor<3x4xui8>
  %s = plm.get_parameter @scales : tensor<3xf32>
  %d = plm.dequantize %w scale %s {axis = 0 : i64} : (tensor<3x4xui8>, tensor<3xf32>) -> tensor<3x4xf32>
  %t = plm.transpose %d [1, 0] : (tensor<3x4xf32>) -> tensor<4x3xf32>
  %m = plm.matmul %x, %t : (!x, tensor<4x3xf32>) -> !y
  return %m : !y
}

// An einsum's weight [K, heads, d].
// CHECK-LABEL: func @reshaped
// CHECK: %[[R:.*]] = plm.reshape %{{.*}} -> tensor<4x3xi8>
// CHECK: %[[D:.*]] = plm.dequantize %[[R]]
// CHECK: plm.linear %arg0, %[[D]]
plm.parameter @w3 = dense<[[[1], [-2], [3]], [[4], [-5], [6]], [[7], [8], [-128]], [[127], [0], [1]]]> : tensor<4x3x1xi8>
func.func @reshaped(%x: !x) -> !y {
  %w = plm.get_parameter @w3 : tensor<4x3x1xi8>
  %s = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %d = plm.dequantize %w scale %s : (tensor<4x3x1xi8>, tensor<f32>) -> tensor<4x3x1xf32>
  %r = plm.reshape %d : (tensor<4x3x1xf32>) -> tensor<4x3xf32>
  %m = plm.matmul %x, %r : (!x, tensor<4x3xf32>) -> !y
  return %m : !y
}

// CHECK-LABEL: func @lookup_then_dequantize
// CHECK: %[[D:.*]] = plm.dequantize %{{.*}} scale %{{.*}} zero_point %{{.*}} : (tensor<2x4xui8>
// CHECK: %[[E:.*]] = plm.embedding %arg0, %[[D]]
// CHECK-NEXT: return %[[E]]
func.func @lookup_then_dequantize(%ids: !ids) -> !x {
  %t = plm.get_parameter @table : tensor<2x4xui8>
  %s = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %z = plm.constant dense<128> : tensor<ui8> : tensor<ui8>
  %g = plm.gather %t, %ids axis 0 : (tensor<2x4xui8>, !ids) -> !x8
  %d = plm.dequantize %g scale %s zero_point %z : (!x8, tensor<f32>, tensor<ui8>) -> !x
  return %d : !x
}

// CHECK-LABEL: func @lookup_then_arithmetic
// CHECK: %[[D:.*]] = plm.dequantize %{{.*}} scale %{{.*}} zero_point %{{.*}} : (tensor<2x4xui8>
// CHECK: %[[E:.*]] = plm.embedding %arg0, %[[D]]
// CHECK-NEXT: return %[[E]]
func.func @lookup_then_arithmetic(%ids: !ids) -> !x {
  %t = plm.get_parameter @table : tensor<2x4xui8>
  %s = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %z = plm.constant dense<100.0> : tensor<f32> : tensor<f32>
  %g = plm.gather %t, %ids axis 0 : (tensor<2x4xui8>, !ids) -> !x8
  %f = plm.cast %g : (!x8) -> !x
  %c = plm.binary sub %f, %z : (!x, tensor<f32>) -> !x
  %d = plm.binary mul %c, %s : (!x, tensor<f32>) -> !x
  return %d : !x
}

// One scale a row of the table.
// CHECK-LABEL: func @scaled_rows
// CHECK: %[[D:.*]] = plm.dequantize %{{.*}} scale %{{.*}} : (tensor<2x4xui8>, tensor<2xf32>)
// CHECK: %[[E:.*]] = plm.embedding %arg0, %[[D]]
// CHECK-NEXT: return %[[E]]
func.func @scaled_rows(%ids: !ids) -> !x {
  %t = plm.get_parameter @table : tensor<2x4xui8>
  %s = plm.get_parameter @rows : tensor<2x1xf32>
  %f = plm.cast %t : (tensor<2x4xui8>) -> tensor<2x4xf32>
  %d = plm.binary mul %f, %s : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  %g = plm.gather %d, %ids axis 0 : (tensor<2x4xf32>, !ids) -> !x
  return %g : !x
}

// A pair around a view is a pair in front of it.
// CHECK-LABEL: func @pair_behind_a_view
// CHECK: %[[Q:.*]] = plm.quantize %arg0 scale %arg1 :
// CHECK: %[[D:.*]] = plm.dequantize %[[Q]] scale %arg1 :
// CHECK: %[[R:.*]] = plm.reshape %[[D]]
// CHECK: %[[T:.*]] = plm.transpose %[[R]]
// CHECK: return %[[T]]
!r = tensor<?x?x2x2xf32, #plm.dims<"batch", "sequence", "2", "2">>
!t = tensor<?x2x?x2xf32, #plm.dims<"batch", "2", "sequence", "2">>
!t8 = tensor<?x2x?x2xi8, #plm.dims<"batch", "2", "sequence", "2">>
func.func @pair_behind_a_view(%x: !x, %s: tensor<f32>) -> !t {
  %r = plm.reshape %x : (!x) -> !r
  %t = plm.transpose %r [0, 2, 1, 3] : (!r) -> !t
  %q = plm.quantize %t scale %s : (!t, tensor<f32>) -> !t8
  %d = plm.dequantize %q scale %s : (!t8, tensor<f32>) -> !t
  return %d : !t
}

// Scores that are rounded are no attention, and inspect says so.
// CHECK-LABEL: func @rounded_scores
// CHECK: plm.softmax {{.*}}plm.unrecognized = "its scores are rounded to 8 bits
!q = tensor<?x?x2xf32, #plm.dims<"batch", "sequence", "2">>
!k = tensor<?x2x?xf32, #plm.dims<"batch", "2", "sequence">>
!p = tensor<?x?x?xf32, #plm.dims<"batch", "sequence", "sequence">>
!p8 = tensor<?x?x?xi8, #plm.dims<"batch", "sequence", "sequence">>
func.func @rounded_scores(%q: !q, %s: tensor<f32>) -> !q {
  %half = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %k = plm.transpose %q [0, 2, 1] : (!q) -> !k
  %m = plm.matmul %q, %k : (!q, !k) -> !p
  %r = plm.quantize %m scale %s : (!p, tensor<f32>) -> !p8
  %d = plm.dequantize %r scale %s : (!p8, tensor<f32>) -> !p
  %h = plm.binary mul %d, %half : (!p, tensor<f32>) -> !p
  %w = plm.softmax %h axis 2 : (!p) -> !p
  %o = plm.matmul %w, %q : (!p, !q) -> !q
  return %o : !q
}

// A zero point that is no integer is none.
// CHECK-LABEL: func @no_zero_point
// CHECK: plm.binary sub
func.func @no_zero_point(%x: !x) -> !y {
  %w = plm.get_parameter @w : tensor<4x3xi8>
  %half = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %f = plm.cast %w : (tensor<4x3xi8>) -> tensor<4x3xf32>
  %c = plm.binary sub %f, %half : (tensor<4x3xf32>, tensor<f32>) -> tensor<4x3xf32>
  %m = plm.matmul %x, %c : (!x, tensor<4x3xf32>) -> !y
  return %m : !y
}

// One scale an element is no scale.
// CHECK-LABEL: func @scale_of_elements
// CHECK: plm.binary mul
func.func @scale_of_elements(%x: !x) -> !y {
  %w = plm.get_parameter @w : tensor<4x3xi8>
  %s = plm.get_parameter @full : tensor<4x3xf32>
  %f = plm.cast %w : (tensor<4x3xi8>) -> tensor<4x3xf32>
  %d = plm.binary mul %f, %s : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %m = plm.matmul %x, %d : (!x, tensor<4x3xf32>) -> !y
  return %m : !y
}

// What needs the integers keeps them.
// CHECK-LABEL: func @integers
// CHECK: plm.matmul {{.*}} -> tensor<?x?x3xi32
func.func @integers(%x: !x8) -> !y32 {
  %w = plm.get_parameter @w : tensor<4x3xi8>
  %xi = plm.cast %x : (!x8) -> !x32
  %wi = plm.cast %w : (tensor<4x3xi8>) -> tensor<4x3xi32>
  %m = plm.matmul %xi, %wi : (!x32, tensor<4x3xi32>) -> !y32
  return %m : !y32
}

// A factor for each token stays behind the product.
// CHECK-LABEL: func @factor_of_tokens
// CHECK: %[[L:.*]] = plm.linear
// CHECK: plm.binary mul %[[L]], %arg1
func.func @factor_of_tokens(%x: !x8, %s: !y) -> !y {
  %w = plm.get_parameter @w : tensor<4x3xi8>
  %xi = plm.cast %x : (!x8) -> !x32
  %wi = plm.cast %w : (tensor<4x3xi8>) -> tensor<4x3xi32>
  %m = plm.matmul %xi, %wi : (!x32, tensor<4x3xi32>) -> !y32
  %f = plm.cast %m : (!y32) -> !y
  %g = plm.binary mul %f, %s : (!y, !y) -> !y
  return %g : !y
}
