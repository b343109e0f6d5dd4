// RUN: plmc-opt %s --plm-normalize --plm-recognize-layer-norm --plm-normalize | FileCheck %s

!x = tensor<?x?x16xf32, #plm.dims<"batch", "sequence", "16">>
!r = tensor<?x?x1xf32, #plm.dims<"batch", "sequence", "1">>
!r0 = tensor<?x?xf32, #plm.dims<"batch", "sequence">>
!f = tensor<?x16xf32, #plm.dims<"batch*sequence", "16">>
!fr = tensor<?x1xf32, #plm.dims<"batch*sequence", "1">>
!s = tensor<f32>
plm.parameter @g = dense<1.5> : tensor<16xf32>
plm.parameter @b = dense<0.5> : tensor<16xf32>
plm.parameter @g3 = dense<1.5> : tensor<1x1x16xf32>

// Neither gamma nor beta: gamma is 1.
// CHECK-LABEL: func @bare
// CHECK: %[[G:.*]] = plm.constant dense<1.000000e+00> : tensor<16xf32>
// CHECK: %[[N:.*]] = plm.layer_norm %arg0, %[[G]] {epsilon
// CHECK-NEXT: return %[[N]]
func.func @bare(%x: !x) -> !x {
  %eps = plm.constant dense<1.0e-6> : !s : !s
  %m = plm.reduce mean %x [2] keepdims : (!x) -> !r
  %c = plm.binary sub %x, %m : (!x, !r) -> !x
  %p = plm.binary mul %c, %c : (!x, !x) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %e = plm.binary add %v, %eps : (!r, !s) -> !r
  %q = plm.unary rsqrt %e : (!r) -> !r
  %n = plm.binary mul %c, %q : (!x, !r) -> !x
  return %n : !x
}

// Sqrt, Reciprocal and Mul; the epsilon first; gamma [1, 1, H].
// CHECK-LABEL: func @reciprocal
// CHECK: %[[N:.*]] = plm.layer_norm %arg0, %{{.*}} beta %{{.*}} {epsilon
// CHECK-NEXT: return %[[N]]
func.func @reciprocal(%x: !x) -> !x {
  %g = plm.get_parameter @g3 : tensor<1x1x16xf32>
  %b = plm.get_parameter @b : tensor<16xf32>
  %eps = plm.constant dense<1.0e-5> : !s : !s
  %m = plm.reduce mean %x [2] keepdims : (!x) -> !r
  %c = plm.binary sub %x, %m : (!x, !r) -> !x
  %p = plm.binary mul %c, %c : (!x, !x) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %e = plm.binary add %eps, %v : (!s, !r) -> !r
  %q = plm.unary sqrt %e : (!r) -> !r
  %i = plm.unary reciprocal %q : (!r) -> !r
  %n = plm.binary mul %i, %c : (!r, !x) -> !x
  %y = plm.binary mul %g, %n : (tensor<1x1x16xf32>, !x) -> !x
  %z = plm.binary add %b, %y : (tensor<16xf32>, !x) -> !x
  return %z : !x
}

// E[x^2] - E[x]^2, and Pow(., -0.5).
// CHECK-LABEL: func @moments
// CHECK: %[[N:.*]] = plm.layer_norm %arg0, %{{.*}} {epsilon
// CHECK-NEXT: return %[[N]]
func.func @moments(%x: !x) -> !x {
  %g = plm.get_parameter @g : tensor<16xf32>
  %eps = plm.constant dense<1.0e-3> : !s : !s
  %h = plm.constant dense<-0.5> : !s : !s
  %m = plm.reduce mean %x [2] keepdims : (!x) -> !r
  %p = plm.binary mul %x, %x : (!x, !x) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %mm = plm.binary mul %m, %m : (!r, !r) -> !r
  %w = plm.binary sub %v, %mm : (!r, !r) -> !r
  %e = plm.binary add %w, %eps : (!r, !s) -> !r
  %q = plm.binary pow %e, %h : (!r, !s) -> !r
  %c = plm.binary sub %x, %m : (!x, !r) -> !x
  %n = plm.binary mul %c, %q : (!x, !r) -> !x
  %y = plm.binary mul %n, %g : (!x, tensor<16xf32>) -> !x
  return %y : !x
}

// tf2onnx on tokens flattened to rows: x * (g * r) + (b - m * (g * r)).
// CHECK-LABEL: func @flattened
// CHECK: %[[N:.*]] = plm.layer_norm %arg0, %{{.*}} beta %{{.*}} {epsilon
// CHECK-NEXT: return %[[N]]
func.func @flattened(%x: !x) -> !x {
  %g = plm.get_parameter @g : tensor<16xf32>
  %b = plm.get_parameter @b : tensor<16xf32>
  %eps = plm.constant dense<1.0e-12> : !s : !s
  %f = plm.reshape %x : (!x) -> !f
  %m = plm.reduce mean %f [1] keepdims : (!f) -> !fr
  %c = plm.binary sub %f, %m : (!f, !fr) -> !f
  %p = plm.binary mul %c, %c : (!f, !f) -> !f
  %v = plm.reduce mean %p [1] keepdims : (!f) -> !fr
  %e = plm.binary add %v, %eps : (!fr, !s) -> !fr
  %q = plm.unary sqrt %e : (!fr) -> !fr
  %i = plm.unary reciprocal %q : (!fr) -> !fr
  %a = plm.binary mul %i, %g : (!fr, tensor<16xf32>) -> !f
  %ma = plm.binary mul %m, %a : (!fr, !f) -> !f
  %d = plm.binary sub %b, %ma : (tensor<16xf32>, !f) -> !f
  %y = plm.binary mul %f, %a : (!f, !f) -> !f
  %z = plm.binary add %y, %d : (!f, !f) -> !f
  %o = plm.reshape %z : (!f) -> !x
  return %o : !x
}

// The residual sum goes on elsewhere, too.
// CHECK-LABEL: func @residual_kept
// CHECK: %[[A:.*]] = plm.binary add %arg0, %arg1
// CHECK: %[[N:.*]] = plm.layer_norm %[[A]]
// CHECK-NEXT: return %[[A]], %[[N]]
func.func @residual_kept(%x: !x, %y: !x) -> (!x, !x) {
  %g = plm.get_parameter @g : tensor<16xf32>
  %eps = plm.constant dense<1.0e-12> : !s : !s
  %a = plm.binary add %x, %y : (!x, !x) -> !x
  %m = plm.reduce mean %a [2] keepdims : (!x) -> !r
  %c = plm.binary sub %a, %m : (!x, !r) -> !x
  %p = plm.binary mul %c, %c : (!x, !x) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %e = plm.binary add %v, %eps : (!r, !s) -> !r
  %q = plm.unary sqrt %e : (!r) -> !r
  %n = plm.binary div %c, %q : (!x, !r) -> !x
  %z = plm.binary mul %n, %g : (!x, tensor<16xf32>) -> !x
  return %a, %z : !x, !x
}

// sqrt(var) + eps is another function.
// CHECK-LABEL: func @epsilon_outside
// CHECK-NOT: plm.layer_norm
// CHECK: plm.reduce mean {{.*}}plm.unrecognized = "no layer normalisation
func.func @epsilon_outside(%x: !x) -> !x {
  %g = plm.get_parameter @g : tensor<16xf32>
  %eps = plm.constant dense<1.0e-3> : !s : !s
  %m = plm.reduce mean %x [2] keepdims : (!x) -> !r
  %c = plm.binary sub %x, %m : (!x, !r) -> !x
  %p = plm.binary mul %c, %c : (!x, !x) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %q = plm.unary sqrt %v : (!r) -> !r
  %e = plm.binary add %q, %eps : (!r, !s) -> !r
  %n = plm.binary div %c, %e : (!x, !r) -> !x
  %z = plm.binary mul %n, %g : (!x, tensor<16xf32>) -> !x
  return %z : !x
}

// RMS normalisation does not centre.
// CHECK-LABEL: func @rms
// CHECK-NOT: plm.layer_norm
// CHECK: plm.reduce mean {{.*}}plm.unrecognized
func.func @rms(%x: !x) -> !x {
  %g = plm.get_parameter @g : tensor<16xf32>
  %eps = plm.constant dense<1.0e-6> : !s : !s
  %p = plm.binary mul %x, %x : (!x, !x) -> !x
  %v = plm.reduce mean %p [2] keepdims : (!x) -> !r
  %e = plm.binary add %v, %eps : (!r, !s) -> !r
  %q = plm.unary rsqrt %e : (!r) -> !r
  %n = plm.binary mul %x, %q : (!x, !r) -> !x
  %z = plm.binary mul %n, %g : (!x, tensor<16xf32>) -> !x
  return %z : !x
}

// A sum of features by itself is no norm that was missed.
// CHECK-LABEL: func @sum
// CHECK-NOT: plm.unrecognized
// CHECK: return
func.func @sum(%x: !x) -> !r0 {
  %m = plm.reduce sum %x [2] : (!x) -> !r0
  return %m : !r0
}
