// RUN: plmc-opt %s -split-input-file --plm-normalize --cse --plm-recognize-attention --plm-normalize | FileCheck %s

// TorchScript, eager attention: key by one combined permutation, scale behind
// the product, mask (1 - m) * -10000 in [B,1,1,T].

!x = tensor<?x?x24xf32, #plm.dims<"batch", "sequence", "24">>
!s = tensor<?x?x3x8xf32, #plm.dims<"batch", "sequence", "3", "8">>
!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!m = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
!mi = tensor<?x1x1x?xi64, #plm.dims<"batch", "1", "1", "sequence">>
!mf = tensor<?x1x1x?xf32, #plm.dims<"batch", "1", "1", "sequence">>

// CHECK-LABEL: func @eager
// CHECK-SAME: %[[Q:[^:]+]]: tensor<?x?x24xf32{{[^%]*}}%[[K:[^:]+]]: tensor<{{[^%]*}}%[[V:[^:]+]]: tensor<{{[^%]*}}%[[M:[^:]+]]: tensor
// CHECK-NEXT: %[[A:.*]] = plm.attention %[[Q]], %[[K]], %[[V]] mask %[[M]] {num_heads = 3 : i64, scale = 0.3535{{[0-9]*}} : f64}
// CHECK-NEXT: return %[[A]]
func.func @eager(%q: !x, %k: !x, %v: !x, %mask: !m) -> !x {
  %one = plm.constant dense<1.0> : tensor<f32> : tensor<f32>
  %low = plm.constant dense<-10000.0> : tensor<f32> : tensor<f32>
  %root = plm.constant dense<2.8284271> : tensor<f32> : tensor<f32>
  %m0 = plm.reshape %mask : (!m) -> !mi
  %m1 = plm.cast %m0 : (!mi) -> !mf
  %m2 = plm.binary sub %one, %m1 : (tensor<f32>, !mf) -> !mf
  %m3 = plm.binary mul %m2, %low : (!mf, tensor<f32>) -> !mf
  %q0 = plm.reshape %q : (!x) -> !s
  %q1 = plm.transpose %q0 [0, 2, 1, 3] : (!s) -> !h
  %k0 = plm.reshape %k : (!x) -> !s
  %k1 = plm.transpose %k0 [0, 2, 3, 1] : (!s) -> !k
  %v0 = plm.reshape %v : (!x) -> !s
  %v1 = plm.transpose %v0 [0, 2, 1, 3] : (!s) -> !h
  %s0 = plm.matmul %q1, %k1 : (!h, !k) -> !p
  %s1 = plm.binary div %s0, %root : (!p, tensor<f32>) -> !p
  %s2 = plm.binary add %m3, %s1 : (!mf, !p) -> !p
  %s3 = plm.softmax %s2 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s3, %v1 : (!p, !h) -> !h
  %o1 = plm.transpose %o0 [0, 2, 1, 3] : (!h) -> !s
  %o2 = plm.reshape %o1 : (!s) -> !x
  return %o2 : !x
}

// -----

// Dynamo: the scale split on both operands, key transposed through
// [batch*heads, ...], mask gathered by index tuples, NaN guard.

!x = tensor<?x?x24xf32, #plm.dims<"batch", "sequence", "24">>
!s = tensor<?x?x3x8xf32, #plm.dims<"batch", "sequence", "3", "8">>
!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!f = tensor<?x?x8xf32, #plm.dims<"3*batch", "sequence", "8">>
!g = tensor<?x8x?xf32, #plm.dims<"3*batch", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!pb = tensor<?x3x?x?xi1, #plm.dims<"batch", "3", "sequence", "sequence">>
!m = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
!mb = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!ab = tensor<?xi64, #plm.dims<"batch">>
!as = tensor<?xi64, #plm.dims<"sequence">>
!b4 = tensor<?x1x1x1xi64, #plm.dims<"batch", "1", "1", "1">>
!s4 = tensor<1x1x1x?xi64, #plm.dims<"1", "1", "1", "sequence">>
!q4 = tensor<1x1x?x1xi64, #plm.dims<"1", "1", "sequence", "1">>
!q1 = tensor<1x1x?x1xi1, #plm.dims<"1", "1", "sequence", "1">>
!i4 = tensor<?x1x1x?xi64, #plm.dims<"batch", "1", "1", "sequence">>
!i5 = tensor<?x1x1x?x1xi64, #plm.dims<"batch", "1", "1", "sequence", "1">>
!t5 = tensor<?x1x1x?x2xi64, #plm.dims<"batch", "1", "1", "sequence", "2">>
!g4 = tensor<?x1x1x?xi1, #plm.dims<"batch", "1", "1", "sequence">>
!e4 = tensor<?x1x?x?xi1, #plm.dims<"batch", "1", "sequence", "sequence">>
!w4 = tensor<?x1x?x?xf32, #plm.dims<"batch", "1", "sequence", "sequence">>

// CHECK-LABEL: func @dynamo
// CHECK-SAME: %[[Q:[^:]+]]: tensor<?x?x24xf32{{[^%]*}}%[[K:[^:]+]]: tensor<{{[^%]*}}%[[V:[^:]+]]: tensor<{{[^%]*}}%[[M:[^:]+]]: tensor
// CHECK-NEXT: %[[A:.*]] = plm.attention %[[Q]], %[[K]], %[[V]] mask %[[M]] {num_heads = 3 : i64, scale = 0.353{{[0-9]*}} : f64}
// CHECK-NEXT: return %[[A]]
func.func @dynamo(%q: !x, %k: !x, %v: !x, %mask: !m) -> !x {
  %zero = plm.constant dense<0.0> : tensor<f32> : tensor<f32>
  %izero = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %true = plm.constant dense<true> : tensor<i1> : tensor<i1>
  %inf = plm.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %half = plm.constant dense<0.594603539> : tensor<f32> : tensor<f32>
  %mb = plm.cast %mask : (!m) -> !mb
  %ab = plm.iota "0" step 1 : !ab
  %as = plm.iota "0" step 1 : !as
  %b4 = plm.reshape %ab : (!ab) -> !b4
  %s4 = plm.reshape %as : (!as) -> !s4
  %q4 = plm.reshape %as : (!as) -> !q4
  %ge = plm.binary ge %q4, %izero : (!q4, tensor<i64>) -> !q1
  %and0 = plm.binary and %true, %ge : (tensor<i1>, !q1) -> !q1
  %e0 = plm.broadcast %b4 : (!b4) -> !i4
  %e1 = plm.reshape %e0 : (!i4) -> !i5
  %e2 = plm.broadcast %s4 : (!s4) -> !i4
  %e3 = plm.reshape %e2 : (!i4) -> !i5
  %t = plm.concat %e1, %e3 axis 4 : (!i5, !i5) -> !t5
  %g = plm.gather_nd %mb, %t batch_dims 0 : (!mb, !t5) -> !g4
  %and1 = plm.binary and %and0, %g : (!q1, !g4) -> !e4
  %w = plm.select %and1, %zero, %inf : (!e4, tensor<f32>, tensor<f32>) -> !w4
  %q0 = plm.reshape %q : (!x) -> !s
  %q1 = plm.transpose %q0 [0, 2, 1, 3] : (!s) -> !h
  %q2 = plm.binary mul %q1, %half : (!h, tensor<f32>) -> !h
  %k0 = plm.reshape %k : (!x) -> !s
  %k1 = plm.transpose %k0 [0, 2, 1, 3] : (!s) -> !h
  %k2 = plm.reshape %k1 : (!h) -> !f
  %k3 = plm.transpose %k2 [0, 2, 1] : (!f) -> !g
  %k4 = plm.reshape %k3 : (!g) -> !k
  %k5 = plm.binary mul %k4, %half : (!k, tensor<f32>) -> !k
  %v0 = plm.reshape %v : (!x) -> !s
  %v1 = plm.transpose %v0 [0, 2, 1, 3] : (!s) -> !h
  %s0 = plm.matmul %q2, %k5 : (!h, !k) -> !p
  %s2 = plm.binary add %s0, %w : (!p, !w4) -> !p
  %s3 = plm.softmax %s2 axis 3 : (!p) -> !p
  %n = plm.unary isnan %s3 : (!p) -> !pb
  %s5 = plm.select %n, %zero, %s3 : (!pb, tensor<f32>, !p) -> !p
  %o0 = plm.matmul %s5, %v1 : (!p, !h) -> !h
  %o1 = plm.transpose %o0 [0, 2, 1, 3] : (!h) -> !s
  %o2 = plm.reshape %o1 : (!s) -> !x
  return %o2 : !x
}

// -----

// DistilBERT of old: query divided before the product, masked_fill of what
// equals 0, mask reshaped and expanded. Value width other than query width.

!x = tensor<?x?x24xf32, #plm.dims<"batch", "sequence", "24">>
!y = tensor<?x?x15xf32, #plm.dims<"batch", "sequence", "15">>
!s = tensor<?x?x3x8xf32, #plm.dims<"batch", "sequence", "3", "8">>
!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!vs = tensor<?x?x3x5xf32, #plm.dims<"batch", "sequence", "3", "5">>
!vh = tensor<?x3x?x5xf32, #plm.dims<"batch", "3", "sequence", "5">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!pb = tensor<?x3x?x?xi1, #plm.dims<"batch", "3", "sequence", "sequence">>
!m = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
!mb = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!m4 = tensor<?x1x1x?xi1, #plm.dims<"batch", "1", "1", "sequence">>

// CHECK-LABEL: func @masked_fill
// CHECK: %[[A:.*]] = plm.attention %arg0, %arg1, %arg2 mask %arg3 {num_heads = 3 : i64, scale = 2.500000e-01 : f64}
// CHECK-SAME: -> tensor<?x?x15xf32
// CHECK-NEXT: return %[[A]]
func.func @masked_fill(%q: !x, %k: !x, %v: !y, %mask: !m) -> !y {
  %izero = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %four = plm.constant dense<4.0> : tensor<f32> : tensor<f32>
  %inf = plm.constant dense<0xFF800000> : tensor<1xf32> : tensor<1xf32>
  %eq = plm.binary eq %mask, %izero : (!m, tensor<i64>) -> !mb
  %m4 = plm.reshape %eq : (!mb) -> !m4
  %e = plm.broadcast %m4 : (!m4) -> !pb
  %qd = plm.binary div %q, %four : (!x, tensor<f32>) -> !x
  %q0 = plm.reshape %qd : (!x) -> !s
  %q1 = plm.transpose %q0 [0, 2, 1, 3] : (!s) -> !h
  %k0 = plm.reshape %k : (!x) -> !s
  %k1 = plm.transpose %k0 [0, 2, 1, 3] : (!s) -> !h
  %k2 = plm.transpose %k1 [0, 1, 3, 2] : (!h) -> !k
  %v0 = plm.reshape %v : (!y) -> !vs
  %v1 = plm.transpose %v0 [0, 2, 1, 3] : (!vs) -> !vh
  %s0 = plm.matmul %q1, %k2 : (!h, !k) -> !p
  %s1 = plm.select %e, %inf, %s0 : (!pb, tensor<1xf32>, !p) -> !p
  %s2 = plm.softmax %s1 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s2, %v1 : (!p, !vh) -> !vh
  %o1 = plm.transpose %o0 [0, 2, 1, 3] : (!vh) -> !vs
  %o2 = plm.reshape %o1 : (!vs) -> !y
  return %o2 : !y
}

// -----

// Everything in [batch*heads, ...], no mask.

!x = tensor<?x?x24xf32, #plm.dims<"batch", "sequence", "24">>
!s = tensor<?x?x3x8xf32, #plm.dims<"batch", "sequence", "3", "8">>
!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!f = tensor<?x?x8xf32, #plm.dims<"3*batch", "sequence", "8">>
!g = tensor<?x8x?xf32, #plm.dims<"3*batch", "8", "sequence">>
!p = tensor<?x?x?xf32, #plm.dims<"3*batch", "sequence", "sequence">>

// CHECK-LABEL: func @flattened
// CHECK-NEXT: %[[A:.*]] = plm.attention %arg0, %arg1, %arg2 {num_heads = 3 : i64, scale = 1.000000e+00 : f64}
// CHECK-NEXT: return %[[A]]
func.func @flattened(%q: !x, %k: !x, %v: !x) -> !x {
  %q0 = plm.reshape %q : (!x) -> !s
  %q1 = plm.transpose %q0 [0, 2, 1, 3] : (!s) -> !h
  %q2 = plm.reshape %q1 : (!h) -> !f
  %k0 = plm.reshape %k : (!x) -> !s
  %k1 = plm.transpose %k0 [0, 2, 1, 3] : (!s) -> !h
  %k2 = plm.reshape %k1 : (!h) -> !f
  %k3 = plm.transpose %k2 [0, 2, 1] : (!f) -> !g
  %v0 = plm.reshape %v : (!x) -> !s
  %v1 = plm.transpose %v0 [0, 2, 1, 3] : (!s) -> !h
  %v2 = plm.reshape %v1 : (!h) -> !f
  %s0 = plm.matmul %q2, %k3 : (!f, !g) -> !p
  %s1 = plm.softmax %s0 axis 2 : (!p) -> !p
  %o0 = plm.matmul %s1, %v2 : (!p, !f) -> !f
  %o1 = plm.reshape %o0 : (!f) -> !h
  %o2 = plm.transpose %o1 [0, 2, 1, 3] : (!h) -> !s
  %o3 = plm.reshape %o2 : (!s) -> !x
  return %o3 : !x
}

// -----

// Query and key are computed with heads in place (rotary positions do that):
// still attention, on their transposes. A residual that uses the [B,h,S,D]
// result sees it through a view.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>

// CHECK-LABEL: func @heads_in_place
// CHECK: %[[R:.*]] = plm.unary abs %arg0
// CHECK: %[[T:.*]] = plm.transpose %[[R]] [0, 2, 1, 3]
// CHECK: %[[Q:.*]] = plm.reshape %[[T]]
// CHECK: %[[A:.*]] = plm.attention %[[Q]]
// CHECK: %[[B:.*]] = plm.reshape %[[A]]
// CHECK: plm.transpose %[[B]] [0, 2, 1, 3]
func.func @heads_in_place(%q: !h, %k: !h, %v: !h) -> !h {
  %q1 = plm.unary abs %q : (!h) -> !h
  %k2 = plm.transpose %k [0, 1, 3, 2] : (!h) -> !k
  %s0 = plm.matmul %q1, %k2 : (!h, !k) -> !p
  %s1 = plm.softmax %s0 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s1, %v : (!p, !h) -> !h
  return %o0 : !h
}

// -----

// Sequence first, as torch.nn.MultiheadAttention works: [S,B,E] cut into
// [S,B*h,D]. Batch and sequence are put in front by a transpose.

!x = tensor<?x?x24xf32, #plm.dims<"sequence", "batch", "24">>
!s = tensor<?x?x8xf32, #plm.dims<"sequence", "3*batch", "8">>
!f = tensor<?x?x8xf32, #plm.dims<"3*batch", "sequence", "8">>
!g = tensor<?x8x?xf32, #plm.dims<"3*batch", "8", "sequence">>
!p = tensor<?x?x?xf32, #plm.dims<"3*batch", "sequence", "sequence">>
!m = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!m4 = tensor<?x1x1x?xi1, #plm.dims<"batch", "1", "1", "sequence">>
!e4 = tensor<?x3x1x?xi1, #plm.dims<"batch", "3", "1", "sequence">>
!e3 = tensor<?x1x?xi1, #plm.dims<"3*batch", "1", "sequence">>

// CHECK-LABEL: func @sequence_first
// CHECK: %[[Q:.*]] = plm.transpose %arg0 [1, 0, 2]
// CHECK: %[[A:.*]] = plm.attention %[[Q]], %{{[0-9]+}}, %{{[0-9]+}} mask %arg3 {num_heads = 3 : i64
// CHECK-NEXT: %[[T:.*]] = plm.transpose %[[A]] [1, 0, 2]
// CHECK-NEXT: return %[[T]]
func.func @sequence_first(%q: !x, %k: !x, %v: !x, %mask: !m) -> !x {
  %low = plm.constant dense<0xFF800000> : tensor<f32> : tensor<f32>
  %m4 = plm.reshape %mask : (!m) -> !m4
  %e4 = plm.broadcast %m4 : (!m4) -> !e4
  %e3 = plm.reshape %e4 : (!e4) -> !e3
  %q0 = plm.reshape %q : (!x) -> !s
  %q1 = plm.transpose %q0 [1, 0, 2] : (!s) -> !f
  %k0 = plm.reshape %k : (!x) -> !s
  %k1 = plm.transpose %k0 [1, 2, 0] : (!s) -> !g
  %v0 = plm.reshape %v : (!x) -> !s
  %v1 = plm.transpose %v0 [1, 0, 2] : (!s) -> !f
  %s0 = plm.matmul %q1, %k1 : (!f, !g) -> !p
  %s1 = plm.select %e3, %s0, %low : (!e3, !p, tensor<f32>) -> !p
  %s2 = plm.softmax %s1 axis 2 : (!p) -> !p
  %o0 = plm.matmul %s2, %v1 : (!p, !f) -> !f
  %o1 = plm.transpose %o0 [1, 0, 2] : (!f) -> !s
  %o2 = plm.reshape %o1 : (!s) -> !x
  return %o2 : !x
}

// -----

// The mask by index arithmetic on the flattened input; the scores are zeroed
// before they are lowered, the probabilities once more afterwards. One head.

!x = tensor<?x?x8xf32, #plm.dims<"batch", "sequence", "8">>
!t = tensor<?x8x?xf32, #plm.dims<"batch", "8", "sequence">>
!p = tensor<?x?x?xf32, #plm.dims<"batch", "sequence", "sequence">>
!m = tensor<?x?xf32, #plm.dims<"batch", "sequence">>
!fl = tensor<?xf32, #plm.dims<"batch*sequence">>
!ab = tensor<?xi64, #plm.dims<"batch">>
!as = tensor<?xi64, #plm.dims<"sequence">>
!b3 = tensor<?x1x1xi64, #plm.dims<"batch", "1", "1">>
!s3 = tensor<1x1x?xi64, #plm.dims<"1", "1", "sequence">>
!i3 = tensor<?x1x?xi64, #plm.dims<"batch", "1", "sequence">>
!w3 = tensor<?x1x?xf32, #plm.dims<"batch", "1", "sequence">>

// CHECK-LABEL: func @index_arithmetic
// CHECK-NEXT: %[[A:.*]] = plm.attention %arg0, %arg1, %arg2 mask %arg3 {num_heads = 1 : i64
// CHECK-NEXT: return %[[A]]
func.func @index_arithmetic(%q: !x, %k: !x, %v: !x, %mask: !m) -> !x {
  %one = plm.constant dense<1.0> : tensor<f32> : tensor<f32>
  %low = plm.constant dense<-10000.0> : tensor<f32> : tensor<f32>
  %fl = plm.reshape %mask : (!m) -> !fl
  %ab = plm.iota "0" step 1 : !ab
  %as = plm.iota "0" step 1 : !as
  %n = plm.shape_value ["sequence"] : tensor<1xi64>
  %b3 = plm.reshape %ab : (!ab) -> !b3
  %s3 = plm.reshape %as : (!as) -> !s3
  %row = plm.binary mul %b3, %n : (!b3, tensor<1xi64>) -> !b3
  %i = plm.binary add %s3, %row : (!s3, !b3) -> !i3
  %w = plm.gather %fl, %i axis 0 : (!fl, !i3) -> !w3
  %inv = plm.binary sub %one, %w : (tensor<f32>, !w3) -> !w3
  %add = plm.binary mul %inv, %low : (!w3, tensor<f32>) -> !w3
  %k1 = plm.transpose %k [0, 2, 1] : (!x) -> !t
  %s0 = plm.matmul %q, %k1 : (!x, !t) -> !p
  %s1 = plm.binary mul %s0, %w : (!p, !w3) -> !p
  %s2 = plm.binary add %s1, %add : (!p, !w3) -> !p
  %s3b = plm.softmax %s2 axis 2 : (!p) -> !p
  %s4 = plm.binary mul %s3b, %w : (!p, !w3) -> !p
  %o0 = plm.matmul %s4, %v : (!p, !x) -> !x
  return %o0 : !x
}

// -----

// Everything static, batch 1, transposed scores, mask proven to keep all.

!x = tensor<1x4x24xf32>
!s = tensor<1x4x3x8xf32>
!h = tensor<1x3x4x8xf32>
!k = tensor<1x3x8x4xf32>
!p = tensor<1x3x4x4xf32>

// CHECK-LABEL: func @static
// CHECK-NEXT: %[[A:.*]] = plm.attention %arg0, %arg1, %arg2 {num_heads = 3 : i64
// CHECK-NEXT: return %[[A]]
func.func @static(%q: !x, %k: !x, %v: !x) -> !x {
  %zeros = plm.constant dense<0.0> : tensor<1x1x4x4xf32> : tensor<1x1x4x4xf32>
  %q0 = plm.reshape %q : (!x) -> !s
  %q1 = plm.transpose %q0 [0, 2, 3, 1] : (!s) -> !k
  %k0 = plm.reshape %k : (!x) -> !s
  %k1 = plm.transpose %k0 [0, 2, 1, 3] : (!s) -> !h
  %v0 = plm.reshape %v : (!x) -> !s
  %v1 = plm.transpose %v0 [0, 2, 1, 3] : (!s) -> !h
  %s0 = plm.matmul %k1, %q1 : (!h, !k) -> !p
  %s1 = plm.transpose %s0 [0, 1, 3, 2] : (!p) -> !p
  %s2 = plm.binary add %s1, %zeros : (!p, tensor<1x1x4x4xf32>) -> !p
  %s3 = plm.softmax %s2 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s3, %v1 : (!p, !h) -> !h
  %o1 = plm.transpose %o0 [0, 2, 1, 3] : (!h) -> !s
  %o2 = plm.reshape %o1 : (!s) -> !x
  return %o2 : !x
}
