// RUN: plmc-opt %s -split-input-file --plm-normalize --plm-recognize-layer-norm | FileCheck %s

!x = tensor<?x?x16xf32, #plm.dims<"batch", "sequence", "16">>
!r = tensor<?x?x1xf32, #plm.dims<"batch", "sequence", "1">>
!d = tensor<?x?x16xf64, #plm.dims<"batch", "sequence", "16">>
!s = tensor<f32>
plm.parameter @g = dense<1.5> : tensor<16xf32>
plm.parameter @b = dense<0.5> : tensor<16xf32>

// Pow and Div, as TorchScript writes it.
// CHECK-LABEL: func @pow_div
// CHECK-DAG: %[[G:.*]] = plm.get_parameter @g
// CHECK-DAG: %[[B:.*]] = plm.get_parameter @b
// CHECK: %[[N:.*]] = plm.layer_norm %arg0, %[[G]] beta %[[B]] {epsilon = {{9.99[0-9]*E-13|1.0*E-12}} : f64}
// CHECK-NOT: plm.reduce
// CHECK: return %[[N]]
func.func @pow_div(%x: !x) -> !x {
  %g = plm.get_parameter @g : tensor<16xf32>
  %b = plm.get_parameter @b : tensor<16xf32>
  %two = plm.constant dense<2.0> : !s : !s
  %eps = plm.constant dense<1.0e-12> : !s : !s
  %m = plm.reduce mean %x [2] keepdims : (!x) -> !r
  %c = plm.binary sub %x, %m : (!x, !r) -> !x
  %p = plm.binary pow %c, %two : (!x, !s) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %e = plm.binary add %v, %eps : (!r, !s) -> !r
  %q = plm.unary sqrt %e : (!r) -> !r
  %n = plm.binary div %c, %q : (!x, !r) -> !x
  %y = plm.binary mul %n, %g : (!x, tensor<16xf32>) -> !x
  %z = plm.binary add %y, %b : (!x, tensor<16xf32>) -> !x
  return %z : !x
}

// Squares by Mul, operands exchanged, two copies of the difference, no
// keepdims, beta first.
// CHECK-LABEL: func @mul_commuted
// CHECK-DAG: %[[G:.*]] = plm.get_parameter @g
// CHECK-DAG: %[[B:.*]] = plm.get_parameter @b
// CHECK: %[[N:.*]] = plm.layer_norm %arg0, %[[G]] beta %[[B]]
// CHECK-NEXT: return %[[N]]
!f = tensor<?x?xf32, #plm.dims<"batch", "sequence">>
func.func @mul_commuted(%x: !x) -> !x {
  %g = plm.get_parameter @g : tensor<16xf32>
  %b = plm.get_parameter @b : tensor<16xf32>
  %eps = plm.constant dense<1.0e-5> : !s : !s
  %m0 = plm.reduce mean %x [2] : (!x) -> !f
  %m = plm.reshape %m0 : (!f) -> !r
  %c0 = plm.binary sub %x, %m : (!x, !r) -> !x
  %c1 = plm.binary sub %x, %m : (!x, !r) -> !x
  %p = plm.binary mul %c1, %c1 : (!x, !x) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %e = plm.binary add %eps, %v : (!s, !r) -> !r
  %q = plm.unary rsqrt %e : (!r) -> !r
  %n = plm.binary mul %q, %c0 : (!r, !x) -> !x
  %y = plm.binary mul %g, %n : (tensor<16xf32>, !x) -> !x
  %z = plm.binary add %b, %y : (tensor<16xf32>, !x) -> !x
  return %z : !x
}

// x * inv * gamma + (beta - mean * inv * gamma), as TensorFlow writes it.
// CHECK-LABEL: func @tensorflow
// CHECK-DAG: %[[G:.*]] = plm.get_parameter @g
// CHECK-DAG: %[[B:.*]] = plm.get_parameter @b
// CHECK: %[[N:.*]] = plm.layer_norm %arg0, %[[G]] beta %[[B]]
// CHECK-NEXT: return %[[N]]
func.func @tensorflow(%x: !x) -> !x {
  %g = plm.get_parameter @g : tensor<16xf32>
  %b = plm.get_parameter @b : tensor<16xf32>
  %eps = plm.constant dense<1.0e-12> : !s : !s
  %m = plm.reduce mean %x [2] keepdims : (!x) -> !r
  %c = plm.binary sub %x, %m : (!x, !r) -> !x
  %p = plm.binary mul %c, %c : (!x, !x) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %e = plm.binary add %v, %eps : (!r, !s) -> !r
  %q = plm.unary sqrt %e : (!r) -> !r
  %i = plm.unary reciprocal %q : (!r) -> !r
  %ig = plm.binary mul %i, %g : (!r, tensor<16xf32>) -> !x
  %xg = plm.binary mul %x, %ig : (!x, !x) -> !x
  %mg = plm.binary mul %m, %ig : (!r, !x) -> !x
  %o = plm.binary sub %b, %mg : (tensor<16xf32>, !x) -> !x
  %z = plm.binary add %xg, %o : (!x, !x) -> !x
  return %z : !x
}

// E[x^2] - E[x]^2 by sums, computed in f64 between casts, no beta.
// CHECK-LABEL: func @sums_without_beta
// CHECK: %[[G:.*]] = plm.get_parameter @g
// CHECK: %[[N:.*]] = plm.layer_norm %arg0, %[[G]] {epsilon = {{[0-9.E-]+}} : f64} : (tensor<?x?x16xf32
// CHECK-NEXT: return %[[N]]
!dr = tensor<?x?x1xf64, #plm.dims<"batch", "sequence", "1">>
func.func @sums_without_beta(%x: !x) -> !x {
  %g = plm.get_parameter @g : tensor<16xf32>
  %n = plm.constant dense<16.0> : tensor<f64> : tensor<f64>
  %eps = plm.constant dense<1.0e-6> : tensor<f64> : tensor<f64>
  %d = plm.cast %x : (!x) -> !d
  %s0 = plm.reduce sum %d [2] keepdims : (!d) -> !dr
  %m = plm.binary div %s0, %n : (!dr, tensor<f64>) -> !dr
  %s1 = plm.reduce sum_square %d [2] keepdims : (!d) -> !dr
  %m2 = plm.binary div %s1, %n : (!dr, tensor<f64>) -> !dr
  %mm = plm.binary mul %m, %m : (!dr, !dr) -> !dr
  %v = plm.binary sub %m2, %mm : (!dr, !dr) -> !dr
  %e = plm.binary add %v, %eps : (!dr, tensor<f64>) -> !dr
  %q = plm.unary sqrt %e : (!dr) -> !dr
  %c = plm.binary sub %d, %m : (!d, !dr) -> !d
  %r = plm.binary div %c, %q : (!d, !dr) -> !d
  %y = plm.cast %r : (!d) -> !x
  %z = plm.binary mul %y, %g : (!x, tensor<16xf32>) -> !x
  return %z : !x
}

// Close, but not it: the deviation is unbiased and epsilon stands outside.
// CHECK-LABEL: func @unbiased
// CHECK-NOT: plm.layer_norm
// CHECK: plm.reduce mean {{.*}} {plm.unrecognized = "no layer normalisation around this mean
// CHECK-NOT: plm.layer_norm
// CHECK: return
func.func @unbiased(%x: !x) -> !x {
  %n1 = plm.constant dense<15.0> : !s : !s
  %eps = plm.constant dense<1.0e-6> : !s : !s
  %m = plm.reduce mean %x [2] keepdims : (!x) -> !r
  %c = plm.binary sub %x, %m : (!x, !r) -> !x
  %s0 = plm.reduce sum_square %c [2] keepdims : (!x) -> !r
  %v = plm.binary div %s0, %n1 : (!r, !s) -> !r
  %q = plm.unary sqrt %v : (!r) -> !r
  %e = plm.binary add %q, %eps : (!r, !s) -> !r
  %z = plm.binary div %c, %e : (!x, !r) -> !x
  return %z : !x
}

// Close, but not it: the variance of another tensor.
// CHECK-LABEL: func @two_tensors
// CHECK-NOT: plm.layer_norm
// CHECK: return
func.func @two_tensors(%x: !x, %w: !x) -> !x {
  %eps = plm.constant dense<1.0e-6> : !s : !s
  %m = plm.reduce mean %x [2] keepdims : (!x) -> !r
  %c = plm.binary sub %w, %m : (!x, !r) -> !x
  %p = plm.binary mul %c, %c : (!x, !x) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %e = plm.binary add %v, %eps : (!r, !s) -> !r
  %q = plm.unary sqrt %e : (!r) -> !r
  %z = plm.binary div %c, %q : (!x, !r) -> !x
  return %z : !x
}
