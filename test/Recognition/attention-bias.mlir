// RUN: plmc-opt %s -split-input-file --plm-normalize --cse --plm-recognize-attention --plm-normalize | FileCheck %s

// What acts on the scores and is no keep mask becomes the bias.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!v = tensor<?x?x?xf32, #plm.dims<"batch", "sequence", "sequence">>
!w = tensor<?x1x?x?xf32, #plm.dims<"batch", "1", "sequence", "sequence">>

// CHECK-LABEL: func @visible_matrix
// CHECK-NOT: plm.softmax
// CHECK: %[[B:.*]] = plm.binary mul
// CHECK: plm.attention {{[^ ]*}}, {{[^ ]*}}, {{[^ ]*}} bias %[[B]] {
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

// A window of 128 positions: invisible on short probes, so that it must not pass
// for no mask at all.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!a = tensor<?xi64, #plm.dims<"sequence">>
!r = tensor<1x?xi64, #plm.dims<"1", "sequence">>
!c = tensor<?x1xi64, #plm.dims<"sequence", "1">>
!d = tensor<?x?xi64, #plm.dims<"sequence", "sequence">>
!b = tensor<?x?xi1, #plm.dims<"sequence", "sequence">>

// CHECK-LABEL: func @window
// CHECK-NOT: plm.softmax
// CHECK: %[[B:.*]] = plm.reshape {{.*}} -> tensor<1x1x?x?xf32
// CHECK: plm.attention {{[^ ]*}}, {{[^ ]*}}, {{[^ ]*}} bias %[[B]] {
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
// CHECK-NOT: plm.softmax
// CHECK: %[[B:.*]] = plm.select {{.*}} -> tensor<?x1x?x1xf32
// CHECK: plm.attention {{[^ ]*}}, {{[^ ]*}}, {{[^ ]*}} bias %[[B]] {
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
// CHECK-NOT: plm.softmax
// CHECK: %[[B:.*]] = plm.binary mul {{.*}} -> tensor<?x1x1x?xf32
// CHECK: plm.attention {{[^ ]*}}, {{[^ ]*}}, {{[^ ]*}} bias %[[B]] {
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
// CHECK-NOT: plm.softmax
// CHECK: plm.attention {{[^ ]*}}, {{[^ ]*}}, {{[^ ]*}} bias %
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
// CHECK-NOT: plm.softmax
// CHECK: plm.attention {{[^ ]*}}, {{[^ ]*}}, {{[^ ]*}} bias %
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
// -----

// A window and the padding in one condition: the input is the keep mask, and
// the bias, which holds both, says so.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!m = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!q = tensor<?x1x1x?xi1, #plm.dims<"batch", "1", "1", "sequence">>
!w = tensor<?x1x?x?xi1, #plm.dims<"batch", "1", "sequence", "sequence">>
!a = tensor<?xi64, #plm.dims<"sequence">>
!r = tensor<1x?xi64, #plm.dims<"1", "sequence">>
!c = tensor<?x1xi64, #plm.dims<"sequence", "1">>
!d = tensor<?x?xi64, #plm.dims<"sequence", "sequence">>
!b = tensor<?x?xi1, #plm.dims<"sequence", "sequence">>

// CHECK-LABEL: func @window_and_padding
// CHECK-SAME: %[[M:[^ ]*]]: tensor<?x?xi1
// CHECK: plm.attention {{[^ ]*}}, {{[^ ]*}}, {{[^ ]*}} mask %[[M]] bias %{{.*}}mask_in_bias
func.func @window_and_padding(%q: !h, %k: !k, %v: !h, %mask: !m) -> !h {
  %low = plm.constant dense<-1.0e9> : tensor<f32> : tensor<f32>
  %limit = plm.constant dense<128> : tensor<i64> : tensor<i64>
  %i = plm.iota "0" step 1 : !a
  %r = plm.reshape %i : (!a) -> !r
  %c = plm.reshape %i : (!a) -> !c
  %d = plm.binary sub %r, %c : (!r, !c) -> !d
  %n = plm.unary abs %d : (!d) -> !d
  %b = plm.binary le %n, %limit : (!d, tensor<i64>) -> !b
  %m = plm.reshape %mask : (!m) -> !q
  %w = plm.binary and %b, %m : (!b, !q) -> !w
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.select %w, %s0, %low : (!w, !p, tensor<f32>) -> !p
  %s2 = plm.softmax %s1 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s2, %v : (!p, !h) -> !h
  return %o0 : !h
}
// -----

// A window or the padding: padding inside the window is kept, so the input is
// no keep mask, however short the probes are.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!m = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!q = tensor<?x1x1x?xi1, #plm.dims<"batch", "1", "1", "sequence">>
!w = tensor<?x1x?x?xi1, #plm.dims<"batch", "1", "sequence", "sequence">>
!a = tensor<?xi64, #plm.dims<"sequence">>
!r = tensor<1x?xi64, #plm.dims<"1", "sequence">>
!c = tensor<?x1xi64, #plm.dims<"sequence", "1">>
!d = tensor<?x?xi64, #plm.dims<"sequence", "sequence">>
!b = tensor<?x?xi1, #plm.dims<"sequence", "sequence">>

// CHECK-LABEL: func @far_or_kept
// CHECK: plm.attention {{[^ ]*}}, {{[^ ]*}}, {{[^ ]*}} bias %
func.func @far_or_kept(%q: !h, %k: !k, %v: !h, %mask: !m) -> !h {
  %low = plm.constant dense<-1.0e9> : tensor<f32> : tensor<f32>
  %limit = plm.constant dense<128> : tensor<i64> : tensor<i64>
  %i = plm.iota "0" step 1 : !a
  %r = plm.reshape %i : (!a) -> !r
  %c = plm.reshape %i : (!a) -> !c
  %d = plm.binary sub %r, %c : (!r, !c) -> !d
  %n = plm.unary abs %d : (!d) -> !d
  %b = plm.binary gt %n, %limit : (!d, tensor<i64>) -> !b
  %m = plm.reshape %mask : (!m) -> !q
  %w = plm.binary or %b, %m : (!b, !q) -> !w
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.select %w, %s0, %low : (!w, !p, tensor<f32>) -> !p
  %s2 = plm.softmax %s1 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s2, %v : (!p, !h) -> !h
  return %o0 : !h
}
// -----

// Relative positions from a stored table, as a second product, beside a
// padding mask that stays a mask.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!k = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>
!t = tensor<8x?xf32, #plm.dims<"8", "sequence">>
!m = tensor<?x?xi1, #plm.dims<"batch", "sequence">>
!q = tensor<?x1x1x?xi1, #plm.dims<"batch", "1", "1", "sequence">>
plm.parameter @positions = dense<1.0> : tensor<8x64xf32>

// CHECK-LABEL: func @relative_table
// CHECK-SAME: %[[M:[^ ]*]]: tensor<?x?xi1
// CHECK: %[[R:.*]] = plm.matmul
// CHECK: %[[B:.*]] = plm.binary mul %[[R]]
// CHECK: plm.attention {{[^ ]*}}, {{[^ ]*}}, {{[^ ]*}} mask %[[M]] bias %[[B]] {num_heads = 3 : i64, scale = 5.000000e-01 : f64}
func.func @relative_table(%q: !h, %k: !k, %v: !h, %mask: !m) -> !h {
  %low = plm.constant dense<-1.0e9> : tensor<f32> : tensor<f32>
  %half = plm.constant dense<0.5> : tensor<f32> : tensor<f32>
  %table = plm.get_parameter @positions : tensor<8x64xf32>
  %t = plm.slice %table ["0", "0"] [1, 1] : (tensor<8x64xf32>) -> !t
  %r = plm.matmul %q, %t : (!h, !t) -> !p
  %m = plm.reshape %mask : (!m) -> !q
  %s0 = plm.matmul %q, %k : (!h, !k) -> !p
  %s1 = plm.binary add %s0, %r : (!p, !p) -> !p
  %s2 = plm.binary mul %s1, %half : (!p, tensor<f32>) -> !p
  %s3 = plm.select %m, %s2, %low : (!q, !p, tensor<f32>) -> !p
  %s4 = plm.softmax %s3 axis 3 : (!p) -> !p
  %o0 = plm.matmul %s4, %v : (!p, !h) -> !h
  return %o0 : !h
}

// -----

// The keys in the middle, as keras has them: softmax over another axis.

!h = tensor<?x3x?x8xf32, #plm.dims<"batch", "3", "sequence", "8">>
!t = tensor<?x3x8x?xf32, #plm.dims<"batch", "3", "8", "sequence">>
!p = tensor<?x3x?x?xf32, #plm.dims<"batch", "3", "sequence", "sequence">>

// CHECK-LABEL: func @keys_before_queries
// CHECK-NOT: plm.softmax
// CHECK: plm.attention
func.func @keys_before_queries(%q: !t, %k: !h, %v: !h) -> !h {
  %s0 = plm.matmul %k, %q : (!h, !t) -> !p
  %s1 = plm.softmax %s0 axis 2 : (!p) -> !p
  %s2 = plm.transpose %s1 [0, 1, 3, 2] : (!p) -> !p
  %o0 = plm.matmul %s2, %v : (!p, !h) -> !h
  return %o0 : !h
}
