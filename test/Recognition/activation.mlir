// RUN: plmc-opt %s --plm-normalize --plm-recognize-activation | FileCheck %s

!x = tensor<?x?x16xf32, #plm.dims<"batch", "sequence", "16">>
!s = tensor<f32>

// x * 0.5 * (1 + erf(x / sqrt 2)), 0.5 last.
// CHECK-LABEL: func @gelu_torch
// CHECK-NEXT: %[[A:.*]] = plm.activation gelu %arg0
// CHECK-NEXT: return %[[A]]
func.func @gelu_torch(%x: !x) -> !x {
  %r = plm.constant dense<1.41421354> : !s : !s
  %one = plm.constant dense<1.0> : !s : !s
  %half = plm.constant dense<0.5> : !s : !s
  %a = plm.binary div %x, %r : (!x, !s) -> !x
  %b = plm.unary erf %a : (!x) -> !x
  %c = plm.binary add %b, %one : (!x, !s) -> !x
  %d = plm.binary mul %x, %c : (!x, !x) -> !x
  %e = plm.binary mul %d, %half : (!x, !s) -> !x
  return %e : !x
}

// 0.5 on x, operands exchanged, times 0.7071.
// CHECK-LABEL: func @gelu_commuted
// CHECK-NEXT: %[[A:.*]] = plm.activation gelu %arg0
// CHECK-NEXT: return %[[A]]
func.func @gelu_commuted(%x: !x) -> !x {
  %r = plm.constant dense<0.707106769> : !s : !s
  %one = plm.constant dense<1.0> : !s : !s
  %half = plm.constant dense<0.5> : !s : !s
  %h = plm.binary mul %half, %x : (!s, !x) -> !x
  %a = plm.binary mul %r, %x : (!s, !x) -> !x
  %b = plm.unary erf %a : (!x) -> !x
  %c = plm.binary add %one, %b : (!s, !x) -> !x
  %d = plm.binary mul %c, %h : (!x, !x) -> !x
  return %d : !x
}

// 0.5 on the bracket, sqrt(2) computed in the graph.
// CHECK-LABEL: func @gelu_keras
// CHECK-NEXT: %[[A:.*]] = plm.activation gelu %arg0
// CHECK-NEXT: return %[[A]]
func.func @gelu_keras(%x: !x) -> !x {
  %two = plm.constant dense<2.0> : !s : !s
  %one = plm.constant dense<1.0> : !s : !s
  %half = plm.constant dense<0.5> : !s : !s
  %r = plm.unary sqrt %two : (!s) -> !s
  %a = plm.binary div %x, %r : (!x, !s) -> !x
  %b = plm.unary erf %a : (!x) -> !x
  %c = plm.binary add %b, %one : (!x, !s) -> !x
  %d = plm.binary mul %c, %half : (!x, !s) -> !x
  %e = plm.binary mul %x, %d : (!x, !x) -> !x
  return %e : !x
}

// CHECK-LABEL: func @gelu_tanh_pow
// CHECK-NEXT: %[[A:.*]] = plm.activation gelu_tanh %arg0
// CHECK-NEXT: return %[[A]]
func.func @gelu_tanh_pow(%x: !x) -> !x {
  %three = plm.constant dense<3.0> : !s : !s
  %c0 = plm.constant dense<4.471500e-02> : !s : !s
  %c1 = plm.constant dense<0.797884583> : !s : !s
  %one = plm.constant dense<1.0> : !s : !s
  %half = plm.constant dense<0.5> : !s : !s
  %a = plm.binary pow %x, %three : (!x, !s) -> !x
  %b = plm.binary mul %a, %c0 : (!x, !s) -> !x
  %c = plm.binary add %x, %b : (!x, !x) -> !x
  %d = plm.binary mul %c, %c1 : (!x, !s) -> !x
  %e = plm.activation tanh %d : (!x) -> !x
  %f = plm.binary add %e, %one : (!x, !s) -> !x
  %g = plm.binary mul %x, %half : (!x, !s) -> !x
  %h = plm.binary mul %g, %f : (!x, !x) -> !x
  return %h : !x
}

// x * (1 + 0.044715 x x) inside, as Megatron has it.
// CHECK-LABEL: func @gelu_tanh_megatron
// CHECK-NEXT: %[[A:.*]] = plm.activation gelu_tanh %arg0
// CHECK-NEXT: return %[[A]]
func.func @gelu_tanh_megatron(%x: !x) -> !x {
  %c0 = plm.constant dense<4.471500e-02> : !s : !s
  %c1 = plm.constant dense<0.797884583> : !s : !s
  %one = plm.constant dense<1.0> : !s : !s
  %half = plm.constant dense<0.5> : !s : !s
  %a = plm.binary mul %x, %c0 : (!x, !s) -> !x
  %b = plm.binary mul %a, %x : (!x, !x) -> !x
  %c = plm.binary add %b, %one : (!x, !s) -> !x
  %d0 = plm.binary mul %x, %c1 : (!x, !s) -> !x
  %d = plm.binary mul %d0, %c : (!x, !x) -> !x
  %e = plm.activation tanh %d : (!x) -> !x
  %f = plm.binary add %e, %one : (!x, !s) -> !x
  %g = plm.binary mul %f, %half : (!x, !s) -> !x
  %h = plm.binary mul %g, %x : (!x, !x) -> !x
  return %h : !x
}

// CHECK-LABEL: func @silu
// CHECK-NEXT: %[[A:.*]] = plm.activation silu %arg0
// CHECK-NEXT: return %[[A]]
func.func @silu(%x: !x) -> !x {
  %a = plm.activation sigmoid %x : (!x) -> !x
  %b = plm.binary mul %a, %x : (!x, !x) -> !x
  return %b : !x
}

// CHECK-LABEL: func @silu_by_exp
// CHECK-NEXT: %[[A:.*]] = plm.activation silu %arg0
// CHECK-NEXT: return %[[A]]
func.func @silu_by_exp(%x: !x) -> !x {
  %one = plm.constant dense<1.0> : !s : !s
  %n = plm.unary neg %x : (!x) -> !x
  %e = plm.unary exp %n : (!x) -> !x
  %d = plm.binary add %e, %one : (!x, !s) -> !x
  %z = plm.binary div %x, %d : (!x, !x) -> !x
  return %z : !x
}

// CHECK-LABEL: func @relu_by_max
// CHECK-NEXT: %[[A:.*]] = plm.activation relu %arg0
// CHECK-NEXT: return %[[A]]
func.func @relu_by_max(%x: !x) -> !x {
  %zero = plm.constant dense<0.0> : !s : !s
  %a = plm.binary max %zero, %x : (!s, !x) -> !x
  return %a : !x
}

// A plain tanh stays what it is.
// CHECK-LABEL: func @tanh
// CHECK-NEXT: %[[A:.*]] = plm.activation tanh %arg0
// CHECK-NEXT: return %[[A]]
func.func @tanh(%x: !x) -> !x {
  %a = plm.activation tanh %x : (!x) -> !x
  return %a : !x
}

// A wrong constant (quick GELU is another function, too) is not rounded away.
// CHECK-LABEL: func @not_gelu
// CHECK-NOT: plm.activation
// CHECK: plm.unary erf {{.*}} {plm.unrecognized = "no activation function known to us around it"}
// CHECK-NOT: plm.activation
func.func @not_gelu(%x: !x) -> !x {
  %r = plm.constant dense<1.4> : !s : !s
  %one = plm.constant dense<1.0> : !s : !s
  %half = plm.constant dense<0.5> : !s : !s
  %a = plm.binary div %x, %r : (!x, !s) -> !x
  %b = plm.unary erf %a : (!x) -> !x
  %c = plm.binary add %b, %one : (!x, !s) -> !x
  %d = plm.binary mul %x, %c : (!x, !x) -> !x
  %e = plm.binary mul %d, %half : (!x, !s) -> !x
  return %e : !x
}

// erf of one tensor times another is no activation.
// CHECK-LABEL: func @gate
// CHECK-NOT: plm.activation
// CHECK: return
func.func @gate(%x: !x, %y: !x) -> !x {
  %r = plm.constant dense<1.41421354> : !s : !s
  %one = plm.constant dense<1.0> : !s : !s
  %half = plm.constant dense<0.5> : !s : !s
  %a = plm.binary div %x, %r : (!x, !s) -> !x
  %b = plm.unary erf %a : (!x) -> !x
  %c = plm.binary add %b, %one : (!x, !s) -> !x
  %d = plm.binary mul %y, %c : (!x, !x) -> !x
  %e = plm.binary mul %d, %half : (!x, !s) -> !x
  return %e : !x
}

// A clip keeps a divisor off zero; it is no relu.
// CHECK-LABEL: func @clip
// CHECK-NOT: plm.activation
// CHECK: return
func.func @clip(%x: !x) -> !x {
  %tiny = plm.constant dense<1.0e-12> : !s : !s
  %a = plm.binary max %x, %tiny : (!x, !s) -> !x
  return %a : !x
}

// Clip(x, 0, infinity), and with the largest float.
// CHECK-LABEL: func @relu_by_clip
// CHECK-NEXT: %[[A:.*]] = plm.activation relu %arg0
// CHECK-NEXT: return %[[A]]
func.func @relu_by_clip(%x: !x) -> !x {
  %zero = plm.constant dense<0.0> : !s : !s
  %most = plm.constant dense<3.40282347E+38> : !s : !s
  %a = plm.binary max %x, %zero : (!x, !s) -> !x
  %b = plm.binary min %a, %most : (!x, !s) -> !x
  return %b : !x
}

// ReLU6 is another function.
// CHECK-LABEL: func @relu6
// CHECK: plm.binary min
func.func @relu6(%x: !x) -> !x {
  %zero = plm.constant dense<0.0> : !s : !s
  %six = plm.constant dense<6.0> : !s : !s
  %a = plm.binary max %x, %zero : (!x, !s) -> !x
  %b = plm.binary min %a, %six : (!x, !s) -> !x
  return %b : !x
}

// x * sigmoid(1.702 * x) stays a product with a sigmoid, and nothing is said.
// CHECK-LABEL: func @quick_gelu
// CHECK: plm.activation sigmoid
// CHECK-NOT: plm.unrecognized
// CHECK: return
func.func @quick_gelu(%x: !x) -> !x {
  %c = plm.constant dense<1.702> : !s : !s
  %a = plm.binary mul %x, %c : (!x, !s) -> !x
  %b = plm.activation sigmoid %a : (!x) -> !x
  %d = plm.binary mul %x, %b : (!x, !x) -> !x
  return %d : !x
}

// SwiGLU: the gate's activation is one, the product is not part of it.
// CHECK-LABEL: func @swiglu
// CHECK: %[[A:.*]] = plm.activation silu %arg0
// CHECK: plm.binary mul %[[A]], %arg1
func.func @swiglu(%x: !x, %y: !x) -> !x {
  %a = plm.activation sigmoid %x : (!x) -> !x
  %b = plm.binary mul %a, %x : (!x, !x) -> !x
  %c = plm.binary mul %b, %y : (!x, !x) -> !x
  return %c : !x
}

// erf(x / sqrt(2)) with factors folded by an optimiser: x * (0.5 + 0.5 * erf).
// CHECK-LABEL: func @gelu_folded
// CHECK: plm.activation gelu %arg0
// CHECK-NOT: plm.unary
func.func @gelu_folded(%x: !x) -> !x {
  %r = plm.constant dense<0.707106769> : !s : !s
  %half = plm.constant dense<0.5> : !s : !s
  %a = plm.binary mul %r, %x : (!s, !x) -> !x
  %b = plm.unary erf %a : (!x) -> !x
  %c = plm.binary mul %b, %half : (!x, !s) -> !x
  %d = plm.binary add %half, %c : (!s, !x) -> !x
  %e = plm.binary mul %d, %x : (!x, !x) -> !x
  return %e : !x
}
