// RUN: plmc-opt %s -split-input-file --plm-normalize --cse --plm-recognize-attention --plm-normalize | FileCheck %s

// What only looks like attention with a padding mask stays as it is, and the
// softmax says why.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>

// CHECK-LABEL: func @wrong_axis
// CHECK-NOT: plm.attention
// CHECK: plm.softmax {{.*}} axis 2 {plm.unrecognized = "the softmax is over axis 2, not over the last one"}
func.func @wrong_axis(%q: !h, %k: !k, %v: !h) -> !h {
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.softmax %s0 axis 2 : (!p) -> !p
  %o0 = plm.matmul %s1, %v : (!p, !h) -> !h
  return %o0 : !h
}

// -----

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!v = tensor<?x?x?xf32, #plm.dims<"batch", "sequence", "sequence">>
!w = tensor<?x1x?x?xf32, #plm.dims<"batch", "1", "sequence", "sequence">>

// CHECK-LABEL: func @visible_matrix
// CHECK-NOT: plm.attention
// CHECK: plm.unrecognized = "the mask input has rank 3, only [batch, sequence] masks are recognised"
func.func @visible_matrix(%q: !h, %k: !k, %v: !h, %mask: !v) -> !h {
  %one = plm.constant dense<1.0> : tensor<f32> : tensor<f32>
  %low = plm.constant dense<-10000.0> : tensor<f32> : tensor<f32>
  %m0 = plm.reshape %mask : (!v) -> !w
  %m1 = plm.binary sub %one, %m0 : (tensor<f32>, !w) -> !w
  %m2 = plm.binary mul %m1, %low : (!w, tensor<f32>) -> !w
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.binary add %s0, %m2 : (!p, !w) -> !p
  %s2 = plm.softmax %s1 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s2, %v : (!p, !h) -> !h
  return %o0 : !h
}

// -----

// A window of 128 positions: invisible on short probes, refused by structure.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!a = tensor<?xi64, #plm.dims<"sequence">>
!r = tensor<1x?xi64, #plm.dims<"1", "sequence">>
!c = tensor<?x1xi64, #plm.dims<"sequence", "1">>
!d = tensor<?x?xi64, #plm.dims<"sequence", "sequence">>
!b = tensor<?x?xi1, #plm.dims<"sequence", "sequence">>

// CHECK-LABEL: func @window
// CHECK-NOT: plm.attention
// CHECK: plm.unrecognized = "the mask depends on the positions, as a causal or windowed one does
func.func @window(%q: !h, %k: !k, %v: !h) -> !h {
  %low = plm.constant dense<-1.0e9> : tensor<f32> : tensor<f32>
  %limit = plm.constant dense<128> : tensor<i64> : tensor<i64>
  %i = plm.iota "0" step 1 : !a
  %r = plm.reshape %i : (!a) -> !r
  %c = plm.reshape %i : (!a) -> !c
  %d = plm.binary sub %r, %c : (!r, !c) -> !d
  %n = plm.unary abs %d : (!d) -> !d
  %b = plm.binary le %n, %limit : (!d, tensor<i64>) -> !b
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.select %b, %s0, %low : (!b, !p, tensor<f32>) -> !p
  %s2 = plm.softmax %s1 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s2, %v : (!p, !h) -> !h
  return %o0 : !h
}

// -----

// Right structure, wrong meaning: the mask is applied to queries.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!m = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!q = tensor<?x1x?x1xi1, #plm.dims<"batch", "1", "sequence", "1">>

// CHECK-LABEL: func @query_mask
// CHECK-NOT: plm.attention
// CHECK: plm.unrecognized = "the mask is not 'input is 1 at the key's position'
func.func @query_mask(%q: !h, %k: !k, %v: !h, %mask: !m) -> !h {
  %low = plm.constant dense<-1.0e9> : tensor<f32> : tensor<f32>
  %b = plm.reshape %mask : (!m) -> !q
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.select %b, %s0, %low : (!q, !p, tensor<f32>) -> !p
  %s2 = plm.softmax %s1 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s2, %v : (!p, !h) -> !h
  return %o0 : !h
}

// -----

// A bias of -5 excludes nothing.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!m = tensor<?x?xf32, #plm.dims<"batch", "sequence">>
!q = tensor<?x1x1x?xf32, #plm.dims<"batch", "1", "1", "sequence">>

// CHECK-LABEL: func @weak_mask
// CHECK-NOT: plm.attention
// CHECK: plm.unrecognized = "the mask does more than keep or exclude
func.func @weak_mask(%q: !h, %k: !k, %v: !h, %mask: !m) -> !h {
  %one = plm.constant dense<1.0> : tensor<f32> : tensor<f32>
  %low = plm.constant dense<5.0> : tensor<f32> : tensor<f32>
  %b = plm.reshape %mask : (!m) -> !q
  %b1 = plm.binary sub %b, %one : (!q, tensor<f32>) -> !q
  %b2 = plm.binary mul %b1, %low : (!q, tensor<f32>) -> !q
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.binary add %s0, %b2 : (!p, !q) -> !p
  %s2 = plm.softmax %s1 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s2, %v : (!p, !h) -> !h
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

// -----

// A mask that is computed from the token ids: only ids that are 0 or 1 would
// pass for one.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!m = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
!b = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!q = tensor<?x1x1x?xi1, #plm.dims<"batch", "1", "1", "sequence">>
!e = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>

plm.parameter @words = dense<1.0> : tensor<9x4xf32>
// CHECK-LABEL: func @mask_from_ids
// CHECK-NOT: plm.attention
// CHECK: plm.unrecognized = "the mask is computed from ids that are looked up
func.func @mask_from_ids(%q: !h, %k: !k, %v: !h, %ids: !m) -> (!h, !e) {
  %pad = plm.constant dense<0> : tensor<i64> : tensor<i64>
  %low = plm.constant dense<-10000.0> : tensor<f32> : tensor<f32>
  %table = plm.get_parameter @words : tensor<9x4xf32>
  %e = plm.gather %table, %ids axis 0 : (tensor<9x4xf32>, !m) -> !e
  %m = plm.binary ne %ids, %pad : (!m, tensor<i64>) -> !b
  %w = plm.reshape %m : (!b) -> !q
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.select %w, %s0, %low : (!q, !p, tensor<f32>) -> !p
  %s2 = plm.softmax %s1 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s2, %v : (!p, !h) -> !h
  return %o0, %e : !h, !e
}

// -----

// A float input that is compared with a threshold is a score.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!m = tensor<?x?xf32, #plm.dims<"batch", "sequence">>
!b = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!q = tensor<?x1x1x?xi1, #plm.dims<"batch", "1", "1", "sequence">>

// CHECK-LABEL: func @threshold
// CHECK-NOT: plm.attention
// CHECK: plm.unrecognized = "the mask compares a float input with a threshold"
func.func @threshold(%q: !h, %k: !k, %v: !h, %scores: !m) -> !h {
  %half = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %low = plm.constant dense<-10000.0> : tensor<f32> : tensor<f32>
  %m = plm.binary gt %scores, %half : (!m, tensor<f32>) -> !b
  %w = plm.reshape %m : (!b) -> !q
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.select %w, %s0, %low : (!q, !p, tensor<f32>) -> !p
  %s2 = plm.softmax %s1 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s2, %v : (!p, !h) -> !h
  return %o0 : !h
}
