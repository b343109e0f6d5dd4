// RUN: plmc-opt %s -split-input-file --plm-normalize --cse --plm-recognize-attention --plm-normalize | FileCheck %s

// What only looks like attention with a padding mask stays as it is, and the
// softmax says why.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>

// CHECK-LABEL: func @wrong_axis
// CHECK-NOT: plm.attention
// CHECK: plm.softmax {{.*}} {plm.unrecognized = "the product with the values is not over the keys"}
func.func @wrong_axis(%q: !h, %k: !k, %v: !h) -> !h {
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.softmax %s0 axis 2 : (!p) -> !p
  %o0 = plm.matmul %s1, %v : (!p, !h) -> !h
  return %o0 : !h
}

// -----

// Two products in the scores, as in models with relative positions.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>

// CHECK-LABEL: func @relative
// CHECK-NOT: plm.attention
// CHECK: plm.unrecognized = "the scores are a combination of several products
func.func @relative(%q: !h, %k: !k, %r: !k, %v: !h) -> !h {
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.matmul %q, %r : (!h, !k) -> !p
  %s2 = plm.binary add %s0, %s1 : (!p, !p) -> !p
  %s3 = plm.softmax %s2 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s3, %v : (!p, !h) -> !h
  return %o0 : !h
}

// -----

// Attention weights that nobody multiplies with values.

!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>

// CHECK-LABEL: func @no_values
// CHECK: plm.unrecognized = "the probabilities go into no product with values"
func.func @no_values(%q: !h, %k: !k) -> !p {
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.softmax %s0 axis 3 : (!p) -> !p
  return %s1 : !p
}

